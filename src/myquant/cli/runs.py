"""`myquant runs`: all runs and sessions of a folder in one table."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from myquant.cli.options import examples

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from rich.table import Table

    from myquant.config.schema import Config
    from myquant.results.index import RunEntry, RunIndex

EXAMPLES: Final = examples(
    "myquant runs",
    "myquant runs --directory archive --json",
    "myquant runs --compare monday tuesday",
)
DIRECTORY: Final = "MYQUANT_RESULTS__DIRECTORY"
ZONE: Final = "MYQUANT_SESSION__TIMEZONE"
HASH_LETTERS: Final = 8
WIDTH_MAX: Final = 1000  # a table is as wide as it is: a terminal wraps it, a file has it whole

Directory: TypeAlias = Annotated[
    Path | None,
    typer.Option("--directory", metavar="DIR", help="The folder of the runs; else that of results.directory."),
]


def runs(
    directory: Directory = None,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="List the N newest only.")] = 50,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option("--compare", metavar="A B", help="Instead: two of them side by side, by their names."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with every field.")] = False,
) -> None:
    """List backtests, baselines and sessions, newest first, with what came of them; or compare two.

    A session is running, stopped (it goes on when it is started again, or it failed), killed (likewise) or done. A folder
    that can't be read is listed with the reason.
    """
    import json

    from myquant.cli.output import console
    from myquant.evidence.report import load
    from myquant.results.index import list_runs
    from myquant.session.operator import is_running

    if compare is not None:
        from myquant.cli.runs_print import print_comparison

        print_comparison(runs_directory(directory), compare, as_json=as_json)
        return
    index = list_runs(runs_directory(directory), is_running, load, limit=limit)
    if as_json:
        print(json.dumps(_as_json(index), indent=2, ensure_ascii=False))
        return
    out = console()
    out.width = WIDTH_MAX
    if not index.entries:
        out.print("no runs yet")
        return
    out.print(_table(index.entries))
    for entry in index.entries:
        if entry.reason:
            out.print(f"{entry.name}: {entry.reason}")
    if index.total > len(index.entries):
        out.print(f"{len(index.entries):,} of {index.total:,} listed: --limit lists more")


def runs_directory(given: Path | None) -> Path:
    """Return the folder of the runs: as given, else as configured.

    Only this one setting is read, so that a mistake in another keeps nobody from halting a session.
    """
    return given if given is not None else Path(_configured(DIRECTORY).results.directory)


def screen_zone() -> "ZoneInfo":
    """Return the zone of the times on a screen, likewise."""
    from zoneinfo import ZoneInfo

    return ZoneInfo(_configured(ZONE).session.timezone)


def _configured(variable: str) -> "Config":
    import os

    from myquant.config.loading import load_config

    environment = {variable: os.environ[variable]} if variable in os.environ else {}
    return load_config(environment=environment).config


def session_folder(given: Path) -> Path:
    """Return the folder of a session by its path, else by its name in the folder of the runs."""
    if given.exists():
        return given
    named = runs_directory(None) / given
    return named if named.is_dir() else given


def _as_json(index: "RunIndex") -> dict[str, Any]:
    from dataclasses import asdict

    return {"total": index.total, "runs": [asdict(entry) for entry in index.entries]}


def _table(entries: "list[RunEntry]") -> "Table":
    from rich.table import Table

    from myquant.cli.output import NOTHING, money
    from myquant.results.text import listed

    grid = Table.grid(padding=(0, 3, 0, 0))
    columns = ("Run", "Kind", "Symbols", "Days", "State", "Ticks", "Trades", "Net P&L", "Max. drawdown", "Config")
    for name in columns:
        grid.add_column(justify="right" if name in {"Ticks", "Trades", "Net P&L", "Max. drawdown"} else "left")
    grid.add_row(*columns, style="dim")
    for entry in entries:
        counts = (NOTHING if count is None else f"{count:,}" for count in (entry.ticks, entry.trades))
        grid.add_row(
            entry.name,
            entry.kind or NOTHING,
            listed(entry.symbols, 2) or NOTHING,
            _days(entry.days) or NOTHING,
            entry.state,
            *counts,
            money(entry.net_pnl),
            money(entry.max_drawdown),
            (entry.config_hash or NOTHING)[:HASH_LETTERS],
        )
    return grid


def _days(days: tuple[str, ...]) -> str:
    return " to ".join(dict.fromkeys((days[0], days[-1]))) if days else ""
