"""The session's orders at a broker: what leaves, what is held back, and what the engine hears."""

from dataclasses import dataclass

import pytest

from myquant.brokers.port import NewOrder, OrderAnswer
from myquant.core import codes, orders
from myquant.core.records import Command, Event
from myquant.journal.codes import OF_FORGOTTEN
from myquant.session.broker_orders import BrokerOrders
from myquant.session.reconciliation import OurOrder, Ours
from myquant.session.sells import is_about_margin
from myquant.session.shadow import Shadow
from session.broker_books import SECOND_NS, TOKENS, Port, Records, Stage, command, instrument
from session.supervised import Lines

BUY_150 = command(codes.SUBMIT, 1, instrument=1, side=codes.BUY, quantity=150, price=10_000)
STOP_150 = command(codes.SUBMIT, 2, instrument=1, side=codes.SELL, quantity=150, price=9_000, stop=9_000, reason=2)


@dataclass
class Gate:
    """A fence that is opened and shut by hand."""

    is_open: bool = True

    def holds(self) -> bool:
        return self.is_open


class Desk:
    """An order gateway with all that it stands on."""

    def __init__(self, records: Records | None = None, shadow: Shadow | None = None) -> None:
        self.records = records or Records()
        self.port, self.stage, self.gate, self.log = Port(), Stage(), Gate(), Lines()
        instruments = [instrument(token) for token in TOKENS]
        self.orders = BrokerOrders(self.records.as_engine(), self.port, instruments, self.gate, self.log, shadow)

    def attached(self) -> "Desk":
        self.orders.attach(self.stage.host)
        self.orders.hold_back(frozenset())
        return self


REFUSED = {"of": "order_reject", "order": 1, "input": 7, "symbol": f"SYMBOL{TOKENS[1]}"}  # as it is told


def test_what_is_primed_is_the_way_of_the_last_order_and_none_before_the_first_or_behind_a_shut_fence() -> None:
    desk = Desk().attached()
    desk.orders.prime(1)
    assert desk.port.primed == []
    desk.records.latest_command = STOP_150._replace(sequence=7)
    desk.orders.prime(0)
    desk.gate.is_open = False
    desk.orders.prime(0)
    (order,) = desk.port.primed
    assert order.instrument.token == TOKENS[0]
    assert (order.side, order.quantity, order.is_exit) == (codes.SELL, 150, True)
    assert desk.port.sent == []


def test_a_fill_of_an_order_that_the_engine_has_forgotten_is_a_doubt() -> None:
    desk = Desk().attached()
    desk.orders.submit(BUY_150)
    doubts: list[str] = []
    desk.orders.on_doubt = doubts.append
    desk.records.set_order(1, "order", id=1)
    desk.port.on_answer(answer(codes.FILL, filled=75, value=750_000))
    assert doubts == []
    desk.records.set_order(1, "order", id=2)
    desk.port.on_answer(answer(codes.FILL, filled=150, value=1_500_000))
    assert doubts == ["a fill of order 1, which the engine has forgotten"]


def test_what_a_sell_fills_after_it_was_replaced_goes_out_of_the_position_at_once() -> None:
    desk = Desk(recovered()).attached()
    desk.port.on_answer(answer(codes.FILL, 6, filled=25, value=225_000))
    desk.port.on_answer(answer(codes.CANCELLED, 6, filled=25, value=225_000))
    desk.records.set_order(0, "stop_order", id=8)  # the next one
    desk.stage.told()
    sale = ("alarm", 0, codes.BY_BOOKS), ("foreign_trade", 0, 0)
    desk.port.on_answer(answer(codes.FILL, 6, filled=100, value=900_000))
    assert desk.stage.events[-1][-4:-1] == (0, 75, 675_000)  # no order of the engine's; units, paise
    late = ("fill", 6, OF_FORGOTTEN)
    assert desk.stage.told() == [late, *sale]
    desk.port.on_answer(answer(codes.FILL, 6, filled=100, value=900_000))
    assert desk.stage.told() == [late], "it is told once"
    desk.port.on_answer(answer(codes.FILL, 6, filled=125, value=1_125_000))
    assert desk.stage.told() == [late, *sale]


def test_of_a_sell_of_an_earlier_process_the_books_tell() -> None:
    desk = Desk(recovered()).attached()
    desk.records.set_order(0, "stop_order", id=8)
    desk.port.on_answer(answer(codes.FILL, 6, filled=100, value=900_000))
    assert desk.stage.told() == [("fill", 6, OF_FORGOTTEN)]


def answer(
    kind: int, order_id: int = 1, *, filled: int = 0, value: int = 0, code: int = 0, words: str = ""
) -> OrderAnswer:
    return OrderAnswer(kind, order_id, filled, value, code, words)


def test_nothing_leaves_before_the_books_were_looked_at_nor_of_what_they_have_less_of() -> None:
    desk = Desk()
    desk.orders.attach(desk.stage.host)
    desk.orders.submit(STOP_150)
    assert desk.port.sent == []
    desk.stage.turn()
    assert [(event.kind, event.code) for event in desk.stage.events] == [(codes.ORDER_REJECT, codes.NOT_SENT)]
    desk.orders.hold_back(frozenset({STOP_150.instrument}))
    desk.orders.submit(STOP_150)
    desk.orders.submit(BUY_150)  # what it bought could not be protected
    assert desk.port.sent == []
    assert [line for line in desk.log.of("warning") if "no sell leaves" in line]
    desk.orders.hold_back(frozenset())
    desk.orders.submit(STOP_150)
    desk.orders.submit(BUY_150._replace(order_id=3))
    assert len(desk.port.sent) == 2


def test_commands_leave_with_their_limits() -> None:
    desk = Desk().attached()
    desk.orders.submit(BUY_150)
    desk.orders.submit(STOP_150)
    desk.orders.modify(command(codes.MODIFY, 2, instrument=1, side=codes.SELL, price=9_500, stop=9_500))
    desk.orders.cancel(command(codes.CANCEL, 1, instrument=1))
    at = instrument(TOKENS[1])
    assert desk.port.sent == [
        ("submit", NewOrder(1, at, codes.BUY, 150, 10_200, 0, 1800, is_exit=False)),
        ("submit", NewOrder(2, at, codes.SELL, 150, 8_820, 9_000, 1800, is_exit=True)),
        ("modify", 2, 9_310, 9_500),
        ("cancel", 1),
    ]
    assert desk.stage.events == []
    assert not desk.orders.busy
    assert desk.orders.answer() is None


def test_nothing_leaves_before_the_session_is_at_work() -> None:
    desk = Desk()
    with pytest.raises(RuntimeError, match="must not be sent again"):
        desk.orders.submit(BUY_150)
    assert desk.port.sent == []


def test_answers_become_events_of_their_instrument() -> None:
    desk = Desk().attached()
    desk.orders.submit(BUY_150)
    desk.records.set_order(1, "order", id=1)
    desk.port.on_answer(answer(codes.FILL, filled=75, value=750_000))
    assert desk.stage.events == [Event(codes.FILL, 1, 0, 1, 2, 0, 0, 0, 0, 1, 75, 750_000, 0)]


def test_an_answer_of_an_unknown_order_is_counted() -> None:
    desk = Desk().attached()
    desk.port.on_answer(answer(codes.ORDER_ACK, 9))
    assert (desk.orders.strays, desk.stage.events) == (1, [])
    assert [level for level, _, _ in desk.log.lines] == ["warning"]


def test_a_lost_fence_holds_everything_back() -> None:
    desk = Desk().attached()
    desk.gate.is_open = False
    desk.orders.submit(BUY_150)
    desk.orders.submit(STOP_150)
    desk.orders.cancel(command(codes.CANCEL, 1))
    desk.orders.modify(command(codes.MODIFY, 2, price=1))
    assert desk.stage.events == [], "nothing is told from within a command"
    desk.stage.turn()
    assert desk.port.sent == []
    assert sorted(desk.stage.told()) == sorted(
        [
            ("alarm", 0, codes.BY_FENCE),
            ("order_reject", 1, codes.NOT_SENT),
            ("order_reject", 2, codes.NOT_SENT),
        ]
    )
    assert len(desk.stage.stopped) == 1
    desk.orders.submit(BUY_150)
    desk.orders.on_timer()
    desk.stage.turn()
    assert desk.stage.told() == [("order_reject", 1, codes.NOT_SENT)]


def test_nothing_is_asked_of_an_order_that_was_held_back() -> None:
    desk = Desk().attached()
    desk.orders.hold_back(frozenset({1}))
    desk.orders.submit(STOP_150)
    desk.orders.modify(command(codes.MODIFY, 2, instrument=1, side=codes.SELL, price=9_500, stop=9_500))
    desk.orders.cancel(command(codes.CANCEL, 2, instrument=1))
    desk.stage.turn()
    assert desk.port.sent == []
    assert desk.stage.told() == [("order_reject", 2, codes.NOT_SENT)]


def test_a_lost_fence_is_noticed_without_an_order() -> None:
    desk = Desk().attached()
    desk.orders.on_timer()
    desk.gate.is_open = False
    desk.orders.on_timer()
    desk.stage.turn()
    assert desk.stage.told() == [("alarm", 0, codes.BY_FENCE)]


def test_a_refusal_for_want_of_margin_halts_and_its_words_are_told_later() -> None:
    desk = Desk().attached()
    desk.orders.submit(BUY_150)
    desk.port.on_answer(answer(codes.ORDER_REJECT, words="RMS: Margin exceeds"))
    assert desk.stage.told() == [("order_reject", 1, codes.BY_VENUE), ("alarm", 0, codes.BY_MARGIN)]
    assert desk.log.lines == []
    desk.stage.turn()
    assert desk.log.lines == [("warning", "the broker says", {**REFUSED, "words": "RMS: Margin exceeds"})]


@pytest.mark.parametrize(("code", "said"), [(codes.NOT_SENT, "not sent"), (codes.NOT_FOUND, "not at the broker")])
def test_what_we_found_ourselves_is_not_put_into_the_brokers_mouth(code: int, said: str) -> None:
    desk = Desk().attached()
    desk.orders.submit(BUY_150)
    desk.port.on_answer(answer(codes.ORDER_REJECT, code=code, words="a reason of ours"))
    desk.stage.turn()
    fields = {**REFUSED, "why": "a reason of ours"}
    assert desk.log.lines == [("warning", said, fields)]


def test_a_refused_sell_is_a_doubt_and_no_want_of_margin() -> None:
    desk = Desk(recovered()).attached()
    doubts: list[str] = []
    desk.orders.on_doubt = doubts.append
    desk.port.on_answer(answer(codes.ORDER_REJECT, 6, words="Insufficient Funds: margin of 150000 required"))
    assert desk.stage.told() == [("order_reject", 6, codes.IN_DOUBT)]
    assert (doubts, desk.orders.in_doubt) == (["sell order 6 (150 units) was refused"], [(0, 6)])
    desk.port.on_answer(answer(codes.ORDER_REJECT, 6, code=codes.NOT_SENT))
    assert desk.stage.told() == [("order_reject", 6, codes.NOT_SENT)]
    assert len(doubts) == 1


@pytest.mark.parametrize(
    ("asked", "expected"), [(0, ["sell order 6 (150 units) was cancelled by somebody else"]), (1, [])]
)
def test_a_sell_that_somebody_else_cancels_is_a_doubt(asked: int, expected: list[str]) -> None:
    desk = Desk(recovered()).attached()
    doubts: list[str] = []
    desk.orders.on_doubt = doubts.append
    desk.records.set_order(0, "stop_order", cancel_sent=asked)
    desk.port.on_answer(answer(codes.CANCELLED, 6))
    assert doubts == expected


def test_other_refusals_do_not_halt_by_margin() -> None:
    desk = Desk().attached()
    desk.orders.submit(BUY_150)
    desk.port.on_answer(answer(codes.ORDER_REJECT, words="the price is outside the band"))
    assert desk.stage.told() == [("order_reject", 1, codes.BY_VENUE)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Insufficient Funds", True),
        ("MARGIN shortfall of 100", True),
        ("insufficient balance", True),
        ("", False),
        ("Invalid quantity", False),
    ],
)
def test_words_about_margin(words: str, expected: bool) -> None:
    assert is_about_margin(words) is expected


def test_a_spent_order_rate_halts_on_a_later_turn() -> None:
    desk = Desk().attached()
    desk.orders.watch(
        [command(codes.DENIED, 0, reason=codes.CASH), command(codes.DENIED, 0, reason=codes.ORDER_RATE), BUY_150]
    )
    assert desk.stage.events == []
    desk.stage.turn()
    assert desk.stage.told() == [("alarm", 0, codes.BY_ORDER_RATE)]


def test_an_order_of_unknown_state_is_a_doubt_and_so_is_what_the_port_doubts() -> None:
    desk = Desk().attached()
    doubts: list[str] = []
    desk.orders.on_doubt = doubts.append
    halted = command(codes.HALTED, 4, reason=codes.BY_UNKNOWN_ORDER)
    desk.orders.watch([halted, halted._replace(reason=codes.BY_OPERATOR)])
    desk.port.on_doubt("reconnected")
    assert doubts == ["order 4 is of unknown state", "reconnected"]


def test_a_channel_that_stays_lost_halts_once() -> None:
    desk = Desk(Records({"broker.channel_max_s": 10.0})).attached()

    def timer_at(second: int) -> list[tuple[str, int, int]]:
        desk.stage.now_ns = second * SECOND_NS
        desk.orders.on_timer()
        return desk.stage.told()

    halted = [("alarm", 0, codes.BY_ORDER_CHANNEL)]
    assert timer_at(9) == []
    assert timer_at(10) == halted, "it was never there"
    assert timer_at(11) == []
    desk.port.on_channel(True, "")
    assert timer_at(40) == []
    desk.port.on_channel(False, "closed")
    desk.port.on_channel(False, "refused")
    assert timer_at(49) == []
    assert timer_at(50) == halted


def recovered() -> Records:
    records = Records()
    records.hold(0, 150)
    records.set_order(0, "order", id=5, state=orders.SENT, side=codes.BUY, quantity=150, price=10_000)
    records.set_order(
        0,
        "stop_order",
        id=6,
        state=orders.WORKING,
        side=codes.SELL,
        quantity=150,
        price=9_000,
        trigger=9_000,
        asked_price=9_500,
        asked_trigger=9_500,
    )
    records.set_order(1, "order", id=7, state=orders.FILLED, side=codes.BUY, quantity=75, price=10_000)
    return records


def test_what_works_in_a_recovered_engine_is_taken_up() -> None:
    desk = Desk(recovered())
    assert desk.orders.attach(desk.stage.host) == 2
    at = instrument(TOKENS[0])
    assert desk.port.sent == [
        ("adopt", NewOrder(5, at, codes.BUY, 150, 10_200, 0, 1800, is_exit=False)),
        ("adopt", NewOrder(6, at, codes.SELL, 150, 8_820, 9_000, 1800, is_exit=True)),
    ]
    desk.port.on_answer(answer(codes.ORDER_REJECT, 5, code=codes.NOT_FOUND))
    assert desk.stage.told() == [("order_reject", 5, codes.NOT_FOUND)]


def test_the_view_has_each_order_with_all_prices_that_it_may_have() -> None:
    desk = Desk(recovered()).attached()
    desk.orders.modify(command(codes.MODIFY, 6, instrument=0, side=codes.SELL, price=9_600, stop=9_600))
    entry = OurOrder(5, 150, frozenset({(10_200, 0)}), is_unanswered=True, is_changing=False)
    prices = frozenset({(8_820, 9_000), (9_310, 9_500), (9_410, 9_600)})
    stop = OurOrder(6, 150, prices, is_unanswered=False, is_changing=True)
    assert desk.orders.view() == (Ours(TOKENS[0], 150, 10_000, (entry, stop)), Ours(TOKENS[1], 0, 10_000, ()))


def test_it_has_no_state_of_its_own() -> None:
    desk = Desk()
    assert desk.orders.snapshot() == b""
    desk.orders.restore(b"")
    with pytest.raises(ValueError, match="have none"):
        desk.orders.restore(b"x")


class Simulated:
    """A simulated exchange that fills every order at once."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.answers: list[Event] = []

    def submit(self, told: Command) -> None:
        self.asked.append(("submit", told.order_id))

    def modify(self, told: Command) -> None:
        self.asked.append(("modify", told.order_id))

    def cancel(self, told: Command) -> None:
        self.asked.append(("cancel", told.order_id))

    def see(self, event: Event) -> None:
        """See nothing."""

    def answer(self) -> Event | None:
        return None


def test_the_shadow_hears_of_what_left_and_of_what_became_of_it_and_later() -> None:
    simulated = Simulated()
    shadow = Shadow(simulated)
    desk = Desk(shadow=shadow).attached()
    desk.orders.submit(BUY_150)
    desk.orders.submit(STOP_150)
    desk.orders.modify(command(codes.MODIFY, 2, instrument=1, side=codes.SELL, price=9_500, stop=9_500))
    desk.orders.cancel(command(codes.CANCEL, 1, instrument=1))
    desk.port.on_answer(answer(codes.CANCELLED))
    desk.gate.is_open = False
    desk.orders.submit(BUY_150)
    assert simulated.asked == [], "it costs an order no time"
    desk.stage.turn()
    assert simulated.asked == [("submit", 1), ("submit", 2), ("modify", 2), ("cancel", 1), ("cancel", 1)]
    assert shadow.summary().under_way == 2
