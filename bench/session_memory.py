"""Memory of a session over many ticks: anonymous pages, which is what a leak would fill. The journal's are the file's.

A process of its own takes frames as from a socket: decoder, runner, journal on disk; once in 500 the timer, at times a
snapshot. The first 4,096 commands touch the pages of their ring, 0.7 MiB, for the first time.
"""

import json
import subprocess
import sys
from pathlib import Path
from time import monotonic_ns, perf_counter
from typing import Any, Final

import numpy as np

from bench import company, jobs
from bench.measure import Goal, Row, Section, quiet_collector, spread
from bench.session_jobs import DAY_S, fresh_session, refuse_small_disk, scratch_folder, template
from bench.session_sender import HEAD, Turns

ROLLUP: Final = Path("/proc/self/smaps_rollup")
TICKS, QUICK_TICKS = 10_000_000, 1_000_000
TIMER_EVERY: Final = 500
SAMPLES: Final = 20  # the first tenth warms up
TRADES_ON: Final = {"capital.initial_capital": 10**8, "risk.max_positions_per_day": 10**5}  # all day long
GROWTH_MAX_MIB: Final = Goal(1.0, at_least=False)


def measure(rounds: int, *, quick: bool) -> Section:  # noqa: ARG001  (one long run)
    section = Section("session-memory: anonymous memory over many ticks")
    count = QUICK_TICKS if quick else TICKS
    refuse_small_disk(count)
    command = [sys.executable, "-m", "bench.session_memory", str(count)]
    answer = subprocess.run(command, cwd=jobs.ROOT, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(answer.splitlines()[-1])
    company.tally.taken += 1
    mib = np.array(found["anonymous_kib"]) / 1024
    kept = mib[len(mib) // 10 :]
    name = f"anonymous memory over {count / 1e6:.0f} M ticks"
    said = ", ".join(f"{value:.1f}" for value in mib)
    section.rows.append(
        Row(f"{name}: growth", "MiB", spread([float(kept[-1] - kept[0])]), goal=GROWTH_MAX_MIB, note=f"MiB: {said}")
    )
    section.rows.append(Row(f"{name}: most less least", "MiB", spread([float(kept.max() - kept.min())])))
    section.notes.append(
        f"{found['commands']:,} commands, {found['timers']:,} timers, {found['snapshots']} snapshots;"
        f" {count / found['seconds']:,.0f} ticks/s, the making of the packets included"
    )
    return section


def anonymous_kib() -> int:
    """Return this process's memory that no file stands behind."""
    lines = ROLLUP.read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))


def run(count: int) -> dict[str, Any]:
    with scratch_folder() as folder, fresh_session(1, TRADES_ON) as session:
        step_ms = DAY_S * 1e3 / count
        turns = Turns(np.load(template(folder, 1, 1e3 / step_ms)), 1)
        view, size = memoryview(turns.content), turns.size
        supervisor = session.supervisor
        supervisor.start()
        supervisor.on_status(1, healthy=True, reason="")
        samples, snapshots = [], 0
        began = perf_counter()
        with quiet_collector():  # as a session keeps it
            for number in range(1, count + 1):
                at = turns.make(step_ms)
                supervisor.on_frame(1, view[at + HEAD : at + size], monotonic_ns())
                if number % TIMER_EVERY == 0:
                    supervisor.on_timer()
                if number % (count // SAMPLES) == 0:
                    supervisor.save()
                    snapshots += 1
                    samples.append(anonymous_kib())
        seconds = perf_counter() - began
        if supervisor.stopping is not None or session.engine.inputs < count:
            raise RuntimeError(f"the session stopped: {supervisor.last_error}")
        commands = int(session.engine.desk[0]["account"]["commands"])
        return {
            "anonymous_kib": samples,
            "seconds": seconds,
            "commands": commands,
            "timers": count // TIMER_EVERY,
            "snapshots": snapshots,
        }


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]))))
