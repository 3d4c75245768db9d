"""The page of one session: how it stands, its pictures, its orders, what it refused, what is wrong, and its events."""

from contextlib import suppress
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from fastapi import Request
from nicegui import ui

from myquant.dashboard.charts import Palette, mark_text
from myquant.dashboard.components import ROWS_SHOWN, Cell, Facts, LiveTable, LiveText, Row, heading, pnl
from myquant.dashboard.figures import age, count, gain, moment, rupees
from myquant.dashboard.frame import Frame, Site, page_frame, part_timer
from myquant.dashboard.known import is_being_read, known_ledger, stands_still
from myquant.dashboard.limits import limits_used
from myquant.dashboard.page_controls import build_controls
from myquant.dashboard.pages_overview import (
    day_pnl,
    finding_row,
    health,
    last_price,
    orders_sent,
    positions,
    state_text,
)
from myquant.dashboard.session_charts import EVER, LatencyPicture, Picture, PnlPicture, PricePicture, Range
from myquant.dashboard.session_evidence import EvidencePart
from myquant.dashboard.session_log import LogPart
from myquant.dashboard.session_orders import OrdersPart
from myquant.dashboard.themes import ask_palette, palette_of
from myquant.dashboard.trace import Outline, Span, Trace, outline_of
from myquant.dashboard.trace_rows import DENIED, REJECTED, SECOND_NS, STAGES
from myquant.dashboard.traces import OPENING
from myquant.errors import MyquantError
from myquant.monitor.faults import is_simulated
from myquant.monitor.health import RUNNING, state_of
from myquant.monitor.metrics import feed_age_s
from myquant.monitor.view import SessionView
from myquant.results.index import RunEntry
from myquant.results.text import NOTHING, grouped, label, listed, signed
from myquant.session.archive import is_session

ALL_DAYS: Final = "all days"
ORDERS_MAX: Final = 100
TRADES_MAX: Final = 100
SPANS_MAX: Final = 50
LONG: Final = "max-height: 28rem; overflow-y: auto"  # of a table that may be
SOON_S: Final = 0.1
STAGE_TEXTS: Final = {
    "total": "whole tick",
    "decode": "decoding",
    "decide": "decision, no order",
    "order": "decision and order",
    "feed": "exchange to us",
}


class Found(NamedTuple):
    """Where a session is, and what it is made of."""

    folder: Path
    config_hash: str | None
    engine_hash: str | None


def register(site: Site) -> None:
    """Serve the page."""

    @ui.page("/session/{name:path}")
    def session(request: Request, name: str) -> None:
        with page_frame(site, request, f"Session {name}") as frame:
            build_session(frame, request, name)


def build_session(frame: Frame, request: Request, name: str) -> None:
    """Make the page of a session."""
    found = find_session(frame.site, name)
    if found is None:
        _build_missing(frame, name)
        return
    build_controls(frame, lambda: frame.watch.views.get(name))
    _build_facts(frame, name)
    pictures = _Pictures(frame, request, found.folder)
    pictures.orders = OrdersPart(name, frame.zone)
    heading("What is wrong")
    with ui.element("div").classes("cards"):
        faults = LiveTable(("Severity", "Of", "What", "What to do"), "Findings of the last look", "Nothing is wrong.")

    def show_faults() -> None:
        if frame.watch.looked_ns:
            faults.show([finding_row(each) for each in frame.watch.findings_of(name)])

    frame.each_update.append(show_faults)
    EvidencePart(frame, name, *found)
    heading("Events")
    LogPart(found.folder, frame.zone, float(frame.site.loaded.config.dashboard.update_s))


def _build_missing(frame: Frame, name: str) -> None:
    """Say that there is no such session; where the folders were not read yet that is not known, and the page is made again."""
    site = frame.site
    if site.watch.looked_ns and site.runs.refreshed_ns:
        ui.label(f"No session is called {name} in the folders of runs.")
        ui.link("All runs", "/runs")
        return
    ui.label("The folders are being read.")

    def look() -> None:
        if find_session(site, name) is not None or (site.watch.looked_ns and site.runs.refreshed_ns):
            timer.cancel()
            ui.navigate.reload()

    timer = part_timer(SOON_S, look)


def find_session(site: Site, name: str) -> Found | None:
    """Return where a session is, be it one that is watched, or one that has left long ago and is in the list of runs."""
    view = site.watch.views.get(name)
    if view is not None:
        return Found(view.folder, view.config_hash or None, view.engine_hash)
    row = site.runs.book.find(name)
    if row is None or not is_session(row.folder):
        return None
    return Found(row.folder, row.entry.config_hash, row.entry.engine_hash)


def _build_facts(frame: Frame, name: str) -> None:
    facts, gone = Facts(), LiveText("p")

    def show() -> None:
        view = frame.watch.views.get(name)
        row = frame.site.runs.book.find(name) if view is None else None
        gone.show("" if view or row else Cell("The session's folder is gone.", style="failed"))
        if view is not None:
            facts.show(facts_of(view, frame.watch.verdict_of(name), frame.watch.monotonic_ns(), frame.zone))
        elif row is not None:
            facts.show(past_facts(row.entry))

    frame.each_update.append(show)


def past_facts(entry: RunEntry) -> dict[str, Cell | str]:
    """Return what is known of a session that has left too long ago to be watched."""
    return {
        "State": f"{entry.state}, not watched any more",
        "Kind": entry.kind or NOTHING,
        "Days": listed(entry.days) or NOTHING,
        "Trades": count(entry.trades),
        "Net P&L, Rs": pnl(signed(entry.net_pnl)),
        "Max. drawdown, Rs": grouped(entry.max_drawdown),
    }


def facts_of(view: SessionView, verdict: str, mono_ns: int, zone: ZoneInfo) -> dict[str, Cell | str]:
    """Return how a session stands. `mono_ns`: the monotonic clock."""
    state, ledger = state_of(view), known_ledger(view)
    is_known = not (view.damage or is_being_read(view))
    is_awake = state == RUNNING and not is_being_read(view) and not stands_still(view)
    halt = Cell(
        f"■ halted: {label(view.halt).lower()}, since {moment(view.halt_since_ns, zone, is_dated=True)}",
        style="degraded",
    )
    return {
        "Health": health(view, verdict),
        "State": state_text(view),
        "Fills": "simulated" if is_simulated(view) else "REAL ORDERS",
        "Position": positions(view),
        "P&L of the day, Rs": day_pnl(view),
        "Drawdown, Rs": rupees(None if ledger is None else ledger.drawdown),
        "Last price, Rs": "; ".join(map(last_price, view.instruments)),
        "Feed age": age(feed_age_s(view, mono_ns)) if is_awake else NOTHING,
        "Entries": NOTHING if not is_known else halt if view.halt else "allowed" if is_awake else NOTHING,
        "Orders": orders_sent(view),
        "Limits used": "; ".join(limits_used(view)) or "none is set",
    }


def refusal_rows(trace: Trace) -> list[Row]:
    """Return what was refused, by reason, and when the last time was."""
    rows: list[Row] = []
    is_dated = trace.has_days
    for what, name in ((DENIED, "entry denied"), (REJECTED, "tick not used")):
        for each in trace.refused(what):
            cells = (name, label(each.reason), count(each.times), moment(each.last_ns, trace.zone, is_dated=is_dated))
            rows.append((f"{what}/{each.reason}", cells))
    return rows


def span_rows(trace: Trace) -> list[Row]:
    """Return the newest halts of entries and outages of the feed."""
    is_dated = trace.has_days
    kinds = (("entries halted", trace.halts), ("feed stale", trace.outages))
    spans = sorted(
        ((span.from_ns, name, span) for name, known in kinds for span in known),
        key=lambda each: (each[0] if each[2].to_ns is None else min(each[0], each[2].to_ns), each[1]),
        reverse=True,
    )[:SPANS_MAX]
    return [
        (
            f"{name}/{span.reason}/{from_ns}",
            (
                name,
                label(span.reason) or NOTHING,
                _begin_of(span, trace.zone, is_dated=is_dated),
                "it goes on" if span.to_ns is None else moment(span.to_ns, trace.zone, is_dated=is_dated),
            ),
        )
        for from_ns, name, span in spans
    ]


def _begin_of(span: Span, zone: ZoneInfo, *, is_dated: bool) -> str:
    """Return when a stretch of time began: before the exchange's clock was known it was stamped by the machine's, which may show another day."""
    if span.to_ns is not None and span.from_ns > span.to_ns:
        return "before the first packet"
    return moment(span.from_ns, zone, is_dated=is_dated)


def trade_rows(trace: Trace) -> list[Row]:
    """Return the newest entries and exits."""
    is_dated = trace.has_days
    return [
        (
            f"{len(trace.marks) - place}/{mark.time_ns}",
            (
                moment(mark.time_ns, trace.zone, is_dated=is_dated),
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
    """The pictures, empty until the journal was read, and what else is taken from its trace."""

    def __init__(self, frame: Frame, request: Request, folder: Path) -> None:
        self.orders: OrdersPart | None = None
        self._frame, self._folder, self._traces = frame, folder, frame.site.traces
        self._palette: Palette | None = None
        self._outline: Outline | None = None  # of what the pictures were made for
        self._trace: Trace | None = None  # that they show
        self._pictures: list[Picture] = []
        self._days: list[str] = []  # that can be chosen
        self._day = ""  # that is shown
        self._said = LiveText("p", "empty")
        self._said.show(self._traces.look(folder, frame.watch.monotonic_ns()).text)
        self._place = ui.element("div")
        self._build_tables()
        palette = palette_of(request)
        if palette is None:
            part_timer(0, lambda: self._ask(request), once=True)
        else:
            self._begin(palette)
        self._soon = part_timer(SOON_S, self._update)  # till there is all to see; then with all else on the page
        frame.each_update.append(self._update)

    async def _ask(self, request: Request) -> None:
        self._begin(await ask_palette(request))

    def _begin(self, palette: Palette) -> None:
        """Make the pictures before anything is known but what they are of."""
        self._palette = palette
        with suppress(MyquantError, OSError):  # the trace says what is wrong
            self._build(outline_of(self._folder), palette)

    def _build_tables(self) -> None:
        heading("Entries and exits")
        with ui.element("div").classes("cards").style(LONG):
            columns = ("At", "Instrument", "What", "#Units", "#Price, Rs", "#Net, Rs")
            self._trades = LiveTable(
                columns, "Entries and exits, newest first", "Nothing was entered yet.", most=ROWS_SHOWN
            )
        heading("Halts and outages")
        with ui.element("div").classes("cards"):
            self._spans = LiveTable(
                ("What", "Why", "From", "To"),
                "Halts of entries and outages of the feed, newest first",
                "None.",
                most=ROWS_SHOWN,
            )
        heading("Refused")
        with ui.element("div").classes("cards"):
            self._refused = LiveTable(
                ("What", "Reason", "#Times", "Last"),
                "Entries denied and ticks not used, by reason",
                "Nothing was refused.",
            )

    def _update(self) -> None:
        trace, text, reading = self._traces.look(self._folder, self._frame.watch.monotonic_ns())
        self._said.show(text)
        if trace is None or self._palette is None:
            if text != OPENING:  # it can't be opened: that is tried again seldom
                self._soon.cancel()
            return
        if trace is not self._trace:  # the first, or of another session of the same name
            self._trace = trace
            if trace.outline != self._outline:
                self._build(trace.outline, self._palette)
            self._days, self._day = [], ""
            self._follow_days(trace)
            return  # the browser draws them first; the tables come a moment later
        self._soon.cancel()
        if not self._follow_days(trace):
            for picture in self._pictures:
                picture.update()
        self._trades.show(trade_rows(trace))
        self._spans.show(span_rows(trace))
        self._refused.show(refusal_rows(trace))
        if self.orders is not None and reading is not None:
            self.orders.show(reading, self._palette)

    def _build(self, outline: Outline, palette: Palette) -> None:
        self._outline, self._pictures = outline, []
        self._place.clear()
        with self._place:
            self._choice = ui.element("div")
            for instrument, symbol in enumerate(outline.symbols):
                heading(f"Price of {symbol}")
                self._add(PricePicture(outline.zone, palette, instrument, symbol))
            heading("P&L of the day and drawdown")
            self._add(PnlPicture(outline.zone, palette))
            heading("Latency by minute")
            latency = LatencyPicture(outline.zone, palette, "total")
            stages = {stage: STAGE_TEXTS[stage] for stage in STAGES}
            stage = ui.select(stages, value="total", label="Stage").style("max-width: 16rem")
            stage.on_value_change(lambda event: latency.show_stage(str(event.value)))
            self._add(latency)

    def _add(self, picture: Picture) -> None:
        picture.build()
        self._pictures.append(picture)

    def _follow_days(self, trace: Trace) -> bool:
        """Let one choose of a trace's days; draw the last one where that was shown, and return whether it was drawn."""
        days = [str(day) for day in trace.days()]
        if days == self._days and self._day:
            return False
        was_last = self._day == (self._days[-1] if self._days else ALL_DAYS) or not self._day
        self._days = days
        shown = (days[-1] if days else ALL_DAYS) if was_last or self._day not in {*days, ALL_DAYS} else self._day
        self._choice.clear()
        if len(days) > 1:
            with self._choice:
                chosen = ui.select([*days, ALL_DAYS], value=shown, label="Day")
            chosen.on_value_change(lambda event: self._show_day(trace, str(event.value)))
        if shown == self._day:
            return False
        self._show_day(trace, shown)
        return True

    def _show_day(self, trace: Trace, day: str) -> None:
        self._day = day
        for picture in self._pictures:
            picture.draw(trace, range_of(day, trace.zone))
