"""The session's orders at a broker: from the engine's commands to the order port, and its answers back to the engine."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from myquant.brokers.port import BrokerInstrument, NewOrder, OrderAnswer, OrderPort
from myquant.core import codes
from myquant.core.orders import AT_WORK, SENT, UNKNOWN
from myquant.core.records import Command, Event
from myquant.exchange.venue_orders import limit_price
from myquant.journal.codes import OF_FORGOTTEN
from myquant.session.engine import Engine
from myquant.session.later import Later
from myquant.session.needs import Fenced, Log
from myquant.session.reconciliation import OurOrder, Ours
from myquant.session.rules import SECOND_NS
from myquant.session.sells import LateFills, is_about_margin
from myquant.session.shadow import Shadow
from myquant.session.simulated import venue_rules

ALL: Final = -1
ENDED: Final = (codes.ORDER_REJECT, codes.CANCELLED)
_OURS: Final = {codes.NOT_SENT: "not sent", codes.NOT_FOUND: "not at the broker"}  # what an answer's words are then
UNANSWERED: Final = (SENT, UNKNOWN)
NEVER_SENT: Final = 36**4 - 1  # the highest id that a tag can hold: no session comes so far
ASKED_MAX: Final = 4  # prices of an order that are remembered beside the engine's: of requests whose answer was lost


class Host(NamedTuple):
    """What a session at work lends to its orders and to their reconciliation. No call of it may come from within another."""

    take: Callable[[Event], None]  # lets the engine take an event, and its orders leave
    now_ns: Callable[[], int]  # the exchange's time
    wall_ns: Callable[[], int]
    monotonic_ns: Callable[[], int]
    soon: Callable[[Callable[[], None]], object]  # calls on the loop's next turn
    later: Later  # calls once the packets that wait are taken: for the log
    stop: Callable[[str], None]  # asks for the session's end, and says why

    def tell(
        self, kind: int, instrument: int = ALL, *, order_id: int = 0, quantity: int = 0, value: int = 0, code: int = 0
    ) -> None:
        """Let the engine take an event that is neither a tick nor a quote, now."""
        self.take(
            Event(kind, instrument, 0, self.now_ns(), self.wall_ns(), 0, 0, 0, 0, order_id, quantity, value, code)
        )


class BrokerOrders:
    """The runner's `Orders` over a broker's order port. Before `attach` an order is an error: nothing may leave yet.

    Before the first look at the books no order leaves (`hold_back`): what the engine holds may be gone, and what could not be
    sold is not to be bought.

    Arguments: the engine; the port; each instrument as the broker lists it, in the engine's order; the fence, taken; the log;
    the simulated exchange beside it, if there is one.

    Attributes:
        who_of: instruments, by the ids of their orders.
        strays: answers of orders that this session does not know.
        on_doubt: takes why the broker's books should be looked at now.
        channel_lost_ns: since when there is no way to the order service, monotonic; None: there is one, or it was not asked for.
        in_doubt: sells that the broker has refused since the last look began, with their instruments: the books tell why.
    """

    busy: Final = False  # it needs to see no inputs
    asks_again = False

    def __init__(
        self,
        engine: Engine,
        port: OrderPort,
        instruments: Sequence[BrokerInstrument],
        fence: Fenced,
        log: Log,
        shadow: Shadow | None = None,
    ) -> None:
        config = engine.loaded.config
        self.strays = 0
        self.on_doubt: Callable[[str], None] = _nothing
        self.in_doubt: list[tuple[int, int]] = []
        self._engine = engine
        self._port = port
        self._instruments = tuple(instruments)
        self._holds: Callable[[], bool] = _not_attached
        self._fence = fence
        self._log = log
        self._shadow = shadow
        self._rules = venue_rules(config)
        days = engine.instruments["day"]  # their `data` gives plain ints
        self._tick, self._freeze = (days[name].data for name in ("tick_size", "freeze_quantity"))
        self.who_of: dict[int, int] = {}
        self._late = LateFills()
        self._asked: dict[int, deque[tuple[int, int]]] = {}  # limits and triggers asked for, by order
        self._refused: deque[Command] = deque()
        self._is_fenced = False
        self._held_back: frozenset[int] | None = None
        self._told_held_back: set[int] = set()
        self._channel_max_ns = int(config.broker.channel_max_s * SECOND_NS)
        self.channel_lost_ns: int | None = None
        self._is_channel_told = False

    def attach(self, host: Host) -> int:
        """Begin, in the session's loop, before the port is started: take up the engine's orders and hear of what becomes of them.

        Whatever works in the recovered engine may have been sent by an earlier process, or not: the books will tell.
        Returns how many orders those are.
        """
        self._host = host
        self._holds = self._fence.holds
        self.channel_lost_ns = host.monotonic_ns()
        self._port.on_answer, self._port.on_channel = self._on_answer, self._on_channel
        self._port.on_doubt = lambda why: self.on_doubt(why)  # noqa: PLW0108  (who hears of it is set later)
        if self._shadow is not None:
            self._shadow.later = host.later
        working = self._working()
        for who, order in working:
            self._adopt(who, order)
        return len(working)

    def submit(self, command: Command) -> None:
        """Take a SUBMIT command: the order's bytes are written before it returns, unless the port makes it wait."""
        if not self._holds():
            self._note_fenced()
            self._refuse(command)
            return
        who = command.instrument
        if self._held_back is None or who in self._held_back:  # an entry could not be protected then
            self._note_held_back(command)
            self._refuse(command)
            return
        self._port.submit(self._new_order(command, who))
        self.who_of[command.order_id] = who
        if self._shadow is not None:
            self._shadow.order(command)

    def prime(self, who: int) -> None:
        """Go the way of an order for an instrument up to the write, as `OrderPort.prime` does; nothing changes."""
        command = self._engine.latest_command()
        if command.sequence and self._tick[who] and self._holds():
            self._port.prime(self._new_order(command, who)._replace(order_id=NEVER_SENT))

    def modify(self, command: Command) -> None:
        """Take a MODIFY command."""
        if not self._holds():
            self._note_fenced()
            return
        order = command.order_id
        if order not in self.who_of:
            return  # it was refused here, which is about to be told
        limit = limit_price(command.side, command.price, self._tick[command.instrument], self._rules)
        self._port.modify(order, limit, command.stop)
        self._asked.setdefault(order, deque(maxlen=ASKED_MAX)).append((limit, command.stop))
        if self._shadow is not None:
            self._shadow.order(command)

    def cancel(self, command: Command) -> None:
        """Take a CANCEL command."""
        if not self._holds():
            self._note_fenced()
            return
        if command.order_id not in self.who_of:
            return  # likewise
        self._port.cancel(command.order_id)
        if self._shadow is not None:
            self._shadow.order(command)

    def see(self, event: Event) -> None:
        """See nothing: answers come by themselves."""

    def answer(self) -> Event | None:
        """Return nothing: answers are inputs of their own, like ticks."""
        return None

    def snapshot(self) -> bytes:
        """Return the state to be saved: none. The engine has its orders, and the broker's books what became of them."""
        return b""

    def restore(self, state: bytes) -> None:
        """Take up a saved state. Raises ValueError at one of another port."""
        if state:
            raise ValueError(f"a state of {len(state)} bytes: orders at a broker have none")

    def watch(self, commands: Iterable[Command]) -> None:
        """Look at new commands, after their orders were sent: a spent order rate halts, an unknown order is a doubt."""
        for command in commands:
            if command.kind == codes.DENIED and command.reason == codes.ORDER_RATE:
                self._host.soon(partial(self._host.tell, codes.ALARM, code=codes.BY_ORDER_RATE))
            elif command.kind == codes.HALTED and command.reason == codes.BY_UNKNOWN_ORDER:
                self.on_doubt(f"order {command.order_id} is of unknown state")

    def hold_back(self, instruments: frozenset[int]) -> None:
        """Let no order of these instruments leave: by the books less is held, or a lost order sells. Before the first call, of none."""
        self._held_back = instruments
        self._told_held_back &= instruments

    @property
    def next_input(self) -> int:
        """The number that the next input gets."""
        return self._engine.inputs

    def on_timer(self) -> None:
        """Do what is due once a second: halt when the way to the broker has been lost for too long, heed the fence."""
        if not self._holds():
            self._note_fenced()
        lost = self.channel_lost_ns
        if lost is None or self._is_channel_told or self._host.monotonic_ns() - lost < self._channel_max_ns:
            return
        self._is_channel_told, of = True, {"input": self.next_input}
        self._log.error("no way to the broker's order service", for_s=self._channel_max_ns / SECOND_NS, **of)
        self._host.tell(codes.ALARM, code=codes.BY_ORDER_CHANNEL)

    def view(self) -> tuple[Ours, ...]:
        """Return what the engine has of each instrument, for a comparison with the broker's books."""
        orders: list[list[OurOrder]] = [[] for _ in self._instruments]
        for who, order in self._working():
            orders[who].append(self._view_of(who, order))
        cores = self._engine.instruments["core"]
        return tuple(
            Ours(
                instrument.token,
                int(cores[who]["position"]["quantity"]),
                int(cores[who]["tape"]["last_price"]),
                tuple(orders[who]),
            )
            for who, instrument in enumerate(self._instruments)
        )

    def last_id(self) -> int:
        """Return the last id that the engine has given to an order."""
        return int(self._engine.desk[0]["account"]["orders"])

    def _working(self) -> list[tuple[int, Any]]:
        cores = self._engine.instruments["core"]
        pairs = ((who, core[name]) for who, core in enumerate(cores) for name in ("order", "stop_order"))
        return [(who, order) for who, order in pairs if order["state"] in AT_WORK]

    def _limit(self, who: int, order: Any, field: str) -> int:
        return limit_price(int(order["side"]), int(order[field]), self._tick[who], self._rules)

    def _view_of(self, who: int, order: Any) -> OurOrder:
        order_id = int(order["id"])
        prices = {(self._limit(who, order, "price"), int(order["trigger"])), *self._asked.get(order_id, ())}
        if order["asked_price"] > 0:
            prices.add((self._limit(who, order, "asked_price"), int(order["asked_trigger"])))
        return OurOrder(
            order_id,
            int(order["quantity"]),
            frozenset(prices),
            order["state"] in UNANSWERED,
            bool(order["asked_price"] > 0 or order["cancel_sent"]),
            int(order["side"] * order["filled"]),
        )

    def _new_order(self, command: Command, who: int) -> NewOrder:
        side = command.side
        return NewOrder(
            command.order_id,
            self._instruments[who],
            side,
            command.quantity,
            limit_price(side, command.price, self._tick[who], self._rules),
            command.stop,
            self._freeze[who],
            side == codes.SELL,
        )

    def _adopt(self, who: int, order: Any) -> None:
        order_id, side = int(order["id"]), int(order["side"])
        self.who_of[order_id] = who
        self._port.adopt(
            NewOrder(
                order_id,
                self._instruments[who],
                side,
                int(order["quantity"]),
                self._limit(who, order, "price"),
                int(order["trigger"]),
                self._freeze[who],
                side == codes.SELL,
            )
        )

    def _refuse(self, command: Command) -> None:
        """Let an order that may not leave be refused, on the loop's next turn."""
        self._refused.append(command)
        self._host.soon(self._tell_refused)

    def _note_held_back(self, command: Command) -> None:
        """Say once, until the next look, that what is held can't be sold or protected."""
        who = command.instrument
        if command.side == codes.SELL and who not in self._told_held_back:
            self._told_held_back.add(who)
            why = "the books have not been looked at yet" if self._held_back is None else "the broker has less of it"
            of = {"symbol": self._instruments[who].symbol, "order": command.order_id, "input": command.event_sequence}
            self._host.later(partial(self._log.warning, "no sell leaves", **of, why=why))

    def _tell_refused(self) -> None:
        command = self._refused.popleft()
        self._host.tell(codes.ORDER_REJECT, command.instrument, order_id=command.order_id, code=codes.NOT_SENT)

    def _note_fenced(self) -> None:
        if not self._is_fenced:
            self._is_fenced = True
            self._host.soon(self._tell_fenced)

    def _tell_fenced(self) -> None:
        why = "fenced off: another engine or a flattening has taken over the account"
        self._log.error(why, input=self.next_input)
        self._host.tell(codes.ALARM, code=codes.BY_FENCE)
        self._host.stop(why)

    def _on_answer(self, answer: OrderAnswer) -> None:
        who = self.who_of.get(answer.order_id)
        if who is None:
            self.strays += 1
            self._log.warning("an answer of an order that this session does not know", order=answer.order_id)
            return
        order = self._order(who, answer.order_id)
        if answer.kind in ENDED:
            self._asked.pop(answer.order_id, None)
        is_sell = order is not None and order["side"] == codes.SELL
        has_filled = order is not None and order["filled"] > 0  # perhaps for an earlier process: no refusal as a whole
        kind = codes.CANCELLED if answer.kind == codes.ORDER_REJECT and has_filled else answer.kind
        is_late = order is None and kind == codes.FILL
        code = self._doubt_end(who, answer, order, kind) if is_sell else OF_FORGOTTEN if is_late else answer.code
        host, of = self._host, (answer.order_id, answer.filled, answer.value, code)
        event = Event(kind, who, 0, host.now_ns(), host.wall_ns(), 0, 0, 0, 0, *of)
        number = self.next_input
        host.take(event)
        if is_late:
            self._take_late(who, answer, number)
        elif is_sell:
            self._late.hear(answer)
        if self._shadow is not None:
            self._shadow.hear(event)
        if answer.words:
            host.later(partial(self._tell_words, who, answer, number))
        if answer.kind == codes.ORDER_REJECT and not is_sell and is_about_margin(answer.words):
            host.tell(codes.ALARM, code=codes.BY_MARGIN)

    def _order(self, who: int, order_id: int) -> Any:
        """Return what the engine has of an order, None where it has forgotten it."""
        core = self._engine.instruments["core"][who]
        return next((core[name] for name in ("order", "stop_order") if core[name]["id"] == order_id), None)

    def _take_late(self, who: int, answer: OrderAnswer, number: int) -> None:
        """Take a fill of an order that the engine has forgotten: what a sell has sold since goes out of the position, and halts.

        What an entry has bought, or a sell of an earlier process has sold, only the books tell. `number`: of the fill's input.
        """
        self.on_doubt(f"a fill of order {answer.order_id}, which the engine has forgotten")
        units, value = self._late.beyond(answer)
        if units > 0:
            of = {"order": answer.order_id, "quantity": units, "value_paise": value, "input": number}
            self._log.error("a sell has filled after its end", **of)
            self._host.tell(codes.ALARM, code=codes.BY_BOOKS)  # before the other, whose reason is somebody else's trade
            self._host.tell(codes.FOREIGN_TRADE, who, quantity=units, value=value)

    def _doubt_end(self, who: int, answer: OrderAnswer, order: Any, kind: int) -> int:
        """Doubt a sell that the broker refuses or that somebody else cancels: is what it sells held? Return the event's code.

        A broker refuses a sell of what is not there any more for lack of margin: the refusal counts once the books have it.
        """
        sell = f"sell order {answer.order_id} ({int(order['quantity'])} units)"
        if kind == codes.ORDER_REJECT and answer.code == codes.BY_VENUE:
            self.in_doubt.append((who, answer.order_id))
            self.on_doubt(f"{sell} was refused")
            return codes.IN_DOUBT
        if kind == codes.CANCELLED and not order["cancel_sent"] and order["state"] in AT_WORK:
            self.on_doubt(f"{sell} was cancelled by somebody else")
        return answer.code

    def _tell_words(self, who: int, answer: OrderAnswer, number: int) -> None:
        """Log the broker's words, or what we found ourselves; `number`: of the input."""
        of = {"of": codes.EVENT_NAMES[answer.kind], "order": answer.order_id, "input": number}
        words = {"why" if answer.code in _OURS else "words": answer.words}
        what = _OURS.get(answer.code, "the broker says")
        self._log.warning(what, **of, symbol=self._instruments[who].symbol, **words)

    def _on_channel(self, is_up: bool, why: str) -> None:
        if is_up:
            self.channel_lost_ns, self._is_channel_told = None, False
            self._log.info("order channel", up=True)
            return
        if self.channel_lost_ns is None:
            self.channel_lost_ns = self._host.monotonic_ns()
        self._log.warning("order channel", up=False, why=why)


def _not_attached() -> bool:
    raise RuntimeError(
        "an order before the session is at work: orders that a playback makes again must not be sent again"
    )


def _nothing(_why: str) -> None:
    """Look at nothing."""
