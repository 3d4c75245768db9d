"""`myquant monitor`, `myquant health`: watch sessions, and ask how they do."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from myquant.cli.options import Assignments, ConfigFiles, examples

if TYPE_CHECKING:
    from myquant.config.loading import LoadedConfig
    from myquant.monitor.health import HealthReport

MONITOR_EXAMPLES: Final = examples(
    "myquant monitor",
    "myquant monitor --directory runs --directory archive --port 9500",
    "myquant monitor --no-dashboard",
    "myquant monitor --once",
)
HEALTH_EXAMPLES: Final = examples("myquant health", "myquant health --json", "myquant health || echo look at it")
DEGRADED_CODE: Final = 6
FAILED_CODE: Final = 7
EXIT_CODES: Final = """\b
Exit codes besides those of every command:
  0  ok
  6  degraded: a person should look some time
  7  failed: a person must act now"""

Directories: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(
        "--directory", metavar="DIR", help="A folder of runs; can be repeated; else that of results.directory."
    ),
]


def monitor(
    directories: Directories = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, metavar="N", help="Listen there; 0: any free port.")
    ] = None,
    config: ConfigFiles = None,
    assignments: Assignments = None,
    once: Annotated[
        bool, typer.Option("--once", help="Look once, print the verdict, and leave with its code.")
    ] = False,
    no_dashboard: Annotated[
        bool, typer.Option("--no-dashboard", help="Without the pages, whatever dashboard.enabled says.")
    ] = False,
) -> None:
    """Watch sessions, running and finished ones: show them, judge them, tell people.

    Only files are read: nothing that happens here reaches a session. It answers on monitor.host and monitor.port: /healthz,
    /readyz, /health, /metrics; the token for the last two is in monitor.json in its state folder. It begins the pages
    (`myquant dashboard`) as a process of their own. Ctrl-C or SIGTERM ends it.
    """
    import os

    from myquant.cli.settings import load_settings
    from myquant.monitor.service import run_monitor
    from myquant.session.notify import Notifier

    flags = {} if port is None else {"--port": f"monitor.port={port}"}
    loaded = load_settings(None, config=config, assignments=assignments, flags=flags)
    folders = folders_of(directories, loaded)
    if once:
        _answer(_own_look(loaded, folders), as_json=False)
        return
    has_pages = loaded.config.dashboard.enabled and not no_dashboard
    pages = _pages_command(folders, config, assignments) if has_pages else []
    run_monitor(loaded, folders, os.environ, Notifier.taken_from(os.environ), pages)


def health(
    directories: Directories = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with all that is known.")] = False,
    config: ConfigFiles = None,
    assignments: Assignments = None,
) -> None:
    """Print how sessions do, as the monitor says, or by a look of its own where none runs, which is degraded at least."""
    from myquant.cli.settings import load_settings
    from myquant.monitor.ask import ask_monitor, why_alone
    from myquant.monitor.folder import monitor_folder

    report = ask_monitor(monitor_folder())
    if report is None:
        loaded = load_settings(None, config=config, assignments=assignments)
        report = _own_look(loaded, folders_of(directories, loaded), why_alone(monitor_folder()))
    _answer(report, as_json=as_json)


def _pages_command(folders: list[Path], config: list[Path] | None, assignments: list[str] | None) -> list[str]:
    """Return the words that begin the pages, with the settings and the folders of this monitor."""
    import sys

    given: dict[str, Sequence[object]] = {
        "--directory": folders,
        "--config": config or [],
        "--set": assignments or [],
    }
    options = [word for option, values in given.items() for value in values for word in (option, str(value))]
    link = "--link" if sys.stderr.isatty() else "--no-link"  # at a terminal the monitor shows what the pages say
    return [sys.executable, "-m", "myquant", "dashboard", link, *options]


def folders_of(given: list[Path] | None, loaded: "LoadedConfig") -> list[Path]:
    """Return the folders of runs that are given, else that of the settings; say so where one is not there yet."""
    import sys

    folders = given or [Path(loaded.config.results.directory)]
    for each in folders:
        if not each.is_dir():
            print(f"note: {each}: no such folder of runs yet: nothing is watched there until it comes", file=sys.stderr)
    return folders


def _own_look(loaded: "LoadedConfig", folders: list[Path], why_alone: str = "") -> "HealthReport":
    """Look once; `why_alone`: why no monitor was asked; empty: it is the monitor that looks."""
    from myquant.monitor.health import health_of
    from myquant.monitor.service import clocks, look_once

    looked = look_once(loaded, folders)
    try:
        return health_of(looked, *clocks(), runs=not why_alone, why_alone=why_alone)
    finally:
        looked.close()


def _answer(report: "HealthReport", *, as_json: bool) -> None:
    """Print a report, and leave with the code of its verdict."""
    import json

    from myquant.monitor.finding import DEGRADED, FAILED, OK

    if as_json:
        print(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        for line in _lines(report):
            print(line)
    code = {OK: 0, DEGRADED: DEGRADED_CODE, FAILED: FAILED_CODE}[report["verdict"]]
    if code:
        raise typer.Exit(code)


def _lines(report: "HealthReport") -> list[str]:
    lines = [report["verdict"], *(f"  {reason}" for reason in report["reasons"])]
    for name, session in report["sessions"].items():
        facts = [session["state"]]
        if (age_s := session["heartbeat_age_s"]) is not None and session["state"] in ("running", "frozen"):
            facts.append(f"heartbeat {age_s:.1f} s ago")
        if session["state"] == "running":
            facts.append("feed stale" if session["feed"]["stale"] else "feed healthy")
        facts += [f"holds {units:,} {symbol}" for symbol, units in session["positions"].items()]
        if (pnl := session["day_pnl_rupees"]) is not None:
            facts.append(f"P&L of the day {pnl:,.2f}")
        if session["halted"]:
            facts.append(f"halted: {session['halted']}")
        lines.append(f"{name}: {session['verdict']}, {', '.join(facts)}")
    return lines
