"""A session's orders on its page: each order's life and what it cost, what they come to, and what the broker has besides."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from nicegui import ui

from myquant.dashboard.canvas import Canvas
from myquant.dashboard.charts import Palette, Slip, slippage_chart, slippage_series
from myquant.dashboard.components import ROWS_SHOWN, Cell, LiveTable, LiveText, Row, heading
from myquant.dashboard.figures import count, moment, rupees
from myquant.execution.figures import Slippage, Totals, delays_of, points_of, slippage_of, totals_of
from myquant.execution.life import ROLES, UNKNOWN, OrderLife, Stamp, gap_ns
from myquant.execution.page import span, worse
from myquant.execution.reading import Reading
from myquant.execution.report import foreign_rows
from myquant.results.text import label, signed, whole

ORDERS_MAX: Final = 100  # in the table, the newest
SLIPS_MAX: Final = 1000  # in the picture, likewise
FOREIGN_MAX: Final = 100
AT_ONCE_MAX: Final = 300  # orders that are summed up in 15 ms
LONG: Final = "max-height: 28rem; overflow-y: auto"
HEIGHT_PX: Final = 300
PICTURE: Final = "Slippage of each order; the table of orders has the figures"
ORDERS: Final = (
    "Decided", "Instrument", "Side", "Role", "#Units", "#Filled", "#Decided at, Rs", "#Filled at, Rs",
    "#To decision", "#To quote", "#To shadow", "#Until sent", "#Answer", "#Last fill", "State",
)  # fmt: skip
TOTALS: Final = (
    "Role", "#Orders", "#Filled", "#In part", "#Cancelled, refused", "#Unknown", "#Units", "#To decision, Rs", "#To quote, Rs",
    "#To shadow, Rs", "#Points, median", "#Points, p95", "#Until sent, median", "#Answer", "#Last fill",
)  # fmt: skip
FILLS: Final = (
    "When",
    "Instrument",
    "Side",
    "Role",
    "#Units",
    "#Price, Rs",
    "#Order",
    "#Filled of it",
    "#After the decision",
)
FOREIGN: Final = ("When", "What", "Instrument", "#Units", "#For, Rs", "Known by")

_BESIDE: Final = ThreadPoolExecutor(1, "totals")


class OrdersPart:
    """Orders of a session, for its page: made once, then shown where something is new."""

    def __init__(self, name: str, zone: ZoneInfo) -> None:
        self._zone = zone
        self._shown: tuple[object, ...] = ()
        self._summed: tuple[object, ...] = ()
        self._making: Future[list[Row]] | None = None
        self._canvas: Canvas | None = None
        heading("Orders")
        with ui.element("div").classes("cards").style(LONG):
            self._orders = LiveTable(
                ORDERS,
                "Orders, newest first. Slippage to the decision's price, the quote and the shadow, rupees: above zero is worse",
                "No order was sent yet.",
                most=ROWS_SHOWN,
            )
        heading("Fills")
        with ui.element("div").classes("cards").style(LONG):
            self._fills = LiveTable(FILLS, "Fills, newest first", "Nothing was filled yet.", most=ROWS_SHOWN)
        heading("Execution")
        self._note = LiveText("p", "is-quiet")
        with ui.element("div").classes("cards"):
            self._totals = LiveTable(
                TOTALS,
                "What orders came to, all days. Slippage above zero is worse; points: rupees a unit",
                "No order was sent yet.",
            )
        self._place = ui.element("div")
        with ui.element("p").classes("actions"):
            ui.link("Execution report of the last day", report_url(name))
        heading("What the journal does not know", 3)
        with ui.element("div").classes("cards").style(LONG):
            self._foreign = LiveTable(FOREIGN, "What the broker has besides", "Nothing is known of.", most=ROWS_SHOWN)

    def show(self, reading: Reading, palette: Palette) -> None:
        """Show orders as they stand."""
        lives = reading.lives
        stand = (lives.taken, len(reading.told), tuple(reading.held), len(reading.shadow))
        self._sum_up(reading, stand)
        if stand == self._shown:
            return
        self._shown = stand
        self._note.show(
            "Fills are simulated: the simulated exchange is the one that fills, so there is no shadow beside it. Delays go by the"
            " exchange's clock."
            if lives.is_simulated
            else "Delays go by the machine's clock. The shadow is the simulated exchange, told the same orders and ticks."
        )
        self._orders.show(order_rows(reading, self._zone))
        self._fills.show(fill_rows(reading, self._zone))
        self._foreign.show(foreign_cells(reading, self._zone))
        self._draw(slips_of(reading), palette)

    def _sum_up(self, reading: Reading, stand: tuple[object, ...]) -> None:
        """Show what orders come to: at once of a few; many are summed up beside the pages' loop, one time after the other."""
        if self._making is not None:
            if self._making.done():
                made, self._making = self._making, None
                self._totals.show(made.result())
        elif stand != self._summed:
            self._summed = stand
            if len(reading.lives.orders) <= AT_ONCE_MAX:
                self._totals.show(total_rows(reading))
            else:
                self._making = _BESIDE.submit(total_rows, reading)

    def _draw(self, slips: Sequence[Slip], palette: Palette) -> None:
        if self._canvas is None:
            with self._place:
                self._canvas = Canvas(slippage_chart(self._zone, palette), PICTURE, HEIGHT_PX)
        self._canvas.send(slippage_series(slips, self._zone, palette))


def report_url(name: str, day: str = "") -> str:
    """Return where the execution report of a session's day is; "": its last one."""
    return f"/execution?{urlencode({'session': name} | ({'day': day} if day else {}))}"


def order_rows(reading: Reading, zone: ZoneInfo) -> list[Row]:
    """Return the newest orders."""
    newest = list(reading.lives.orders.values())[: -ORDERS_MAX - 1 : -1]
    return [(str(life.order_id), _order_cells(reading, life, zone)) for life in newest]


def _order_cells(reading: Reading, life: OrderLife, zone: ZoneInfo) -> Sequence[Cell | str]:
    is_simulated = reading.lives.is_simulated
    slippage = slippage_of(life, reading.shadow.get(life.order_id))
    delays = delays_of(life, is_simulated=is_simulated)
    parts = f" in {len(life.fills)} parts" if len(life.fills) > 1 else ""
    decided = None if life.decision is None else life.decision.at
    return (
        moment(_time_of(decided), zone, is_dated=len(reading.lives.days) > 1),
        life.symbol,
        "buy" if life.side > 0 else "sell",
        life.role if life.reason in ("", "stop_loss") else f"{life.role}, {label(life.reason).lower()}",
        count(life.quantity),
        f"{whole(life.filled)}{parts}",
        rupees(life.decision_price),
        rupees(round(life.value / life.filled)) if life.filled else rupees(None),
        *_costs(slippage),
        span(delays.decision_to_sent),
        span(delays.sent_to_ack),
        span(delays.decision_to_last_fill),
        Cell(state_text(life), style="failed" if life.state == UNKNOWN else ""),
    )


def fill_rows(reading: Reading, zone: ZoneInfo) -> list[Row]:
    """Return the fills of the newest orders, the newest first: each part of an order by itself."""
    newest = list(reading.lives.orders.values())[: -ORDERS_MAX - 1 : -1]
    parts = [(fill, number, life) for life in newest for number, fill in enumerate(life.fills)]
    parts.sort(key=lambda part: (_time_of(part[0].at) or 0, part[2].order_id, part[1]), reverse=True)
    return [
        (f"{life.order_id}/{number}", _fill_cells(reading, life, number, zone))
        for _, number, life in parts[:ORDERS_MAX]
    ]


def _fill_cells(reading: Reading, life: OrderLife, number: int, zone: ZoneInfo) -> Sequence[Cell | str]:
    fill, decided = life.fills[number], None if life.decision is None else life.decision.at
    return (
        moment(_time_of(fill.at), zone, is_dated=len(reading.lives.days) > 1),
        life.symbol,
        "buy" if life.side > 0 else "sell",
        life.role,
        whole(fill.units),
        rupees(round(fill.value / fill.units)),
        str(life.order_id),
        f"{whole(sum(each.units for each in life.fills[: number + 1]))} of {whole(life.quantity)}",
        span(gap_ns(decided, fill.at, by_exchange=reading.lives.is_simulated)),
    )


def state_text(life: OrderLife) -> str:
    """Return an order's state, and why it was refused or what was changed."""
    facts = [life.state]
    if life.refusal:
        facts.append(label(life.refusal).lower())
    if life.changes_made:
        facts.append(f"changed {life.changes_made} times" if life.changes_made > 1 else "changed once")
    if life.was_unknown and life.state != UNKNOWN:
        facts.append("was unknown")
    return ", ".join(facts)


def total_rows(reading: Reading) -> list[Row]:
    """Return what orders came to: all of them, and by role."""
    lives, shadow = reading.lives, reading.shadow
    every = list(lives.orders.values())
    groups = {"all": every} | {role: [life for life in every if life.role == role] for role in ROLES}
    return [
        (role, _total_cells(role, totals_of(some, shadow, is_simulated=lives.is_simulated)))
        for role, some in groups.items()
        if some
    ]


def _total_cells(role: str, totals: Totals) -> Sequence[Cell | str]:
    costs, delays = totals.slippage, totals.delays
    points = costs["decision"].points
    return (
        role,
        count(totals.orders),
        count(totals.filled),
        count(totals.part_filled),
        count(totals.cancelled + totals.rejected + totals.not_sent + totals.not_found),
        count(totals.unknown),
        count(totals.units),
        *_costs(Slippage(*(costs[against].paise for against in Slippage._fields))),
        signed(points.median, 2),
        signed(points.p95, 2),
        span(delays["decision_to_sent"].median),
        span(delays["sent_to_ack"].median),
        span(delays["decision_to_last_fill"].median),
    )


def _costs(slippage: Slippage) -> list[Cell]:
    return [Cell(worse(paise), style="loss" if paise is not None and paise > 0 else "") for paise in slippage]


def slips_of(reading: Reading) -> list[Slip]:
    """Return what the newest filled orders cost against their decision, by time."""
    found = []
    for life in list(reading.lives.orders.values())[-SLIPS_MAX:]:
        paise, decided = slippage_of(life).decision, life.decision
        if paise is not None and decided is not None and decided.at.time_ns is not None:
            text = f"order {life.order_id}, {life.role}, {whole(life.filled)} {life.symbol}"
            found.append(Slip(decided.at.time_ns, life.role, points_of(paise, life.filled), text))
    return found


def foreign_cells(reading: Reading, zone: ZoneInfo) -> list[Row]:
    """Return what the broker has and the journal knows no order of, the newest first; all days."""
    rows = list(enumerate(foreign_rows(reading)))[: -FOREIGN_MAX - 1 : -1]
    return [
        (
            f"{place}/{each.source}/{each.wall_ns}/{each.what}/{each.order}/{each.symbol}/{each.units}",
            (
                moment(each.wall_ns, zone, is_dated=True),
                each.what,
                each.symbol,
                signed(each.units, 0),
                rupees(each.value),
                each.source,
            ),
        )
        for place, each in rows
    ]


def _time_of(stamp: Stamp | None) -> int | None:
    return None if stamp is None else stamp.time_ns
