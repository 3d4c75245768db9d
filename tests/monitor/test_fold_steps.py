"""What is folded from stamps, orders and notes, by hand: small journals and what they must show."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.watched import BEGAN_NS, SECOND_NS, note, view_of
from myquant.brokers import packets
from myquant.core import codes
from myquant.core.records import Command, Event
from myquant.journal import record
from myquant.journal.record import COMMAND, INPUT, NOTE, WORDS, Note, Origin
from myquant.journal.segment import Rows
from myquant.monitor.fold import Fold
from myquant.monitor.fold_notes import set_halt
from myquant.monitor.news import NewsDesk
from myquant.monitor.view import SessionView

LIMIT = {"execution.fill_model": "limit", "execution.order_timeout_s": 5}
US = 1000


class Journal:
    """Records in memory, folded one by one or all at once."""

    def __init__(self, **values: Any) -> None:
        self.values = {**LIMIT, **values}
        self.symbols: tuple[str, ...] = ("NIFTY",)
        self.rows: list[list[int]] = []
        self.sequence = -1

    def add(self, holds: int, body: list[int]) -> None:
        row = [0, len(self.rows) + 1, holds, *body]
        self.rows.append(row + [0] * (WORDS - len(row)))

    def event(
        self, kind: int = codes.TICK, at_s: float = 0.0, *, stamps: tuple[int, int, int] = (0, 0, 0), **fields: int
    ) -> None:
        """Journal an input `at_s` seconds after the beginning; stamps: arrived, decoded, spent (of the one before)."""
        self.sequence += 1
        wall_ns = BEGAN_NS + int(at_s * SECOND_NS)
        blank = dict.fromkeys(Event._fields, 0) | {
            "kind": kind,
            "sequence": self.sequence,
            "time_ns": wall_ns,
            "receive_ns": wall_ns,
        }
        arrived, decoded, spent = stamps
        origin = Origin(arrived, decoded, 0, 0, 0, 1, 0, spent)
        self.add(INPUT, [*Event(**{**blank, **fields}), *origin])

    def command(self, kind: int, **fields: int) -> None:
        blank = dict.fromkeys(Command._fields, 0) | {"kind": kind, "event_sequence": self.sequence}
        self.add(COMMAND, [*Command(**{**blank, **fields})])

    def note(self, given: Note) -> None:
        *head, values = given
        self.add(NOTE, [*head, *values])

    def block(self) -> Rows:
        return np.array(self.rows, np.int64)

    def folded(self) -> SessionView:
        """Return the view; however the journal is cut, it is the same."""
        views = []
        for size in (len(self.rows), 1):
            view = view_of(Path("s"), self.values, self.symbols)
            fold = Fold(view, NewsDesk(view))
            for first in range(0, len(self.rows), size):
                fold.take(self.block()[first : first + size])
            view.spent = []
            views.append(view)
        assert views[0] == views[1]
        return views[0]


def test_stages_are_told_apart_by_what_an_input_led_to() -> None:
    journal = Journal()
    journal.event(stamps=(1000, 3000, 0), price=10_000)  # decoded in 2 us, 10 us in all: no order
    journal.event(stamps=(50_000, 51_000, 10 * US), price=10_000)  # 1 us, 40 us in all: an order
    journal.command(codes.SUBMIT, order_id=1, side=codes.BUY, quantity=75)
    journal.event(codes.TIMER, stamps=(0, 0, 40 * US))
    journal.event(stamps=(90_000, 0, 0), price=10_000)  # not decoded by a stamp
    journal.event(stamps=(95_000, 96_000, 5 * US))  # the last one: what it took is not known yet
    latency = journal.folded().latency
    assert {stage: (each.n, round(each.total * 1e6, 6)) for stage, each in latency.items()} == {
        "total": (3, 55.0),
        "decode": (2, 3.0),
        "decide": (1, 8.0),
        "order": (1, 39.0),
    }


def test_a_journal_without_stamps_has_no_latency() -> None:
    journal = Journal()
    for _ in range(5):
        journal.event(price=10_000)
    view = journal.folded()
    assert (view.latency, view.round_trip, view.slippage) == ({}, None, {})
    assert (view.telemetry, view.ledger, view.beat_wall_ns) == (None, None, None)


@pytest.mark.parametrize(
    ("behind_ms", "least_ms", "count"),
    [
        ([5, 3, 9], 3, 3),
        ([-2000, 3, 9], -2000, 3),  # the machine's clock is slow
        ([86_400_000, 86_400_001], None, 0),  # a day of the past is played
        ([19_800_000, 19_800_001], 19_800_000, 0),  # the clock is set to the wrong zone's time
        ([-19_800_000], -19_800_000, 0),
    ],
)
def test_the_delay_is_that_of_the_packets(behind_ms: list[int], least_ms: int | None, count: int) -> None:
    journal = Journal()
    for at, delay in enumerate(behind_ms):
        journal.event(at_s=at, time_ns=BEGAN_NS + at * SECOND_NS - delay * 10**6, price=1)
    view = journal.folded()
    assert view.delay_min_ns == (None if least_ms is None else least_ms * 10**6)
    assert (view.feed_delay.n if view.feed_delay else 0) == count


def test_the_least_delay_is_of_the_last_minute() -> None:
    journal = Journal()
    for at, delay in ((0, 1), (59, 7), (61, 9)):
        journal.event(at_s=at, time_ns=BEGAN_NS + at * SECOND_NS - delay, price=1)
    assert journal.folded().delay_min_ns == 7


def bought(journal: Journal, order_id: int = 1, price: int = 10_000, filled_at: int = 10_020) -> None:
    """Journal an entry of 75 that is acknowledged after 20 ms and filled."""
    journal.event(at_s=1, stamps=(10**9, 0, 0), price=price)
    journal.command(
        codes.SUBMIT, order_id=order_id, side=codes.BUY, quantity=75, price=price, time_ns=BEGAN_NS + SECOND_NS
    )
    journal.event(codes.ORDER_ACK, 1.02, stamps=(10**9 + 20 * 10**6, 0, 0), order_id=order_id)
    journal.event(codes.FILL, 1.5, order_id=order_id, quantity=75, value=75 * filled_at)


def test_an_order_is_followed_from_its_decision_to_its_fill() -> None:
    journal = Journal()
    bought(journal)
    view = journal.folded()
    order, held = view.orders[1], view.instruments[0]
    assert (order.state, order.filled, order.last_price, order.sent_mono_ns) == ("filled", 75, 10_000, 10**9)
    assert (held.quantity, held.entry_price, held.opened_wall_ns) == (75, 10_020, BEGAN_NS + 1_500_000_000)
    assert view.round_trip is not None
    assert (view.round_trip.n, round(view.round_trip.total, 6)) == (1, 0.02)
    assert (view.slippage["entry"].n, round(view.slippage["entry"].total, 6)) == (1, 0.2)
    assert view.order_ends == {"sent": 1, "filled": 1}


def test_a_fill_that_is_told_twice_counts_once_and_a_late_one_counts() -> None:
    journal = Journal()
    bought(journal)
    journal.event(codes.FILL, 2, order_id=1, quantity=75, value=75 * 10_020)
    journal.command(codes.SUBMIT, order_id=2, side=codes.SELL, quantity=75, reason=codes.STOP_LOSS)
    journal.event(codes.CANCELLED, 3, order_id=2)
    journal.event(codes.FILL, 4, order_id=2, quantity=25, value=25 * 9_000)
    view = journal.folded()
    assert (view.instruments[0].quantity, view.orders[2].state) == (50, "cancelled")
    assert view.order_ends == {"sent": 2, "filled": 1, "cancelled": 1}


def test_a_position_is_bare_until_its_stop_order_rests_and_when_it_goes() -> None:
    journal = Journal()
    bought(journal)
    assert journal.folded().instruments[0].bare_since_ns == BEGAN_NS + 1_500_000_000
    journal.command(codes.SUBMIT, order_id=2, side=codes.SELL, quantity=75, stop=9_500, time_ns=BEGAN_NS + SECOND_NS)
    assert journal.folded().instruments[0].bare_since_ns is not None  # sent is not there yet
    journal.event(codes.ORDER_ACK, 2, order_id=2)
    assert journal.folded().instruments[0].bare_since_ns is None
    journal.event(codes.CANCELLED, 3, order_id=2)
    assert journal.folded().instruments[0].bare_since_ns == BEGAN_NS + 3 * SECOND_NS
    journal.values["execution.protective_stop"] = False
    assert journal.folded().instruments[0].bare_since_ns is None


def test_a_position_stays_bare_while_its_stop_orders_are_accepted_and_refused_at_once() -> None:
    journal = Journal()
    bought(journal)
    for number in range(2, 9):  # one a second, each at work for ten milliseconds
        journal.command(codes.SUBMIT, order_id=number, side=codes.SELL, quantity=75, stop=9_500)
        journal.event(codes.ORDER_ACK, number, order_id=number)
        journal.event(codes.ORDER_REJECT, number + 0.01, order_id=number, code=codes.BY_VENUE)
    assert journal.folded().instruments[0].bare_since_ns == BEGAN_NS + 1_500_000_000


def test_an_order_that_comes_of_an_answer_has_a_time_too() -> None:
    journal = Journal()
    bought(journal)
    journal.command(codes.SUBMIT, order_id=2, side=codes.SELL, quantity=75, stop=9_500, time_ns=BEGAN_NS + SECOND_NS)
    order = journal.folded().orders[2]
    assert order.sent_wall_ns == BEGAN_NS + 1_500_000_000
    assert 0 < order.sent_mono_ns < SECOND_NS * 10**6  # of the last packet before it


def test_that_all_is_closed_hides_no_graver_halt() -> None:
    journal = Journal()
    journal.event(price=10_000)
    journal.command(codes.HALTED, reason=codes.BY_JOURNAL)
    journal.event(codes.OPERATOR, 1, code=codes.ASK_FLATTEN)
    assert journal.folded().halt == "journal"
    journal.event(codes.OPERATOR, 2, code=codes.ASK_RESUME)
    assert journal.folded().halt == ""


@pytest.mark.parametrize(
    ("code", "ends"),
    [
        (codes.BY_VENUE, {"rejected": 1}),
        (codes.NOT_SENT, {"not_sent": 1}),
        (codes.NOT_FOUND, {"not_found": 1}),
        (codes.IN_DOUBT, {"rejected": 1}),
        (codes.COUNTS_NOW, {}),
    ],
)
def test_who_refused_an_order_is_told_apart(code: int, ends: dict[str, int]) -> None:
    journal = Journal()
    journal.event(price=10_000)
    journal.command(codes.SUBMIT, order_id=1, side=codes.BUY, quantity=75)
    journal.event(codes.ORDER_REJECT, order_id=1, code=code)
    assert journal.folded().order_ends == {"sent": 1, **ends}


def test_an_order_without_an_answer_becomes_unknown_and_an_answer_ends_that() -> None:
    journal = Journal()
    journal.event(price=10_000)
    journal.command(codes.SUBMIT, order_id=1, side=codes.BUY, quantity=75, time_ns=BEGAN_NS)
    journal.event(codes.TIMER, 4.9)
    assert journal.folded().orders[1].state == "sent"
    journal.event(codes.TIMER, 5)
    assert journal.folded().orders[1].state == "unknown"
    journal.event(codes.ORDER_ACK, 6, order_id=1)
    assert journal.folded().orders[1].state == "working"


def test_trades_that_are_not_ours_are_named_until_a_resume_that_came_after_them() -> None:
    journal = Journal()
    journal.event(codes.FOREIGN_TRADE, 1, quantity=75, value=75 * 9_900)
    journal.command(codes.HALTED, reason=codes.BY_FOREIGN_TRADE)
    (trade,) = journal.folded().differences
    assert trade == (BEGAN_NS + SECOND_NS, codes.BY_FOREIGN_TRADE, "sold 75 NIFTY at 99.00")
    journal.event(codes.OPERATOR, 5, code=codes.ASK_RESUME)
    assert journal.folded().differences == []
    view = view_of(Path("s"))
    view.halt = "foreign_trade"
    view.note_difference(BEGAN_NS + 9 * SECOND_NS, codes.BY_BOOKS, "by the log, which is ahead of the journal")
    set_halt(view, "", BEGAN_NS + 5 * SECOND_NS)
    assert len(view.differences) == 1


def test_what_orders_cost_and_how_long_they_took_is_added_up() -> None:
    journal = Journal()
    bought(journal)
    journal.event(at_s=2, stamps=(2 * 10**9, 0, 0), price=10_000, bid=9_980, ask=10_010)
    journal.command(codes.SUBMIT, order_id=2, side=codes.SELL, quantity=75, time_ns=BEGAN_NS + 2 * SECOND_NS)
    journal.event(codes.FILL, 2.5, order_id=2, quantity=25, value=25 * 9_970)
    half = journal.folded()
    assert (half.partial_fills, half.slippage_paise["quote"]) == (1, {"exit": 25 * 10})
    journal.event(codes.FILL, 3, order_id=2, quantity=75, value=75 * 9_970)
    view = journal.folded()
    assert view.slippage_paise == {"decision": {"entry": 75 * 20, "exit": 75 * 30}, "quote": {"exit": 75 * 10}}
    assert (view.partial_fills, view.orders_timed_out) == (1, 0)
    assert {name: {role: each.n for role, each in by_role.items()} for name, by_role in view.order_steps.items()} == {
        "order_send": {"entry": 1, "exit": 1},  # simulated: at once
        "order_ack": {"entry": 1},
        "order_fill": {"entry": 1},
    }


def test_an_entry_that_the_journal_has_lost_is_held() -> None:
    journal = Journal()
    journal.event(codes.FILL, order_id=9, quantity=75, value=75 * 10_000, code=codes.OF_LOST_ORDER)
    view = journal.folded()
    assert (view.holds, view.slippage) == ({"NIFTY": 75}, {})


def test_notes_say_how_the_process_and_the_account_stand() -> None:
    journal = Journal()
    journal.note(note(record.STARTED, 0, 77))
    journal.note(note(record.FEED, 0, number=1))
    journal.note(note(record.FEED, 1, number=2))
    journal.note(note(record.FEED, 1, number=-1))
    counts = [0] * 16
    counts[packets.DUPLICATE] = 3
    journal.note(note(record.COUNTS, 0, *counts))
    journal.note(note(record.BEAT, 0, 40, 30, 20, 5_000, 100, BEGAN_NS))
    journal.note(note(record.TELEMETRY, 0, *range(16)))
    journal.note(note(record.LEDGER, codes.BY_MARGIN, *range(16)))
    view = journal.folded()
    assert view.process is not None
    assert (view.process.pid, view.starts, view.connections) == (77, 1, {1: True, 2: False})
    assert (view.frames, view.records_left, view.packet_mono_ns, view.exchange_ns) == (40, 100, 5_000, BEGAN_NS)
    assert view.telemetry is not None
    assert view.telemetry.queue_room == 6
    assert view.ledger is not None
    assert view.ledger.day_pnl == 2
    assert (view.halt, view.ticks_unused) == ("margin", {"duplicate": 3})
    journal.note(note(record.STARTED, 0, 78))
    counts[packets.DUPLICATE] = 2
    journal.note(note(record.COUNTS, 0, *counts))
    again = journal.folded()
    assert (again.telemetry, again.beat_wall_ns, again.starts, again.ticks_unused) == (None, None, 2, {"duplicate": 5})
    journal.note(note(record.STOPPED, 5))
    assert journal.folded().stopped_code == 5


@pytest.mark.parametrize(
    ("code", "day_stopped", "halt"),
    [(0, 0, ""), (0, 1, "day_loss"), (codes.BY_BOOKS, 1, "books_differ"), (100, 0, "flatten")],
)
def test_the_ledger_says_what_halts_entries(code: int, day_stopped: int, halt: str) -> None:
    journal = Journal()
    journal.event(codes.OPERATOR, code=codes.ASK_FLATTEN)
    journal.note(note(record.LEDGER, code, *[0] * 13, day_stopped))
    assert journal.folded().halt == halt


def test_an_answer_after_a_restart_of_the_machine_is_timed_by_its_clock() -> None:
    journal = Journal()
    journal.note(note(record.STARTED, 0, 77, mono_ns=5000 * SECOND_NS))
    journal.event(at_s=1, stamps=(5001 * SECOND_NS, 0, 0))
    journal.command(codes.SUBMIT, order_id=1, side=codes.BUY, quantity=75)
    journal.note(note(record.STARTED, 0, 78, wall_ns=BEGAN_NS + 900 * SECOND_NS, mono_ns=9000 * SECOND_NS))
    journal.event(codes.ORDER_ACK, 901, order_id=1)
    trip = journal.folded().round_trip
    assert trip is not None
    assert (trip.n, trip.total) == (1, 900)


def test_what_is_held_is_as_its_last_note_says_until_it_is_sold() -> None:
    """Of each instrument; and what an earlier process said holds no more."""
    journal = Journal()
    journal.symbols = ("NIFTY", "BANKNIFTY")
    journal.note(note(record.STARTED, 0, 77))
    journal.command(codes.SUBMIT, order_id=1, side=codes.BUY, quantity=75, price=10_000)
    journal.event(codes.FILL, order_id=1, quantity=75, value=750_000)
    for stop in (9_000, 9_100):
        for who in (1, 0):
            journal.note(note(record.POSITION, 0, 1, 75, 75, 10_000, BEGAN_NS, 750_000, stop + who, number=who))
    journal.note(note(record.POSITION, 0, 9, number=2))  # of an instrument that is not known
    journal.note(note(record.SENT, record.SENT_SUBMIT, 1, 5))
    held = [each.holding for each in journal.folded().instruments]
    assert [each and (each.quantity, each.stop) for each in held] == [(75, 9_100), (75, 9_101)]
    rows = len(journal.rows)
    journal.command(codes.SUBMIT, order_id=2, side=codes.SELL, quantity=75, price=10_000, reason=codes.TAKE_PROFIT)
    journal.event(codes.FILL, order_id=2, quantity=75, value=750_000)
    held = [each.holding for each in journal.folded().instruments]
    assert (held[0], held[1] and held[1].stop) == (None, 9_101)
    del journal.rows[rows:]
    journal.note(note(record.STARTED, 0, 78))
    assert [each.holding for each in journal.folded().instruments] == [None, None]


def test_news_are_for_people() -> None:
    journal = Journal()
    journal.event(codes.FEED_STATUS, code=codes.FEED_HEALTHY)
    journal.event(codes.FEED_STATUS, code=codes.FEED_IS_STALE)
    journal.event(codes.FEED_STATUS, code=codes.FEED_HEALTHY)
    journal.command(codes.POSITION_OPENED, quantity=75, price=10_005, stop=9_500)
    journal.command(codes.TRADE_CLOSED, quantity=75, price=11_000, reason=codes.TAKE_PROFIT, net=70_050, charges=4_575)
    journal.note(note(record.STOPPED, 0))
    assert [(each.kind, each.text) for each in journal.folded().news] == [
        ("day_start", "09:15:00 IST the day begins: strategy default on NIFTY; the feed is healthy"),
        ("entry", "09:15:00 IST bought 75 NIFTY at 100.05, stop 95.00; closed trades of the day ₹0.00"),
        (
            "exit",
            "09:15:00 IST sold 75 NIFTY at 110.00: Take profit 1, net +₹700.50; closed trades of the day +₹700.50",
        ),
        ("day_end", "09:15:00 IST P&L of the day +₹700.50, 1 trade, charges ₹45.75"),
    ]


def test_what_inputs_took_is_handed_over_in_bounds() -> None:
    journal = Journal()
    for at in range(200):
        journal.event(stamps=(1000 * at + 1, 0, 500), price=1)
    view = view_of(Path("s"), LIMIT)
    fold = Fold(view, NewsDesk(view))
    for row in journal.block():
        fold.take(row.reshape(1, WORDS))
    assert len(view.spent) == 64
    assert view.spent[0].spent_ns.tolist() == [500]


def test_an_order_that_no_packet_led_to_was_sent_when_the_last_one_came() -> None:
    journal = Journal()
    journal.event(codes.TIMER)  # before any packet
    journal.command(codes.SUBMIT, order_id=6, quantity=75, time_ns=BEGAN_NS)
    journal.event(at_s=1, stamps=(41 * SECOND_NS, 0, 0))
    journal.event(codes.TIMER, at_s=1)
    journal.command(codes.SUBMIT, order_id=7, quantity=75, time_ns=BEGAN_NS)
    assert [order.sent_mono_ns // SECOND_NS for order in journal.folded().orders.values()] == [0, 41]
