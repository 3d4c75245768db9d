"""`myquant execution`: how the orders of a session's day were executed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from myquant.cli.options import examples

if TYPE_CHECKING:
    from rich.table import Table

    from myquant.execution.figures import Totals
    from myquant.execution.report import ExecutionReport

EXAMPLES: Final = examples(
    "myquant execution monday",
    "myquant execution monday --day 2025-10-03 --out reports",
    "myquant execution monday --json",
)


def execution(
    session: Annotated[Path, typer.Argument(metavar="SESSION", show_default=False, help="Its name, or its folder.")],
    *,
    day: Annotated[
        str | None,
        typer.Option("--day", metavar="DATE", show_default=False, help="A day of it (2025-10-03); else its last one."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON, and write no file.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            show_default=False,
            help="Where the files go, instead of the session's folder.",
        ),
    ] = None,
) -> None:
    """Say how a session's orders were executed: slippage, delays, partial fills, and what the broker has besides.

    Writes <day>.html and <day>.json into the folder execution/ of the session, which may run, be over or have been killed.
    Nothing else is touched.
    """
    from myquant.cli.output import console
    from myquant.cli.runs import WIDTH_MAX, session_folder
    from myquant.execution.files import FOLDER, json_text, write_report
    from myquant.execution.report import execution_of

    folder = session_folder(session)
    report = execution_of(folder, day)
    if as_json:
        print(json_text(report), end="")
        return
    screen = console()
    screen.width = WIDTH_MAX
    print(f"{report.session}: orders of {report.day} ({_fills(report)})")
    screen.print(_counts(report.totals))
    screen.print(_slippage(report))
    screen.print(_delays(report))
    for row in report.foreign:
        units = "" if row.units is None else f": {row.units:,} {row.symbol}".rstrip()
        print(f"not in the journal: {row.what}{units} ({row.source})")
    for trouble in report.troubles:
        print(f"note: {trouble}")
    written = write_report(report, out or folder / FOLDER)
    print(f"{written.page}, {written.table.name}")


def _fills(report: "ExecutionReport") -> str:
    from myquant.execution.report import COMPARED

    if report.is_simulated:
        return "fills are simulated"
    compared = "the simulated exchange ran beside them" if report.shadow == COMPARED else "nothing ran beside them"
    return f"fills are the broker's, {compared}"


def _grid(*names: str) -> "Table":
    from rich.table import Table

    grid = Table.grid(padding=(0, 3, 0, 0))
    for place, _ in enumerate(names):
        grid.add_column(justify="left" if place == 0 else "right")
    grid.add_row(*names, style="dim")
    return grid


def _counts(totals: "Totals") -> "Table":
    grid = _grid("Orders", "filled", "in part", "cancelled", "refused", "unknown", "at work", "fills", "partial fills")
    refused = totals.rejected + totals.not_sent + totals.not_found
    ends = (totals.orders, totals.filled, totals.part_filled, totals.cancelled, refused, totals.unknown, totals.at_work)
    grid.add_row(*(f"{count:,}" for count in (*ends, totals.fills, totals.partial_fills)))
    return grid


def _slippage(report: "ExecutionReport") -> "Table":
    from myquant.cli.output import NOTHING, ratio
    from myquant.execution.figures import AGAINST
    from myquant.execution.page import worse
    from myquant.results.text import MINUS
    from myquant.results.text import NOTHING as DASH

    grid = _grid("Slippage against", "orders", "rupees", "median, points", "p95", "max")
    for name in AGAINST:
        cost = report.totals.slippage[name]
        if name == "shadow" and report.is_simulated:
            grid.add_row("shadow", "simulated", *[NOTHING] * 4)
            continue
        rupees = worse(cost.paise).replace(MINUS, "-").replace(DASH, NOTHING)
        points = (cost.points.median, cost.points.p95, cost.points.maximum)
        grid.add_row(name, f"{cost.n:,}", rupees, *(ratio(each) for each in points))
    return grid


def _delays(report: "ExecutionReport") -> "Table":
    from myquant.cli.output import NOTHING
    from myquant.execution.page import span
    from myquant.results.text import NOTHING as DASH

    grid = _grid("Delay", "role", "orders", "median", "p95", "max")
    for role, totals in report.by_role.items():
        for name, times in totals.delays.items():
            if times.n:
                figures = (span(each).replace(DASH, NOTHING) for each in (times.median, times.p95, times.maximum))
                grid.add_row(name.replace("_", " "), role, f"{times.n:,}", *figures)
    return grid
