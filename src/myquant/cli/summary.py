"""What a trader sees after a run: headline figures, exits, what was held back or refused, and where the rest is."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.table import Table

from myquant.cli.failures import DONE, Failure, tell
from myquant.cli.output import console, counts, money, places, ratio
from myquant.cli.run import Finished, Outcome
from myquant.results.summary import summary_json
from myquant.results.text import SECOND_NS, counted, date_time, listed

INDENT = "  "


def print_summary(finished: Finished, *, as_json: bool) -> None:
    """Print a run's summary for people, or as the text of summary.json."""
    figures = finished.figures
    if as_json:
        print(summary_json(figures), end="")
        return
    out = console()
    out.print(_title(figures), style="bold")
    out.print()
    out.print(_headlines(figures))
    out.print()
    if figures["exits"]:
        out.print(_exits(figures))
        out.print()
    for name, text in _remarks(finished):
        out.print(f"{INDENT}{name:<14}{text}")


def print_runs(outcomes: Sequence[Outcome], *, as_json: bool) -> int:
    """Print the runs of many files and return the worst exit code; the errors go to stderr."""
    if as_json:
        print(json.dumps({str(each.path): _as_json(each) for each in outcomes}, indent=2, ensure_ascii=False))
    else:
        out = console()
        out.print(_runs(outcomes))
        finished = [each.came for each in outcomes if isinstance(each.came, Finished)]
        for each in finished:
            for notice in each.figures["notices"]:
                out.print(f"Note on {each.folder.name}: {notice}")
        for folder in {each.folder.parent for each in finished}:
            out.print(f"Results in {folder}")
    failures = [each.came for each in outcomes if isinstance(each.came, Failure)]
    for failed in failures:
        tell(failed.lines)
    return max((failed.code for failed in failures), default=DONE)


def _title(figures: dict[str, Any]) -> str:
    symbols = figures["symbols"]
    days = [day["date"] for day in figures["days"]]
    when = days[0] if len(days) == 1 else f"{len(days)} days, {days[0]} to {days[-1]}"
    return f"{listed(symbols)}, {when}: {counted(figures['ticks']['used'], 'tick')}, strategy {figures['strategy']}"


def _headlines(figures: dict[str, Any]) -> Table:
    grid = Table.grid(padding=(0, 3, 0, 0))
    for side in ("left", "right") * 2:
        grid.add_column(justify=side)
    rows = (
        ("Net P&L", money(figures["net_pnl"]), "Trades", f"{figures['trades']:,}"),
        ("Gross P&L", money(figures["gross_pnl"]), "Win rate", ratio(figures["win_rate_percent"], " %")),
        ("Charges", money(figures["charges"]), "Profit factor", ratio(figures["profit_factor"])),
        ("Final equity", money(figures["final_equity"]), "Max. drawdown", money(figures["max_drawdown"])),
        ("Return", ratio(figures["return_percent"], " %"), "Exposure", ratio(figures["exposure_percent"], " %")),
    )
    for name, *others in rows:
        grid.add_row(INDENT + name, *others)
    return grid


def _exits(figures: dict[str, Any]) -> Table:
    grid = Table.grid(padding=(0, 3, 0, 0))
    for side in ("left", "right", "right"):
        grid.add_column(justify=side)
    grid.add_row(f"{INDENT}Exit", "Trades", "Net P&L", style="dim")
    for reason, group in figures["exits"].items():
        grid.add_row(INDENT + reason, f"{group['trades']:,}", money(group["net_pnl"]))
    return grid


def _remarks(finished: Finished) -> Iterator[tuple[str, str]]:
    """Yield what was held back, refused or left open, by name, and where the results are."""
    figures, folder = finished.figures, finished.folder
    ticks = figures["ticks"]
    yield "Held back by", counts(figures["gates"]) or "nothing"
    yield "Denied", counts(figures["denied_entries"]) or "none"
    yield "Orders", ", ".join(_order_counts(figures["orders"]))
    rejected = {reason: found for reason, found in ticks["rejected_by_reason"].items() if found["count"]}
    if not rejected:
        yield "Ticks refused", "none"
    for number, (reason, found) in enumerate(rejected.items()):
        yield "" if number else "Ticks refused", f"{reason} {found['count']:,} ({places(found['examples'])})"
    if ticks["off_grid"]:
        yield "Off the grid", f"{counted(ticks['off_grid'], 'tick')} with a price between the steps of the tick size"
    if ticks["quote_fallbacks"]:
        yield "No quote", f"{counted(ticks['quote_fallbacks'], 'exit')} at the last price instead"
    for halt in figures["halts"]:
        moment = datetime.fromisoformat(halt["time"]).timestamp()
        yield "Halted", f"{halt['reason']} at {date_time(int(moment) * SECOND_NS, ZoneInfo(figures['time_zone']))}"
    for held in figures["open_positions"]:
        kept = (
            f"{held['quantity']:,} {held['symbol']} from {money(held['entry_price'])}, last {money(held['last_price'])}"
        )
        yield "Still open", f"{kept}, P&L {money(held['open_pnl'])}"
    for notice in figures["notices"]:
        yield "Note", notice
    report = folder / "report.html"
    yield ("Report", str(report)) if report.exists() else ("Results", str(folder))


def _order_counts(orders: dict[str, int]) -> Iterator[str]:
    """Yield the counts of orders with their names."""
    yield f"{orders['sent']:,} sent"
    if orders["rejected"]:
        yield f"{orders['rejected']:,} of them refused by the broker or its exchange"
    if orders["not_sent"]:
        yield f"{orders['not_sent']:,} not sent (held back here)"


def _runs(outcomes: Sequence[Outcome]) -> Table:
    """Return a table with a row for each file, finished runs under the names of their folders."""
    grid = Table.grid(padding=(0, 3, 0, 0))
    for side in ("left", "right", "right", "right"):
        grid.add_column(justify=side)
    grid.add_row("Run", "Trades", "Charges", "Net P&L", style="dim")
    for each in outcomes:
        if isinstance(each.came, Failure):
            grid.add_row(each.path.name, "", "", "failed")
        else:
            figures = each.came.figures
            amounts = (money(figures["charges"]), money(figures["net_pnl"]))
            grid.add_row(each.came.folder.name, f"{figures['trades']:,}", *amounts)
    return grid


def _as_json(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome.came, Failure):
        return {"error": "\n".join(outcome.came.lines)}
    return outcome.came.figures
