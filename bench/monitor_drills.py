"""Drills of the monitor, timed: from a fault to its alert, to the arrival of the alert, and from the fault's end to that of its end.

The stage is that of the tests: a lab and sessions on it, a monitor, a real SMTP server and a real HTTP server. The times are
the machine's clock.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from bench import jobs
from bench.measure import Goal, Row, Section, number, spread
from bench.session_jobs import scratch_folder

sys.path.insert(0, str(jobs.ROOT / "tests"))

from monitor.drill import FLAT, HOLDING, Drill, Report, kill, on_drill, stopped
from monitor.mishaps import a_victim, fill, small_disk
from monitor.sinks import HANGS, REFUSES
from session.forks import Child
from session.stage import SECOND_NS, Lab

QUICK_ROUNDS: Final = 2
DISK_MIB: Final = 160
SETTLED_S: Final = 6.0  # a session that has run for so long is not taken for one that still connects
SOUND: Final = ("hook", "mail")
FEED: Final = {"feed__stall_s": 3, "feed__reconnect_max_s": 30}  # the defaults, which the tests' sessions change
# The disk of the drill is small; an hour's messages would be told within minutes.
SETTINGS: Final = {"monitor.disk_free_mib": 8, "alerts.off": '["log_errors"]', "alerts.per_hour": 3600}
CHANNELS: Final = {"alerts.attempt_s": 2, "alerts.retry_s": 1, "alerts.off": '["log_errors"]'}


class Taken(NamedTuple):
    """How long a fault took, s: to the alert, to its arrival, and from its end to the arrival of that."""

    found: float
    hook: float
    mail: float
    over: float


class Fault(NamedTuple):
    """A fault, and what is promised of it, s: its alert, the arrival, the arrival of its end."""

    name: str
    found_s: float
    arrived_s: float
    over_s: float


# A critical alert goes after a second in which others may join it, a warning (of the feed, as fills are simulated) and the end of any
# alert after `alerts.group_s` (2 s). A second more is for a delivery, or a look at what is weighed each second. A cut feed is silent for
# `feed.stall_s` and stale for `monitor.feed_stale_s` (3 s each). A channel is down after three attempts, with pauses of 1 and 2 s; one that hangs
# takes 2 s for each, and a new process after it. The next attempts are 4 and
# 8 s after that at most; one that is under way when the channel works again hangs on.
FAULTS: Final = {
    "held": Fault("engine killed, a position is held", 2, 4, 4),
    "flat": Fault("engine killed, nothing is held", 2, 4, 4),
    "frozen": Fault("engine frozen (SIGSTOP)", 4, 6, 4),
    "feed": Fault("feed cut, a position is held", 7, 10, 35),
    "disk": Fault("disk full", 2, 4, 5),
    "stalled": Fault("channel hangs", 12, 14, 13),
    "broken": Fault("channel answers 500", 4, 6, 10),
}


def measure(rounds: int, *, quick: bool) -> Section:
    """Play all faults, round after round."""
    count = QUICK_ROUNDS if quick else rounds
    section = Section(f"monitor-drills: from a fault to the person who is told, {count} rounds")
    taken: dict[str, list[Taken]] = {}
    for play in (_sessions, _channels):
        with scratch_folder() as folder:
            for name, each in play(folder, count):
                taken.setdefault(name, []).append(each)
    for name, fault in FAULTS.items():
        if name in taken:
            section.rows += _rows(fault, taken[name])
        else:
            section.notes.append(f"{fault.name}: not measured, no small disk can be made here")
    section.notes.append(f"lab, sessions and monitor are processes of their own on {os.cpu_count()} processors")
    return section


def _rows(fault: Fault, taken: Sequence[Taken]) -> list[Row]:
    promised = (fault.found_s, fault.arrived_s, fault.arrived_s, fault.over_s)
    names = ("alert", "at the webhook", "at the mail server", "its end, at the webhook")
    return [
        Row(
            f"{fault.name}: {name}",
            "s",
            spread(values),
            goal=Goal(bound_s, at_least=False),
            note=f"longest {number(max(values))}",
        )
        for name, bound_s, values in zip(names, promised, zip(*taken, strict=True), strict=True)
    ]


def _taken(drill: Drill, report: Report, fault_ns: int, mend: Callable[[], object]) -> Taken:
    """Mend a fault that was told, and return how long all of it took."""
    after = report.after_s(fault_ns)
    mended_ns = time.time_ns()
    mend()
    over = drill.resolved(report, channels=SOUND)
    return Taken(after["found"], after["hook"], after["mail"], (over.arrivals["hook"].wall_ns - mended_ns) / SECOND_NS)


def _sessions(folder: Path, rounds: int) -> Iterator[tuple[str, Taken]]:
    """Kill, freeze and cut off sessions, each round with new ones: an alert that comes back within a minute is the same."""
    runs = folder / "runs"
    with small_disk(runs, DISK_MIB) as has_disk, on_drill(folder, *SOUND, settings=SETTINGS) as drill:
        lab = drill.stage.lab(speed=4)
        drill.watch()
        for each in range(rounds):
            yield from _round(drill, lab, each, runs / "filler" if has_disk else None)


def _round(drill: Drill, lab: Lab, each: int, filler: Path | None) -> Iterator[tuple[str, Taken]]:
    stage, held, flat = drill.stage, f"held{each}", f"flat{each}"

    def begin_held() -> None:
        sessions[held] = stage.paper(lab, name=held, **HOLDING, **FEED)

    def begin_flat() -> None:
        sessions[flat] = stage.paper(lab, name=flat, **FLAT, **FEED)

    sessions: dict[str, Child] = {}
    begin_held()
    begin_flat()
    drill.holds(held)
    drill.is_fed(flat)
    time.sleep(SETTLED_S)

    session = sessions[held]
    with stopped(session) as fault_ns:
        report = drill.raised("engine_frozen", held)
        yield "frozen", _taken(drill, report, fault_ns, lambda: session.send(signal.SIGCONT))
    with stopped(lab.child) as fault_ns:
        report = drill.raised("feed_stale", held)
        yield "feed", _taken(drill, report, fault_ns, lambda: lab.child.send(signal.SIGCONT))
    if filler is not None:
        fault_ns = fill(filler)
        report = drill.raised("disk_low", held, subject="disk")
        yield "disk", _taken(drill, report, fault_ns, filler.unlink)
    for name, fault, begin in ((held, "held", begin_held), (flat, "flat", begin_flat)):
        fault_ns = kill(sessions[name])
        report = drill.raised("engine_dead", name)
        yield fault, _taken(drill, report, fault_ns, begin)
    for name, session in sessions.items():
        drill.is_fed(name)
        session.send(signal.SIGTERM)
        session.wait()


def _channels(folder: Path, rounds: int) -> Iterator[tuple[str, Taken]]:
    """Let channels hang and fail, each round with a new monitor."""
    for each in range(rounds):
        place = folder / str(each)
        place.mkdir()
        with (
            on_drill(place, *SOUND, "stalled", "broken", settings=CHANNELS) as drill,
            a_victim(place / "runs" / "victim") as victim,
        ):
            drill.sinks.of["stalled"].trouble, drill.sinks.of["broken"].trouble = HANGS, REFUSES
            drill.watch()
            time.sleep(SETTLED_S)
            victim.kill()
            dead = drill.raised("engine_dead", "victim", channels=SOUND)
            for name in ("broken", "stalled"):
                report = drill.raised("channel_down", subject=name, channels=SOUND)

                def mend(name: str = name) -> None:
                    drill.sinks.of[name].trouble = ""

                yield name, _taken(drill, report, dead.alert.raised_ns, mend)
