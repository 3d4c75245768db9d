"""The first page: all sessions, how they do and what they hold, and what is wrong."""

from typing import Final

from fastapi import Request
from nicegui import ui

from myquant.config.loading import LoadedConfig
from myquant.dashboard.alert_look import AlertLook, troubles_of
from myquant.dashboard.components import Cell, Facts, LiveTable, LiveText, Row, heading, light, pnl
from myquant.dashboard.figures import age, count, gain, rupees
from myquant.dashboard.frame import Frame, Site, page_frame, part_timer, session_url
from myquant.dashboard.known import is_being_read, known_ledger, stands_still
from myquant.dashboard.limits import limits_used
from myquant.dashboard.overview_order import ORDERS, USUAL, in_order, totals
from myquant.dashboard.page_controls import build_halt_all
from myquant.monitor.alert import Alert
from myquant.monitor.channels import channel_names
from myquant.monitor.faults import is_simulated
from myquant.monitor.finding import Finding
from myquant.monitor.health import FROZEN, NOT_BEGUN, RUNNING, state_of
from myquant.monitor.metrics import feed_age_s
from myquant.monitor.view import InstrumentView, SessionView

COLUMNS: Final = (
    "Health",
    "Session",
    "State",
    "Fills",
    "Position",
    "#P&L of the day, Rs",
    "Last price, Rs",
    "#Feed age",
    "#Orders",
    "Limits used",
)
UNKNOWN: Final = "not known: its journal is damaged"
NO_CHANNEL: Final = (
    "No alert channel is set, so nobody is told when something happens while nobody looks: set `alerts.critical`."
)
READ: Final = "not known: its journal is being read"
WHOLE: Final = "whole"  # a style: a text that is not broken
SHOWN: Final = 3  # instruments of a session that are named


def register(site: Site) -> None:
    """Serve the page."""
    look = AlertLook(site.state)

    @ui.page("/")
    def overview(request: Request) -> None:
        with page_frame(site, request, "Overview") as frame:
            _build(frame, look, request.query_params.get("sort", USUAL))
            part_timer(float(site.loaded.config.dashboard.update_s), look.refresh)


def _build(frame: Frame, look: AlertLook, order: str) -> None:
    with ui.element("div").classes("totals"):
        sums = Facts()
    build_halt_all(frame)
    with ui.element("nav").props('aria-label="Order of sessions"').classes("actions"):
        ui.label("Order:")
        for name, text in ORDERS.items():
            link = ui.link(text, f"/?sort={name}")
            if name == order:
                link.props("aria-current=true")
    with ui.element("div").classes("cards"):
        table = LiveTable(
            COLUMNS, "Sessions", "No session is here yet: begin one with `myquant paper` or `myquant live`."
        )
    heading("What is wrong")
    trouble = LiveText("p")
    with ui.element("div").classes("cards"):
        faults = LiveTable(("Severity", "Of", "What", "What to do"), "Findings of the last look", "Nothing is wrong.")

    def show() -> None:
        watch, mono_ns = frame.watch, frame.watch.monotonic_ns()
        if not watch.looked_ns:
            return  # nothing is known yet: neither that there is nothing, nor that nothing is wrong
        views = in_order(list(watch.views.values()), order, watch.verdict_of)
        sums.show(totals(views, frame.zone, watch.looked_ns))
        table.show([session_row(view, watch.verdict_of(view.name), mono_ns) for view in views])
        faults.show([*map(finding_row, watch.monitor.findings), *map(alert_row, monitors_own(frame, look))])
        told = [each for each in (no_channel(frame.site.loaded), troubles_of(look)) if each] if watch.is_told else []
        trouble.show(Cell("; ".join(told), style="failed"))

    frame.each_update.append(show)


def no_channel(loaded: LoadedConfig) -> str:
    """Return that nobody is told of anything, where that is so by the settings; "": somebody is."""
    return "" if channel_names(loaded.config.alerts) else NO_CHANNEL


def monitors_own(frame: Frame, look: AlertLook) -> list[Alert]:
    """Return what only the monitor can find, of itself: a channel that is down, a folder that it can't write to... None runs: nothing."""
    if not frame.watch.is_told:
        return []
    found = {each.key for each in frame.watch.monitor.findings}
    lasting = [each for each in look.alerts.alerts if each.is_firing and not each.session]
    return [each for each in lasting if (each.rule, each.session, each.subject) not in found]


def alert_row(alert: Alert) -> Row:
    """Return the row of an alert of the monitor's own."""
    cells = (light(alert.severity), Cell("the monitor", "/alerts"), alert.text, alert.remedy)
    return f"alert/{alert.number}", cells


def session_row(view: SessionView, verdict: str, mono_ns: int) -> Row:
    """Return a session's row. `mono_ns`: the monotonic clock."""
    state = state_text(view)
    return view.name, (
        health(view, verdict),
        Cell(view.name, session_url(view.name), WHOLE),
        state,
        "simulated" if is_simulated(view) else Cell("REAL ORDERS", style=WHOLE),
        positions(view),
        day_pnl(view),
        "; ".join(map(last_price, view.instruments[:SHOWN])) + (" ..." if len(view.instruments) > SHOWN else ""),
        age(feed_age_s(view, mono_ns)) if state == RUNNING else age(None),
        orders_sent(view),
        "; ".join(limits_used(view)) or "none is set",
    )


def health(view: SessionView, verdict: str) -> Cell:
    """Return a session's verdict as a light; of one whose journal is being read it is not known."""
    return light("", "not known") if is_being_read(view) else light(verdict)


def state_text(view: SessionView) -> str:
    """Return how a session stands, in a few words."""
    if is_being_read(view):
        return "its journal is being read"
    return FROZEN if stands_still(view) else state_of(view)


def orders_sent(view: SessionView) -> str:
    """Return how many orders a session has sent; a dash where that is not known."""
    return count(None if view.damage or is_being_read(view) else view.order_ends["sent"])


def positions(view: SessionView) -> str:
    """Return what a session holds, in words; what a damaged journal said before is not how it stands."""
    if view.damage:
        return UNKNOWN
    if is_being_read(view):
        return READ
    if state_of(view) == NOT_BEGUN:
        return NOT_BEGUN
    held = [each for each in view.instruments if each.quantity]
    return ", ".join(f"{each.quantity:,} {each.symbol} at {rupees(each.entry_price)}" for each in held) or "flat"


def day_pnl(view: SessionView) -> Cell:
    """Return a session's P&L of the day; a dash where it is not known."""
    ledger = known_ledger(view)
    return pnl(gain(None if ledger is None else ledger.day_pnl))


def last_price(each: InstrumentView) -> str:
    """Return an instrument's last price with its symbol."""
    return f"{each.symbol} {rupees(each.last_price)}"


def finding_row(each: Finding) -> Row:
    """Return a finding's row."""
    of = Cell(each.session, session_url(each.session)) if each.session else Cell("the machine, the monitor")
    return "/".join(each.key), (light(each.severity), of, each.text, each.remedy)
