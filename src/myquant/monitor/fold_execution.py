"""What a session's orders cost and how long they took, from the lives of its orders into its view."""

from pathlib import Path
from typing import Final

from myquant.execution.beside import comparisons
from myquant.execution.figures import delays_of, points_of, slippage_of
from myquant.execution.life import ENTRY, EXIT, OrderLife, gap_ns
from myquant.execution.lives import Lives
from myquant.journal.segment import Rows
from myquant.monitor.fold_latency import ROUND_TRIP_S, SECOND_NS, SLIPPAGE_RUPEES
from myquant.monitor.histogram import LATENCY_S, Histogram
from myquant.monitor.view import SessionView
from myquant.session.left import SIMULATED
from myquant.session.shadow_file import FILE, LINES

ORDERS_MAX: Final = 1000
SHADOW_EVERY_NS: Final = 60 * SECOND_NS
STEP_S: Final = (*LATENCY_S[2:], 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
_STEPS: Final = {"order_send": "decision_to_sent", "order_ack": "sent_to_ack", "order_fill": "ack_to_first_fill"}


class Execution:
    """Takes a journal's records, in order, and adds up what became of its orders."""

    def __init__(self, view: SessionView) -> None:
        self._view = view
        self._is_simulated = view.kind == SIMULATED
        self._lives = Lives(
            view.symbols,
            view.config.config,
            is_simulated=self._is_simulated,
            on_answered=self._note_round_trip,
            on_filled=self._note_fill,
            on_ended=self._note_end,
            on_unknown=self._note_unknown,
            orders_max=ORDERS_MAX,
        )
        self._slipped: dict[int, tuple[int | None, int | None]] = {}  # by order, what was added for it, paise
        self._shadow: tuple[object, ...] = ()  # the files of the comparison, when they were read
        self._read_ns = 0

    def take(self, block: Rows) -> None:
        """Take a block of records."""
        self._lives.take(block)

    def look_beside(self, folder: Path, mono_ns: int) -> None:
        """Read the comparison with the simulated exchange, where one runs, not oftener than it is worth."""
        if self._is_simulated or (self._read_ns and mono_ns - self._read_ns < SHADOW_EVERY_NS):
            return
        self._read_ns = mono_ns
        files = tuple(_mark(folder / name) for name in (FILE, LINES))
        if files == self._shadow or not any(files):
            return
        self._shadow = files
        totals: dict[str, int] = {}
        for each in comparisons(folder)[0].values():
            if each.worse_paise is not None:
                side = ENTRY if each.role == ENTRY else EXIT
                totals[side] = totals.get(side, 0) + round(each.worse_paise * each.filled)
        self._view.slippage_paise["shadow"] = totals

    def _note_round_trip(self, life: OrderLife) -> None:
        """Note how long the first answer to an order took: from when the bytes were at hand, by the clock that knows it."""
        if life.decision is None or life.answered is None:
            return
        began = life.decision.at._replace(mono_ns=life.decision.arrived_ns)
        trip_ns = gap_ns(began, life.answered, by_exchange=False)
        if trip_ns is not None:
            trip = self._view.round_trip = self._view.round_trip or Histogram(ROUND_TRIP_S)
            trip.add(trip_ns / SECOND_NS)

    def _note_fill(self, life: OrderLife) -> None:
        """Note a part that was filled, and what it cost beyond what was noted of the order already."""
        self._view.partial_fills += life.filled < life.quantity
        self._add_slippage(life)

    def _add_slippage(self, life: OrderLife) -> None:
        cost = slippage_of(life)
        before = self._slipped.pop(life.order_id, (None, None))
        self._slipped[life.order_id] = cost.decision, cost.quote
        for name, now, then in zip(("decision", "quote"), (cost.decision, cost.quote), before, strict=True):
            if now is not None:
                totals = self._view.slippage_paise.setdefault(name, {})
                totals[_side(life)] = totals.get(_side(life), 0) + now - (then or 0)
        if len(self._slipped) > ORDERS_MAX:
            del self._slipped[next(iter(self._slipped))]

    def _note_end(self, life: OrderLife) -> None:
        """Note what an order that has ended cost a unit, and how long its steps took."""
        if life.decision is None:
            return
        self._add_slippage(life)
        cost = slippage_of(life).decision
        if cost is not None:
            histogram = self._view.slippage.setdefault(_side(life), Histogram(SLIPPAGE_RUPEES))
            histogram.add(points_of(cost, life.filled))
        delays = delays_of(life, is_simulated=self._is_simulated)
        for name, step in _STEPS.items():
            delay_ns = getattr(delays, step)
            if delay_ns is not None:
                by_role = self._view.order_steps.setdefault(name, {})
                by_role.setdefault(life.role, Histogram(STEP_S)).add(delay_ns / SECOND_NS)

    def _note_unknown(self, _: OrderLife) -> None:
        self._view.orders_timed_out += 1


def _side(life: OrderLife) -> str:
    return ENTRY if life.role == ENTRY else EXIT


def _mark(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from the one that it was; None: there is none that can be looked at."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
