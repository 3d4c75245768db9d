"""The order port to the simulated exchange."""

from myquant.config.schema import Config
from myquant.core import codes
from myquant.core.codes import NO_TIME
from myquant.core.records import Command, Event
from myquant.exchange.venue import Venue
from myquant.exchange.venue_orders import AT_ONCE, LIMIT, Contract, VenueRules
from myquant.session.engine import Engine
from myquant.session.rules import paise, rate

SEED = 1  # of the jitter: any number will do, and the same one makes the same day
MILLISECOND_NS = 10**6


def venue_rules(config: Config) -> VenueRules:
    """Return the exchange's rules in its units. Slippage is in the price that the models at once count on."""
    execution = config.execution
    return VenueRules(
        model=LIMIT if execution.fill_model == "limit" else AT_ONCE,
        latency_ns=execution.latency_ms * MILLISECOND_NS,
        jitter_ns=execution.latency_jitter_ms * MILLISECOND_NS,
        protection_rate=rate(execution.protection_percent),
        protection_ticks=execution.protection_ticks,
        participation_rate=rate(execution.participation_percent),
        slippage=paise(config.risk.slippage_points),
    )


class SimulatedOrders:
    """Carries an engine's orders to the simulated exchange and its answers back. It could reach nothing else."""

    asks_again = True  # in a recovery: the same inputs make the same answers

    def __init__(self, engine: Engine) -> None:
        self._venue = Venue(len(engine.names), venue_rules(engine.loaded.config), SEED)
        self._seen_ns = NO_TIME
        days = engine.instruments["day"]  # their `data` gives plain ints, in a tenth of the time of a record's fields
        self._lot, self._tick, self._freeze = (days[name].data for name in ("lot_size", "tick_size", "freeze_quantity"))

    @property
    def busy(self) -> bool:
        """Whether an order is at the exchange, or an answer of it waits."""
        return self._venue.busy

    def submit(self, command: Command) -> None:
        """Take a SUBMIT command."""
        who = command.instrument
        self._venue.prepare(who, Contract(self._lot[who], self._tick[who], self._freeze[who], 0, 0))
        order_id, side, quantity, price = command.order_id, command.side, command.quantity, command.price
        self._venue.submit(who, order_id, side, quantity, price, command.stop, command.time_ns)

    def modify(self, command: Command) -> None:
        """Take a MODIFY command."""
        self._venue.modify(command.order_id, command.price, command.stop, command.time_ns)

    def cancel(self, command: Command) -> None:
        """Take a CANCEL command."""
        self._venue.cancel(command.order_id, command.time_ns)

    def see(self, event: Event) -> None:
        """Look at an input that the engine has taken."""
        if event.kind in (codes.TICK, codes.QUOTE, codes.TIMER):
            self._venue.see(event)
            self._seen_ns = event.time_ns

    def answer(self) -> Event | None:
        """Return the next thing that became of an order, or None.

        What an answer leads to is under way from that answer's time on, and may have arrived by the time of the input.
        """
        told = self._venue.answer()
        if told is None and self._venue.next_ns <= self._seen_ns:
            self._venue.pass_time(self._seen_ns)
            told = self._venue.answer()
        if told is None:
            self._seen_ns = NO_TIME
        return told

    def snapshot(self) -> bytes:
        """Return the exchange's whole state."""
        return self._venue.snapshot()

    def restore(self, state: bytes) -> None:
        """Take up a state of it."""
        self._venue.restore(state)
