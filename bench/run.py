"""Measure the engine: `python -m bench.run [--quick] [SECTION...]` from the checkout's root; docs/benchmarks.md explains.

Prints a table per section and writes bench/out/results.json.
"""

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import company, jobs
from bench.measure import ROUNDS, Section, printed
from myquant.strategies.loading import default_strategy

# Each is a module here with `measure(rounds, quick=...) -> Section`.
SECTIONS = {
    "core": "bench.core",
    "shape": "bench.shape",
    "step": "bench.step",
    "strategy": "bench.user_strategy",
    "stream": "bench.stream",
    "parallel": "bench.parallel",
    "startup": "bench.startup",
    "session-steps": "bench.session_steps",
    "session-feed": "bench.session_feed",
    "session-orders": "bench.session_orders",
    "session-memory": "bench.session_memory",
    "session-recovery": "bench.session_recovery",
    "session-restarts": "bench.session_restarts",
    "session-watched": "bench.session_watched",
    "dashboard-open": "bench.dashboard_open",
    "dashboard-page": "bench.dashboard_page",
    "dashboard-load": "bench.dashboard_load",
    "monitor-drills": "bench.monitor_drills",
    "evidence-spans": "bench.spans",
    "evidence-pipeline": "bench.evidence",
    "evidence-simulations": "bench.simulations",
    "peers": "bench.against_peers",
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the engine against its limit in C, its peers and its goals.")
    parser.add_argument(
        "sections",
        nargs="*",
        metavar="SECTION",
        help=f"one or more of {', '.join(SECTIONS)}, or `session` or `evidence` for all that begin so; none: all",
    )
    parser.add_argument("--quick", action="store_true", help="fewer ticks and runs where one takes long")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds of each comparison, at least {ROUNDS}")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.sections if not _named(name)]:
        parser.error(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    if arguments.rounds < ROUNDS:
        parser.error(f"--rounds {arguments.rounds}: at least {ROUNDS}, for quartiles that mean something")
    circumstances = about(quick=arguments.quick, rounds=arguments.rounds)
    print("\n".join(f"{name}: {value}" for name, value in circumstances.items()), end="\n\n", flush=True)
    found: list[Section] = []
    for name in dict.fromkeys(name for given in arguments.sections for name in _named(given)) or SECTIONS:
        measure: Callable[..., Section] = import_module(SECTIONS[name]).measure
        company.tally = company.Tally()
        found.append(measure(arguments.rounds, quick=arguments.quick))
        found[-1].notes.append(str(company.tally))
        print(printed(found[-1]), end="\n\n", flush=True)
    path = jobs.OUT / "results.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(as_json(circumstances, found), indent=2) + "\n", encoding="utf-8")
    print(f"written: {path.relative_to(jobs.ROOT)}")


def _named(given: str) -> list[str]:
    """Return the sections of a name: `session`, `evidence`: all those that begin with it."""
    return [name for name in SECTIONS if name == given or name.startswith(f"{given}-")]


def about(*, quick: bool, rounds: int) -> dict[str, Any]:
    """Return what a figure is worth nothing without: machine, versions, date, engine, data."""
    packages = ("numpy", "numba", "llvmlite", "polars", "pyarrow")
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "cpu": f"{_cpu()}, {os.cpu_count()} cores",
        "load": f"{os.getloadavg()[0]:.1f} before the start",
        "system": f"{platform.system()} {platform.release()}, {platform.libc_ver()[0]} {platform.libc_ver()[1]}",
        "compiler": _first_line(["cc", "--version"]),
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
        "myquant": version("myquant"),
        "engine": default_strategy().engine_hash,
        "commit": _first_line(["git", "describe", "--always", "--dirty"]),
        "ticks": jobs.recorded_day()[1],
        "rounds": rounds,
        "quick": quick,
    }


def as_json(circumstances: dict[str, Any], sections: list[Section]) -> dict[str, Any]:
    return {
        "about": circumstances,
        "sections": [
            {"name": section.name, "rows": [row.as_json() for row in section.rows], "notes": section.notes}
            for section in sections
        ],
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _first_line(command: list[str]) -> str:
    try:
        answer = subprocess.run(command, cwd=jobs.ROOT, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.splitlines()[0] if answer else "unknown"


if __name__ == "__main__":
    main()
