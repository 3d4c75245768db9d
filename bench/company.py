"""Who else is on the machine while we measure: busy neighbours slow us down by more than the time they take.

Virtual cores are often the two threads of one real core. Code that waits for its own results (a chain of averages) is then
hardly slower beside a busy neighbour; code that keeps the core busy takes up to twice as long. So even a ratio of the two
is only worth something from a quiet moment.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TypeVar

STAT = Path("/proc/stat")
QUIET_PART = 0.05  # of the machine
GRAIN_S = 0.011  # the system counts processor time in hundredths of a second
LISTEN_S = 0.06  # before each round
PATIENCE_S = 90.0  # for one comparison

OTHERS_PART = 0.008  # of one core: what one packet in a hundred waits for must not be company
TRIES = 8
FOR_US = ("ksoftirqd", "kworker", "jbd2")  # threads that serve our sockets and write our files: no company

Result = TypeVar("Result")


@dataclass
class Tally:
    """How the rounds of a section went."""

    taken: int = 0
    noisy: int = 0
    repeated: int = 0

    def __str__(self) -> str:
        return (
            f"{self.repeated} rounds were measured again, as other processes were busy meanwhile; "
            f"of the {self.taken} that count {self.noisy} were not quiet either"
        )


tally = Tally()  # of the section that runs


def add(other: dict[str, int]) -> None:
    """Add the tally of a process of ours."""
    tally.taken += other["taken"]
    tally.noisy += other["noisy"]
    tally.repeated += other["repeated"]


def quiet_rounds(work: Callable[[], Result], rounds: int) -> list[Result]:
    """Return the results of so many rounds, each begun in a quiet moment and repeated if it did not stay quiet.

    After `PATIENCE_S` noisy rounds count, too, and are tallied.
    """
    ends = perf_counter() + PATIENCE_S
    results = []
    for _ in range(rounds):
        quiet, result = _watched(work, ends)
        while not quiet and perf_counter() < ends:
            tally.repeated += 1
            quiet, result = _watched(work, ends)
        tally.taken += 1
        tally.noisy += not quiet
        results.append(result)
    return results


@dataclass
class Undisturbed:
    """Repeats work until no one else took more than `OTHERS_PART` of a core meanwhile; counts what came of that.

    To the nanosecond, by the scheduler's account of every thread, so that it also sees a kernel thread that now and then
    takes a core for the 4 ms in which 200 packets pile up. What counts is what others took, never our result.
    """

    runs: int = 0
    repeated: int = 0
    disturbed: int = 0

    def run(self, work: Callable[[], Result]) -> Result:
        """Return the result of the first undisturbed run, or of the last of `TRIES`."""
        self.runs += 1
        for _ in range(TRIES):
            began, before = perf_counter(), _threads_ns()
            result = work()
            others_ns = sum(ns - before.get(thread, 0) for thread, ns in _threads_ns().items())
            if others_ns <= OTHERS_PART * (perf_counter() - began) * 1e9:
                return result
            self.repeated += 1
        self.repeated -= 1
        self.disturbed += 1
        return result

    def __str__(self) -> str:
        return f"{self.repeated} of {self.runs + self.repeated} runs repeated, {self.disturbed} of the others disturbed, too"


def _threads_ns() -> dict[str, int]:
    """Return the processor time, ns, of every thread but ours, our children's and the kernel's that may work for us.

    One that begins and ends between two looks is not seen. From the first number of /proc/PID/task/TID/schedstat (Linux,
    Documentation/scheduler/sched-stats); empty elsewhere.
    """
    taken = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = stat.read_text(encoding="utf-8", errors="replace").rsplit(")", 1)
            is_ours = str(os.getpid()) in (stat.parent.name, rest.split()[1])
            if is_ours or any(f"({helper}" in name for helper in FOR_US):
                continue
            for thread in stat.parent.glob("task/*/schedstat"):
                taken[thread.parts[-2]] = int(thread.read_text(encoding="ascii").split()[0])
        except OSError:  # it has ended
            continue
    return taken


def _watched(work: Callable[[], Result], ends: float) -> tuple[bool, Result]:
    """Wait for a quiet moment and work; return whether it stayed quiet, and the result."""
    while not _quiet_while(_listen)[0] and perf_counter() < ends:
        pass
    return _quiet_while(work)


def _listen() -> None:
    """Be busy ourselves for a moment: a core that has slept begins slowly."""
    began = perf_counter()
    while perf_counter() - began < LISTEN_S:
        pass


def _quiet_while(work: Callable[[], Result]) -> tuple[bool, Result]:
    began, before = perf_counter(), _busy_s()
    result = work()
    after = _busy_s()
    if before is None or after is None:
        return True, result
    machine_s = (perf_counter() - began) * (os.cpu_count() or 1)
    return after - before <= GRAIN_S + QUIET_PART * machine_s, result


def _busy_s() -> float | None:
    """Return the processor seconds of all processes but ours and our children; None: the system does not tell.

    Interrupts are left out: those of our own sockets would be taken for company.
    """
    if not STAT.is_file():
        return None
    user, nice, system, *_, steal = map(int, STAT.read_text(encoding="ascii").split()[1:9])
    ours = os.times()
    all_s = (user + nice + system + steal) / os.sysconf("SC_CLK_TCK")
    return all_s - (ours.user + ours.system + ours.children_user + ours.children_system)
