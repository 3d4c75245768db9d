"""Orders and positions of a session, from its decisions and the answers to them."""

from typing import Final

import numpy as np

from myquant.core import codes
from myquant.core.records import Command, Event
from myquant.core.working import STEADY_NS
from myquant.execution.life import (
    AT_WORK,
    CANCELLED,
    FILLED,
    PARTIAL,
    REFUSALS,
    REJECTED,
    SENT,
    UNKNOWN,
    WORKING,
)
from myquant.journal.codes import OF_FORGOTTEN
from myquant.journal.record import BODY, WORDS, Origin
from myquant.journal.segment import Rows
from myquant.monitor.fold_latency import SECOND_NS
from myquant.monitor.fold_notes import FLATTEN, set_halt
from myquant.monitor.news import NewsDesk
from myquant.monitor.view import InstrumentView, OrderView, SessionView, passed_ns

ORDERS_MAX: Final = 1000
EVEN_MAX_NS: Final = 10 * SECOND_NS  # a process that runs has an input each second
NEAR: Final = 512  # inputs before a decision that can tell when it was
_SEQUENCE, _KIND, _INSTRUMENT, _PRICE, _RECEIVE_NS, _ARRIVED_NS = (
    BODY + (*Event._fields, *Origin._fields).index(name)
    for name in ("sequence", "kind", "instrument", "price", "receive_ns", "arrived_ns")
)


Clocks = tuple[int, int]  # the machine's clock and its monotonic one, ns; 0: not known


class OrderBook:
    """Takes events and commands, one by one and in order, into the orders and positions of a view.

    Attributes:
        recent: the last inputs, those included that the next commands came of: int64 (n, WORDS).
    """

    def __init__(self, view: SessionView, desk: NewsDesk) -> None:
        execution = view.config.config.execution
        self.recent: Rows = np.zeros((0, WORDS), np.int64)
        self._view = view
        self._desk = desk
        self._wants_stop = execution.fill_model == "limit" and execution.protective_stop
        self._timeout_ns = int(execution.order_timeout_s * SECOND_NS)
        self._asked: dict[int, tuple[int, int]] = {}  # by order: the price and the trigger that were asked for
        self._bought: dict[
            int, tuple[int, int]
        ] = {}  # by instrument, since it was flat: units, and what they cost, paise
        # By instrument: since when it is covered, and since when it had been bare, each by both clocks.
        self._covered: dict[int, tuple[Clocks | None, Clocks]] = {}

    def take_event(self, event: Event, number: int) -> None:
        """Take an input."""
        view = self._view
        if event.kind == codes.FEED_STATUS:
            view.feed_stale, view.feed_since_ns = event.code == codes.FEED_IS_STALE, event.receive_ns or None
            view.feed_since_mono_ns = self._mono_at(event.sequence)
            if not view.feed_stale:
                self._desk.healthy(number, event.receive_ns)
        elif event.kind == codes.OPERATOR:
            if event.code == codes.ASK_RESUME:
                set_halt(view, "", event.receive_ns)
            elif (
                event.code == codes.ASK_FLATTEN and not view.halt
            ):  # as of an account: what halts by itself is the reason
                set_halt(view, FLATTEN, event.receive_ns)
        elif event.kind == codes.FOREIGN_TRADE:
            self._note_foreign(event)
            self._hold(event.instrument, -event.quantity, -event.value, event)
        else:
            self._take_answer(event)

    def take_command(self, command: Command, number: int) -> None:
        """Take a decision."""
        wall_ns = self._wall_at(command)
        if command.kind == codes.SUBMIT:
            self._submit(command)
        elif command.kind == codes.MODIFY:
            self._asked[command.order_id] = command.price, command.stop
        elif command.kind == codes.POSITION_OPENED:
            self._desk.opened(command, number, wall_ns)
        elif command.kind == codes.TRADE_CLOSED:
            self._view.trades += 1
            self._view.net_pnl += command.net
            self._view.charges += command.charges
            self._desk.closed(command, number, wall_ns)
        elif command.kind == codes.HALTED:
            set_halt(self._view, codes.HALT_NAMES.get(command.reason, f"code_{command.reason}"), wall_ns)
        elif command.kind == codes.RESUMED:
            set_halt(self._view, "", wall_ns)

    def time_out(self, now_ns: int) -> None:
        """Take orders that have had no answer for too long, by the exchange's clock, for unknown: as the core does."""
        for order in self._view.orders.values():
            if order.state == SENT and now_ns - order.sent_time_ns >= self._timeout_ns:
                order.state = UNKNOWN

    def _submit(self, command: Command) -> None:
        view = self._view
        view.orders[command.order_id] = OrderView(
            order_id=command.order_id,
            instrument=command.instrument,
            is_buy=command.side == codes.BUY,
            quantity=command.quantity,
            price=command.price,
            trigger=command.stop,
            reason=codes.EXIT_NAMES.get(command.reason, "") if not command.stop else "",
            sent_wall_ns=self._last_known(command, _RECEIVE_NS),
            sent_mono_ns=self._mono_at(command.event_sequence),
            sent_time_ns=command.time_ns,
            last_price=self._price_at(command),
        )
        view.order_ends["sent"] += 1
        if len(view.orders) > ORDERS_MAX:
            oldest = next((key for key, order in view.orders.items() if order.state not in AT_WORK), None)
            if oldest is not None:
                del view.orders[oldest]

    def _take_answer(self, event: Event) -> None:
        order = self._view.orders.get(event.order_id)
        if order is None and event.kind == codes.FILL and event.order_id and event.code != OF_FORGOTTEN:
            order = self._lost(event)
        if order is None or (event.kind == codes.ORDER_REJECT and event.code == codes.COUNTS_NOW):
            return
        if event.kind == codes.FILL:
            self._fill(order, event)
        elif event.kind == codes.ORDER_ACK:
            order.state = WORKING if order.state in (SENT, UNKNOWN) else order.state
        elif event.kind in (codes.MODIFIED, codes.CHANGE_REJECT):
            asked = self._asked.pop(event.order_id, None)
            if asked is not None and event.kind == codes.MODIFIED:
                order.price, order.trigger = asked
        elif event.kind == codes.ORDER_REJECT:
            self._end(order, REJECTED, REFUSALS.get(event.code, REJECTED), event)
        else:
            self._end(order, CANCELLED, CANCELLED, event)
        self._look_for_stop(event.instrument if event.instrument >= 0 else order.instrument, event)

    def _note_foreign(self, event: Event) -> None:
        """Note which trade was not the session's own; quantity and value are of what was sold."""
        units, symbol = event.quantity, self._view.symbol_of(event.instrument)
        at = f" at {event.value / units / 100:.2f}" if units and event.value else ""
        text = f"{'sold' if units >= 0 else 'bought'} {abs(units):,} {symbol}{at}"
        wall_ns = event.receive_ns or self._view.written_wall_ns or 0
        self._view.note_difference(wall_ns, codes.BY_FOREIGN_TRADE, text)

    def _lost(self, event: Event) -> OrderView:
        """Return the order of a fill that the journal has no order of: an entry that was lost."""
        order = OrderView(event.order_id, event.instrument, True, event.quantity, 0, 0, "", state=WORKING)
        self._view.orders[event.order_id] = order
        return order

    def _fill(self, order: OrderView, event: Event) -> None:
        units, value = event.quantity - order.filled, event.value - order.value
        if units <= 0:
            return  # told again
        order.filled, order.value = event.quantity, event.value
        if event.code != OF_FORGOTTEN:  # else the engine does not have it, and what it sold comes as a foreign trade
            sign = 1 if order.is_buy else -1
            self._hold(order.instrument, sign * units, sign * value, event)
        if order.filled >= order.quantity:
            self._end(order, FILLED, FILLED, event)
        elif order.state in AT_WORK:
            order.state = PARTIAL

    def _end(self, order: OrderView, state: str, count: str, event: Event) -> None:
        if order.state not in AT_WORK:
            return  # it has ended, whatever is told of it
        order.state, order.ended_wall_ns = state, event.receive_ns or None
        self._view.order_ends[count] += 1
        self._asked.pop(order.order_id, None)

    def _hold(self, who: int, units: int, value: int, event: Event) -> None:
        """Take units bought, or sold where they are below zero, and what they cost. As in the engine no more goes than is held."""
        if not 0 <= who < len(self._view.instruments):
            return
        each = self._view.instruments[who]
        before, (bought, cost) = each.quantity, self._bought.get(who, (0, 0))
        each.quantity = max(0, each.quantity + units)
        if units > 0:
            bought, cost = bought + units, cost + value
        self._bought[who] = (bought, cost) if each.quantity > 0 else (0, 0)
        each.entry_price = (2 * cost + bought) // (2 * bought) if each.quantity > 0 and bought else None
        if before == 0 and each.quantity:
            each.opened_wall_ns = event.receive_ns or None
        elif each.quantity == 0:
            each.opened_wall_ns = each.holding = None
        self._look_for_stop(who, event)

    def _look_for_stop(self, who: int, event: Event) -> None:
        """Note since when orders that the exchange is known to have protect or sell less than all that is held."""
        if not self._wants_stop or not 0 <= who < len(self._view.instruments):
            return
        each: InstrumentView = self._view.instruments[who]
        resting = (
            order.quantity - order.filled
            for order in self._view.orders.values()
            if order.instrument == who and not order.is_buy and order.state in (WORKING, PARTIAL)
        )
        now = event.receive_ns or self._view.written_wall_ns or 0, self._mono_at(event.sequence)
        if each.quantity <= 0:
            each.bare_since_ns, each.bare_since_mono_ns = None, 0
            self._covered.pop(who, None)
        elif sum(resting) >= each.quantity:
            if each.bare_since_ns is not None:
                self._covered[who] = now, (each.bare_since_ns, each.bare_since_mono_ns)
            each.bare_since_ns, each.bare_since_mono_ns = None, 0
        elif each.bare_since_ns is None:
            covered, before = self._covered.pop(who, (None, now))
            was_brief = covered is not None and _is_brief(covered, now)
            each.bare_since_ns, each.bare_since_mono_ns = before if was_brief else now

    def _wall_at(self, command: Command) -> int:
        """Return the machine's clock about when a command was decided: an input that an answer led to may have none."""
        return self._last_known(command, _RECEIVE_NS) or self._view.written_wall_ns or 0

    def _mono_at(self, sequence: int) -> int:
        """Return the monotonic clock at an input, by the last packet up to it; 0: not known.

        What has come since, timers and answers, has a wall clock only, which counts as long as it goes on evenly.
        """
        at = int(np.searchsorted(self.recent[:, _SEQUENCE], sequence, side="right"))
        near = self.recent[max(0, at - NEAR) : at]
        packets = np.flatnonzero((near[:, _ARRIVED_NS] > 0) & (near[:, _RECEIVE_NS] > 0))
        if not len(packets):
            return 0
        wall_ns = near[packets[-1] :, _RECEIVE_NS]
        steps = np.diff(wall_ns[wall_ns > 0])
        if ((steps < 0) | (steps > EVEN_MAX_NS)).any():  # it was set, or the process did not run
            return 0
        return int(near[packets[-1], _ARRIVED_NS] + steps.sum())

    def _last_known(self, command: Command, column: int) -> int:
        """Return the last stamp that an input up to the one of a command has; 0: none has one."""
        at = int(np.searchsorted(self.recent[:, _SEQUENCE], command.event_sequence, side="right"))
        stamps = self.recent[max(0, at - NEAR) : at, column]
        known = np.flatnonzero(stamps)
        return int(stamps[known[-1]]) if len(known) else 0

    def _price_at(self, command: Command) -> int | None:
        """Return the last price of its instrument when a command was decided."""
        at = int(np.searchsorted(self.recent[:, _SEQUENCE], command.event_sequence, side="right"))
        rows = self.recent[:at]
        own = np.flatnonzero(
            (rows[:, _KIND] == codes.TICK) & (rows[:, _INSTRUMENT] == command.instrument) & (rows[:, _PRICE] > 0)
        )
        if len(own):
            return int(rows[own[-1], _PRICE])
        known = 0 <= command.instrument < len(self._view.instruments)
        return self._view.instruments[command.instrument].last_price if known else None


def _is_brief(covered: Clocks, now: Clocks) -> bool:
    """Whether something was covered for so short that it was not; where only a clock that was set back says so, it is not."""
    is_known = now[0] >= covered[0] or min(now[1], covered[1]) > 0
    return is_known and passed_ns(*covered, *now) < STEADY_NS
