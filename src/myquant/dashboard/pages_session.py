"""The page of one session: how it stands, its pictures, its orders, what it refused, what is wrong, and its events."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from fastapi import Request
from nicegui import ui

from myquant.dashboard.charts import DARK, LIGHT, Palette, mark_text
from myquant.dashboard.components import Cell, Facts, LiveTable, LiveText, Row, heading, light, pnl
from myquant.dashboard.figures import age, clock, count, gain, rupees
from myquant.dashboard.frame import THEME, Frame, Site, page_frame
from myquant.dashboard.limits import limits_used
from myquant.dashboard.pages_overview import finding_row, last_price, positions
from myquant.dashboard.session_charts import LatencyPicture, Picture, PnlPicture, PricePicture, Range
from myquant.dashboard.session_log import LogPart
from myquant.dashboard.trace import Trace
from myquant.dashboard.trace_rows import DENIED, REJECTED, SECOND_NS, STAGES
from myquant.dashboard.traces import Traces
from myquant.monitor.faults import is_simulated
from myquant.monitor.health import RUNNING, state_of
from myquant.monitor.metrics import feed_age_s
from myquant.monitor.view import OrderView, SessionView
from myquant.results.text import NOTHING, label

Part = Callable[[Frame, str], None]  # makes one more part of the page of a session by this name

ALL_DAYS: Final = "all days"
EVER: Final = Range(0, 2**62)
ORDERS_MAX: Final = 100
TRADES_MAX: Final = 100
IS_DARK: Final = "document.body.classList.contains('body--dark')"
ANSWER_S: Final = 5.0
STAGE_TEXTS: Final = {
    "total": "whole tick",
    "decode": "decoding",
    "decide": "decision, no order",
    "order": "decision and order",
    "feed": "exchange to us",
}


def register(site: Site, parts: Sequence[Part] = ()) -> None:
    """Serve the page. `parts`: what else stands on it, behind the orders."""
    traces = Traces()

    @ui.page("/session/{name}")
    def session(request: Request, name: str) -> None:
        with page_frame(site, request, f"Session {name}") as frame:
            build_session(frame, name, traces, request.cookies.get(THEME, ""), parts)


def build_session(frame: Frame, name: str, traces: Traces, theme: str, parts: Sequence[Part] = ()) -> None:
    """Make the page of a session. `theme`: light, dark, or as the browser has it."""
    if name not in frame.watch.views:
        ui.label(f"No session is called {name} in the folders that are watched.")
        return
    view = frame.watch.views[name]
    _build_facts(frame, name)
    _Pictures(frame, name, traces, theme)
    heading("Orders")
    with ui.element("div").classes("cards"):
        orders = LiveTable(ORDER_COLUMNS, "Orders, newest first", "No order was sent yet.")
    frame.each_update.append(lambda: orders.show(order_rows(frame.watch.views.get(name, view), frame.zone)))
    for part in parts:
        part(frame, name)
    heading("What is wrong")
    with ui.element("div").classes("cards"):
        faults = LiveTable(("Severity", "Of", "What", "What to do"), "Findings of the last look", "Nothing is wrong.")
    frame.each_update.append(lambda: faults.show([finding_row(each) for each in frame.watch.findings_of(name)]))
    heading("Events")
    LogPart(view.folder, frame.zone, float(frame.site.loaded.config.dashboard.update_s))


def _build_facts(frame: Frame, name: str) -> None:
    facts, gone = Facts(), LiveText("p")

    def show() -> None:
        view = frame.watch.views.get(name)
        gone.show("" if view is not None else Cell("The session's folder is gone.", style="failed"))
        if view is not None:
            facts.show(facts_of(view, frame.watch.verdict_of(name), frame.watch.monotonic_ns(), frame.zone))

    frame.each_update.append(show)


def facts_of(view: SessionView, verdict: str, mono_ns: int, zone: ZoneInfo) -> dict[str, Cell | str]:
    """Return how a session stands. `mono_ns`: the monotonic clock."""
    state, ledger = state_of(view), view.ledger
    halt = Cell(f"■ {label(view.halt)}, since {clock(view.halt_since_ns, zone)}", style="degraded")
    return {
        "Health": light(verdict),
        "State": state,
        "Fills": "simulated" if is_simulated(view) else "REAL ORDERS",
        "Position": positions(view),
        "P&L of the day, Rs": pnl(gain(None if ledger is None else ledger.day_pnl)),
        "Drawdown, Rs": rupees(None if ledger is None else ledger.drawdown),
        "Last price, Rs": "; ".join(map(last_price, view.instruments)),
        "Feed age": age(feed_age_s(view, mono_ns)) if state == RUNNING else NOTHING,
        "Entries": halt if view.halt else "allowed",
        "Orders": count(view.order_ends["sent"]),
        "Limits used": "; ".join(limits_used(view)) or "none is set",
    }


ORDER_COLUMNS: Final = (
    "Sent", "Instrument", "Side", "Role", "#Units", "#Filled", "#Decided at, Rs", "#Filled at, Rs", "State",
)  # fmt: skip


def order_rows(view: SessionView, zone: ZoneInfo) -> list[Row]:
    """Return the newest orders of a session."""
    newest = sorted(view.orders.values(), key=lambda order: -order.order_id)[:ORDERS_MAX]
    return [(str(order.order_id), _order_cells(view, order, zone)) for order in newest]


def _order_cells(view: SessionView, order: OrderView, zone: ZoneInfo) -> tuple[Cell | str, ...]:
    role = "stop order" if order.trigger else label(order.reason) if order.reason else "entry"
    return (
        clock(order.sent_wall_ns or None, zone),
        view.symbol_of(order.instrument),
        "buy" if order.is_buy else "sell",
        role,
        count(order.quantity),
        count(order.filled),
        rupees(order.trigger or order.price),
        rupees(order.value // order.filled if order.filled else None),
        order.state,
    )


def refusal_rows(trace: Trace) -> list[Row]:
    """Return what was refused, by reason, and when the last time was."""
    rows: list[Row] = []
    for what, name in ((DENIED, "entry denied"), (REJECTED, "tick not used")):
        for each in trace.refused(what):
            cells = (name, label(each.reason), count(each.times), clock(each.last_ns, trace.zone))
            rows.append((f"{what}/{each.reason}", cells))
    return rows


def trade_rows(trace: Trace) -> list[Row]:
    """Return the newest entries and exits."""
    return [
        (
            f"{len(trace.marks) - place}/{mark.time_ns}",
            (
                clock(mark.time_ns, trace.zone),
                trace.symbols[mark.instrument] if 0 <= mark.instrument < len(trace.symbols) else NOTHING,
                mark_text(mark),
                count(mark.quantity),
                rupees(mark.price),
                pnl(gain(mark.net)),
            ),
        )
        for place, mark in enumerate(list(trace.marks)[: -TRADES_MAX - 1 : -1])
    ]


def range_of(day: str, zone: ZoneInfo) -> Range:
    """Return the range of a day, as `2025-10-03`, or of ALL_DAYS."""
    if day == ALL_DAYS:
        return EVER
    begin, end = (
        datetime.combine(date.fromisoformat(day) + timedelta(days), time(), zone).timestamp() for days in (0, 1)
    )
    return Range(int(begin) * SECOND_NS, int(end) * SECOND_NS - 1)


class _Pictures:
    """The pictures, once the journal was read, and what else is taken from its trace."""

    def __init__(self, frame: Frame, name: str, traces: Traces, theme: str) -> None:
        self._frame, self._name, self._traces = frame, name, traces
        self._palette: Palette | None = {"dark": DARK, "light": LIGHT}.get(theme)
        self._pictures: list[Picture] = []
        self._said = LiveText("p", "empty")
        self._place = ui.element("div")
        heading("Entries and exits")
        with ui.element("div").classes("cards"):
            columns = ("At", "Instrument", "What", "#Units", "#Price, Rs", "#Net, Rs")
            self._trades = LiveTable(columns, "Entries and exits, newest first", "Nothing was entered yet.")
        heading("Refused")
        with ui.element("div").classes("cards"):
            self._refused = LiveTable(
                ("What", "Reason", "#Times", "Last"),
                "Entries denied and ticks not used, by reason",
                "Nothing was refused.",
            )
        if self._palette is None:
            ui.timer(0.1, self._ask_theme, once=True)
        frame.each_update.append(self._update)

    async def _ask_theme(self) -> None:
        try:
            is_dark = await ui.run_javascript(IS_DARK, timeout=ANSWER_S)
        except TimeoutError:
            is_dark = False
        self._palette = DARK if is_dark else LIGHT

    def _update(self) -> None:
        view = self._frame.watch.views.get(self._name)
        if view is None or self._palette is None:
            return
        trace, text = self._traces.look(view.folder, self._frame.watch.monotonic_ns())
        self._said.show(text)
        if trace is None:
            return
        if self._pictures:
            for picture in self._pictures:
                picture.update(trace)
        else:
            with self._place:
                self._build(trace, self._palette)
        self._trades.show(trade_rows(trace))
        self._refused.show(refusal_rows(trace))

    def _build(self, trace: Trace, palette: Palette) -> None:
        days = [str(day) for day in trace.days()]
        whole = range_of(days[-1], trace.zone) if days else EVER
        if len(days) > 1:
            chosen = ui.select([*days, ALL_DAYS], value=days[-1], label="Day")
            chosen.on_value_change(lambda event: self._show_day(trace, str(event.value)))
        for instrument, symbol in enumerate(trace.symbols):
            heading(f"Price of {symbol}")
            self._add(PricePicture(trace.zone, palette, whole, instrument), trace)
        heading("P&L of the day and drawdown")
        self._add(PnlPicture(trace.zone, palette, whole), trace)
        heading("Latency by minute")
        latency = LatencyPicture(trace.zone, palette, EVER, "total")
        stages = {stage: STAGE_TEXTS[stage] for stage in STAGES}
        stage = ui.select(stages, value="total", label="Stage").style("max-width: 16rem")
        stage.on_value_change(lambda event: latency.show_stage(trace, str(event.value)))
        self._add(latency, trace)

    def _add(self, picture: Picture, trace: Trace) -> None:
        picture.build(trace)
        self._pictures.append(picture)

    def _show_day(self, trace: Trace, day: str) -> None:
        for picture in self._pictures:
            picture.show(trace, range_of(day, trace.zone))
