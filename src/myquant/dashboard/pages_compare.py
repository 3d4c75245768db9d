"""The page of two runs side by side."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from fastapi import Request
from nicegui import ui

from myquant.dashboard.charts import Palette
from myquant.dashboard.components import Cell, Facts, LiveTable, heading, light, pnl
from myquant.dashboard.figures import duration, rupees
from myquant.dashboard.frame import Frame, Site, page_frame, part_timer
from myquant.dashboard.pages_evidence import WAIT_S
from myquant.dashboard.pages_runs import compare_url, run_url
from myquant.dashboard.runs import ListedRun
from myquant.dashboard.runs_charts import equity_chart
from myquant.dashboard.runs_compare import Comparison, compare_runs, figure_text
from myquant.dashboard.runs_journal import StageTimes
from myquant.dashboard.runs_read import RunTrade, read_content
from myquant.dashboard.runs_trades import ROWS_MAX, TradePair
from myquant.dashboard.themes import ask_palette
from myquant.errors import MyquantError
from myquant.evidence.compare import IMPROVEMENT, REGRESSION, Line
from myquant.evidence.text import number
from myquant.monitor.finding import FAILED, OK
from myquant.results.text import NOTHING, counted, date_time, signed

COMPARED_MAX: Final = 2  # comparisons at a time, of all who look: a long session takes seconds
FIGURES: Final = ("Figure", "Unit", "#A", "#B", "#B less A")
TRADES: Final = ("What", "Symbol", "Entry", "A", "B", "Differs in")
SETTINGS: Final = ("Setting", "A", "B", "Decides what is traded")
LATENCY: Final = ("Stage", "#n A", "#n B", "#p50 A", "#p50 B", "#p99 A", "#p99 B", "#p99.9 A", "#p99.9 B")
BASELINES: Final = ("What", "Unit", "#A", "#B", "#Change, %", "99 % interval", "Verdict", "Note")
FIELDS: Final = {
    "exit_ns": "time of the exit",
    "quantity": "quantity",
    "entry_price": "entry price",
    "exit_price": "exit price",
    "net": "net P&L",
    "reason": "reason",
}


def register(site: Site) -> None:
    """Serve the page."""
    comparing = asyncio.Semaphore(COMPARED_MAX)

    @ui.page("/runs/compare")
    def compare(request: Request, a: str = "", b: str = "") -> None:
        with page_frame(site, request, "Two runs") as frame:
            box = ui.element("div")
            with box:
                ui.label("The runs are being read.")

            async def begin() -> None:
                if site.runs.refreshed_ns:
                    timer.cancel()
                    await _fill(frame, box, (a, b), await ask_palette(request), comparing)

            timer = part_timer(WAIT_S, begin)


def compare_listed(a: ListedRun, b: ListedRun) -> Comparison:
    """Read and compare two runs of the list: for a worker thread, as a long session takes seconds."""
    return compare_runs(read_content(a.key, a.entry), read_content(b.key, b.entry))


async def compared(a: ListedRun, b: ListedRun, comparing: asyncio.Semaphore) -> Comparison:
    """Compare two runs beside the pages, as many at a time as the semaphore lets. Raises MyquantError."""
    async with comparing:
        return await asyncio.to_thread(compare_listed, a, b)


async def _fill(
    frame: Frame, box: ui.element, keys: tuple[str, str], palette: Palette, comparing: asyncio.Semaphore
) -> None:
    a, b = map(frame.site.runs.book.find, keys)
    found: Comparison | None = None
    problem = "One of these runs is not there: choose two from the list."
    if a is not None and b is not None:
        try:
            found = await compared(a, b, comparing)
        except MyquantError as error:
            problem = str(error)
    box.clear()
    with box:
        if found is None:
            ui.label(problem)
            ui.link("All runs", "/runs")
            return
        _show(found, frame, palette)


def _show(found: Comparison, frame: Frame, palette: Palette) -> None:
    Facts().show(
        {
            "A": Cell(found.a, run_url(found.a)),
            "B": Cell(found.b, run_url(found.b)),
            "Swap": Cell("B with A", compare_url(found.b, found.a)),
            "Difference": light(OK, "none in what could be compared") if found.is_same else light("", "they differ"),
        }
    )
    notes = [*found.notes, *(found.baselines.notes if found.baselines is not None else ())]
    if notes:
        with ui.element("ul"):
            for note in notes:
                with ui.element("li"):
                    ui.label(note)
    _part("Figures", found, "figures", lambda: _figures(found))
    _part("P&L and drawdown", found, "equity", lambda: _curves(found, palette))
    _part("Trades", found, "trades", lambda: _trades(found, frame))
    _part("Settings that differ", found, "settings", lambda: _settings(found))
    _part("Latency by stage", found, "latency", lambda: _latency(found))
    if found.baselines is not None:
        heading("Component by component")
        caption = "Two baselines: BASE is A, NEW is B"
        _table(BASELINES, caption, [_baseline_row(line) for line in found.baselines.lines])


def _part(name: str, found: Comparison, what: str, show: Callable[[], None]) -> None:
    heading(name)
    if what in found.why_not:
        ui.label(found.why_not[what]).classes("is-quiet")
    else:
        show()


def _table(columns: Sequence[str], caption: str, rows: Sequence[Sequence[Cell | str]], empty: str = "none") -> None:
    with ui.element("div").classes("cards"):
        LiveTable(columns, caption, empty).show([(str(place), row) for place, row in enumerate(rows)])


def _figures(found: Comparison) -> None:
    rows: list[Sequence[Cell | str]] = [
        (
            line.name,
            line.unit,
            figure_text(line.a, line.unit),
            figure_text(line.b, line.unit),
            figure_text(line.difference, line.unit, is_signed=True),
        )
        for line in found.figures
    ]
    _table(FIGURES, "Headline figures", rows)


def _curves(found: Comparison, palette: Palette) -> None:
    if found.curves is not None:
        ui.echart(equity_chart(found.curves, palette)).classes("chart").style("height: 440px; width: 100%")


def _trades(found: Comparison, frame: Frame) -> None:
    trades = found.trades
    if trades is None:
        return
    zone = ZoneInfo(found.curves.time_zone) if found.curves is not None else frame.zone
    ui.label(
        f"{counted(trades.same, 'trade')} the same; {trades.different:,} with another exit or entry price;"
        f" {trades.only_a:,} only in A; {trades.only_b:,} only in B"
        + (f"; the first {ROWS_MAX} are listed" if trades.unequal > ROWS_MAX else "")
    )
    _table(TRADES, "Trades that are not the same", [_trade_row(pair, zone) for pair in trades.pairs])


def _trade_row(pair: TradePair, zone: ZoneInfo) -> Sequence[Cell | str]:
    entry = pair.a or pair.b
    if entry is None:
        raise MyquantError("a pair of trades has one at least: report it")
    return (
        pair.what,
        entry.symbol,
        date_time(entry.entry_ns, zone),
        _trade_text(pair.a, zone),
        _trade_text(pair.b, zone),
        ", ".join(FIELDS[name] for name in pair.differs) or NOTHING,
    )


def _trade_text(trade: RunTrade | None, zone: ZoneInfo) -> Cell:
    if trade is None:
        return Cell(NOTHING)
    net = signed(trade.net / 100)
    text = f"{trade.quantity:,} at {rupees(trade.entry_price)}, out at {rupees(trade.exit_price)}"
    return Cell(f"{text} {date_time(trade.exit_ns, zone)[11:]}, {trade.reason}: {net}", style=pnl(net).style)


def _settings(found: Comparison) -> None:
    rows: list[Sequence[Cell | str]] = [
        (change.name, change.a, change.b, "yes" if change.decides else "no") for change in found.settings or ()
    ]
    _table(SETTINGS, "Settings", rows, "No setting differs.")


def _latency(found: Comparison) -> None:
    rows: list[Sequence[Cell | str]] = []
    for line in found.latency or ():
        sides = (line.a, line.b)
        cells = [_time(side, name) for name in ("p50", "p99", "p99_9") for side in sides]
        rows.append((line.stage, *(NOTHING if side is None else f"{side.n:,}" for side in sides), *cells))
    _table(LATENCY, "Latency", rows)


def _time(side: StageTimes | None, name: str) -> str:
    return NOTHING if side is None else duration(getattr(side, name))


def _baseline_row(line: Line) -> Sequence[Cell | str]:
    known = line.low_percent is not None and line.high_percent is not None
    verdicts = {REGRESSION: light(FAILED, line.verdict), IMPROVEMENT: light(OK, line.verdict)}
    return (
        line.name,
        line.unit,
        *(NOTHING if value is None else number(value) for value in (line.base, line.new)),
        signed(line.change_percent),
        f"{signed(line.low_percent)} to {signed(line.high_percent)}" if known else NOTHING,
        verdicts.get(line.verdict, Cell(line.verdict)),
        line.note,
    )
