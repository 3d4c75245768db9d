"""The lives of orders: what was decided, when it left, what came of it."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from execution.conftest import Played
from execution.made_journal import BEGAN_NS, BOOT_NS, MS, SECOND_NS, Made
from laws.driver import settings
from myquant.core import codes, orders
from myquant.execution.figures import delays_of, slippage_of, time_in_states
from myquant.execution.life import OrderLife, Stamp, gap_ns
from myquant.execution.lives import Lives
from myquant.journal.codes import OF_FORGOTTEN
from myquant.journal.reader import JournalReader
from myquant.journal.record import SENT_CANCEL
from session.sessions import LIMIT


def lives_of(made: Made, *, is_simulated: bool = False, **values: Any) -> Lives:
    config = settings({"execution.order_timeout_s": 5, **values}).config
    return made.take_into(Lives(("NIFTY", "BANKNIFTY"), config, is_simulated=is_simulated))


def bought() -> Made:
    """Return an entry at a broker's: it left 3 ms after its decision and was filled in two parts."""
    made = Made()
    made.tick(1, 10_000, 9_990, 10_010)
    made.submit(1, 1)
    made.event(codes.ORDER_ACK, 1.024, order_id=1)
    made.fill(1.5, 1, 50, 10_020)
    made.left(1.004, 1, noted_s=0.5)  # notes are put off
    made.left(1.010, 1, part=2, noted_s=0.5)
    made.left(1.020, 1, code=SENT_CANCEL, noted_s=0.5)
    made.event(codes.FILL, 1.75, order_id=1, quantity=75, value=50 * 10_020 + 25 * 10_050)
    return made


def test_an_order_is_followed_from_its_decision_to_its_end() -> None:
    life = lives_of(bought()).orders[1]
    assert (life.role, life.state, life.filled, life.day) == ("entry", "filled", 75, "2025-10-03")
    assert life.decision is not None
    assert life.decision[2:] == (10_000, 9_990, 10_010)
    assert life.decision.at[:3] == (BEGAN_NS + SECOND_NS, BEGAN_NS + SECOND_NS, BOOT_NS + SECOND_NS + MS)
    assert life.sent is not None
    assert life.sent[:3] == (None, BEGAN_NS + SECOND_NS + 4 * MS, BOOT_NS + SECOND_NS + 4 * MS)
    assert life.sent_last is not None
    assert (life.sent_last.mono_ns, life.waited_ns, life.slices) == (BOOT_NS + SECOND_NS + 10 * MS, 6 * MS, 2)
    assert [(fill.units, fill.value) for fill in life.fills] == [(50, 501_000), (25, 251_250)]
    delays = delays_of(life, is_simulated=False)
    assert delays == (3 * MS, 20 * MS, 476 * MS, 749 * MS)
    assert time_in_states(life, is_simulated=False) == {"sent": 23 * MS, "working": 476 * MS, "partial": 250 * MS}
    assert slippage_of(life) == (752_250 - 750_000, 752_250 - 750_750, None)


def test_a_stop_order_is_held_against_the_trigger_that_it_has() -> None:
    made = bought()
    made.submit(2, 2, codes.SELL, stop=9_800, price=9_800, reason=codes.STOP_LOSS)
    made.event(codes.ORDER_ACK, 2.1, order_id=2)
    made.command(codes.MODIFY, 3, order_id=2, price=9_900, stop=9_900, reason=codes.TRAILING_STOP)
    made.event(codes.MODIFIED, 3.1, order_id=2)
    made.command(codes.MODIFY, 4, order_id=2, price=9_950, stop=9_950, reason=codes.TRAILING_STOP)
    made.event(codes.CHANGE_REJECT, 4.1, order_id=2)
    made.fill(5, 2, 75, 9_880)
    life = lives_of(made).orders[2]
    assert (life.role, life.reason, life.trigger) == ("stop", "trailing_stop", 9_900)
    assert (life.changes_asked, life.changes_made, life.changes_refused) == (2, 1, 1)
    assert slippage_of(life) == (75 * 20, None, None)


def refused(code: int) -> OrderLife:
    made = Made()
    made.tick(1, 10_000)
    made.submit(1, 1)
    made.event(codes.ORDER_REJECT, 1.1, order_id=1, code=code)
    return lives_of(made).orders[1]


@pytest.mark.parametrize(
    ("code", "state", "refusal", "is_answered"),
    [
        (codes.BY_VENUE, "rejected", "by_broker", True),
        (codes.IN_DOUBT, "rejected", "by_broker", True),
        (codes.NOT_SENT, "rejected", "not_sent", False),
        (codes.NOT_FOUND, "rejected", "not_found", True),
        (codes.COUNTS_NOW, "sent", "", False),
    ],
)
def test_a_refusal_says_who_refused(code: int, state: str, refusal: str, *, is_answered: bool) -> None:
    life = refused(code)
    assert (life.state, life.refusal, life.answered is not None) == (state, refusal, is_answered)
    assert slippage_of(life) == (None, None, None)


def test_an_order_without_an_answer_is_unknown_until_it_has_one() -> None:
    made = Made()
    made.tick(1, 10_000)
    made.submit(1, 1)
    made.submit(1, 2)
    made.event(codes.TIMER, 5.9)
    made.event(codes.ORDER_ACK, 5.95, order_id=2)
    assert lives_of(made).orders[1].state == "sent"
    made.event(codes.TIMER, 6)
    made.event(codes.TIMER, 7)
    lives = lives_of(made)
    assert [life.state for life in lives.orders.values()] == ["unknown", "working"]
    made.fill(9, 1, 75, 10_000)
    life = lives_of(made).orders[1]
    assert [state for state, _ in life.states] == ["sent", "unknown", "filled"]
    assert life.was_unknown
    assert time_in_states(life, is_simulated=True) == {"sent": 5 * SECOND_NS, "unknown": 3 * SECOND_NS}


def test_what_the_journal_knows_no_order_of_is_told() -> None:
    made = bought()
    made.event(codes.FOREIGN_TRADE, 3, quantity=25, value=25 * 9_900)
    made.event(codes.FILL, 4, order_id=9, quantity=75, value=75 * 10_000, code=codes.OF_LOST_ORDER)
    lives = lives_of(made)
    assert [(each.units, each.value, each.order_id) for each in lives.foreign] == [
        (-25, 25 * 9_900, None),
        (75, 75 * 10_000, 9),
    ]
    assert lives.orders[9].decision is None
    assert delays_of(lives.orders[9], is_simulated=False) == (None, None, None, None)


def test_a_fill_of_an_order_that_the_engine_has_forgotten_is_the_orders_and_no_lost_one() -> None:
    made = bought()
    made.submit(2, 2, codes.SELL, stop=9_800)
    made.event(codes.CANCELLED, 3, order_id=2)
    for order_id in (2, 9):  # 9: it was long ago
        made.fill(4, order_id, 50, 9_800, code=OF_FORGOTTEN)
    lives = lives_of(made)
    assert [(each.units, each.is_late) for each in lives.orders[2].fills] == [(50, True)]
    assert (sorted(lives.orders), lives.foreign) == ([1, 2], [])


def test_what_is_told_twice_or_late_changes_what_it_may() -> None:
    made = bought()
    made.fill(2, 1, 50, 10_020)  # told again
    made.event(codes.CANCELLED, 2.1, order_id=1)
    made.submit(3, 2)
    made.command(codes.CANCEL, 3.5, order_id=2)
    made.event(codes.CANCELLED, 4, order_id=2)
    made.fill(5, 2, 25, 10_000)  # it was on its way
    lives = lives_of(made)
    assert (lives.orders[1].state, len(lives.orders[1].fills)) == ("filled", 2)
    assert (lives.orders[2].state, lives.orders[2].filled, lives.orders[2].cancels_asked) == ("cancelled", 25, 1)


@pytest.mark.parametrize(
    ("up_s", "took_s"),
    [(None, 1000), (40, 1000), (9000, 1000)],  # the process only; the machine, too, up shorter or longer than before
)
def test_a_delay_over_a_restart_of_the_machine_is_by_the_machines_clock(up_s: float | None, took_s: int) -> None:
    made = Made()
    made.begun(0)
    made.tick(1, 10_000)
    made.submit(1, 1)
    made.begun(900, up_s=up_s)
    made.tick(1000.5, 10_000)
    made.fill(1001, 1, 75, 10_000)
    life = lives_of(made).orders[1]
    assert life.fills[0].at.mono_ns == made.boot_ns + 1001 * SECOND_NS
    found = delays_of(life, is_simulated=False).decision_to_last_fill
    assert found == took_s * SECOND_NS - (MS if up_s is None else 0)  # it was decided 1 ms after the packet came


def test_simulated_orders_are_timed_by_the_exchange() -> None:
    life = lives_of(bought(), is_simulated=True).orders[1]
    assert life.sent is not None
    assert delays_of(life, is_simulated=True) == (0, 24 * MS, 476 * MS, 750 * MS)


@pytest.mark.parametrize(
    ("before", "after", "by_exchange", "gap"),
    [
        (Stamp(1, 10, 100), Stamp(3, 15, 110), False, 10),
        (Stamp(1, 10, 100), Stamp(3, 15, 110), True, 2),
        (Stamp(1, 10, None), Stamp(3, 15, 110), False, 5),
        (Stamp(1, 10, 100), Stamp(3, 15, 90), False, 5),
        (Stamp(1, 10, 100), Stamp(3, 15, 300, 1), False, 5),  # the machine was started anew
        (Stamp(1, 10, 100, 2), Stamp(3, 9, 300, 3), False, None),
        (Stamp(1, 10, 100, 1), Stamp(3, 15, 110, 2), True, 2),
        (Stamp(1, 10, None), Stamp(3, 9, None), False, None),
        (Stamp(None, 10, 100), Stamp(3, 15, 110), True, None),
        (None, Stamp(3, 15, 110), False, None),
    ],
)
def test_a_gap_is_by_the_clock_that_knows_it(
    before: Stamp | None, after: Stamp | None, *, by_exchange: bool, gap: int | None
) -> None:
    assert gap_ns(before, after, by_exchange=by_exchange) == gap


def test_orders_that_have_ended_go_where_few_are_kept() -> None:
    made = Made()
    made.tick(1, 10_000)
    for order_id in range(1, 6):
        made.submit(1, order_id)
        if order_id != 2:
            made.fill(1, order_id, 75, 10_000)
    ended: list[int] = []
    config = settings({}).config
    lives = Lives(
        ("NIFTY",), config, is_simulated=False, orders_max=2, on_ended=lambda life: ended.append(life.order_id)
    )
    for at_s in range(10, 14):
        made.event(codes.FOREIGN_TRADE, at_s, quantity=at_s, value=100)
        made.command(codes.TRADE_CLOSED, at_s, quantity=at_s, reason=codes.FOREIGN_EXIT)
    made.take_into(lives)
    assert (sorted(lives.orders), ended) == ([2, 5], [1, 3, 4, 5])
    assert [each.units for each in lives.foreign] == [-12, -13]
    assert [each.units for each in lives.trades] == [12, 13]


def session_lives(played: Played, cuts: int = 0, seed: int = 0) -> Lives:
    rows = np.concatenate(list(JournalReader(played.folder).blocks()))
    rng = np.random.default_rng(seed)
    lives = Lives(("NIFTY",), settings(LIMIT).config, is_simulated=True)
    for first, last in pairwise(sorted({0, len(rows), *rng.integers(0, len(rows), cuts).tolist()})):
        lives.take(rows[first:last])
    return lives


def test_where_a_journal_is_cut_makes_no_difference(played: Played) -> None:
    whole = session_lives(played)
    for seed in range(3):
        cut = session_lives(played, 200, seed)
        assert (cut.orders, cut.trades, cut.foreign, cut.days) == (
            whole.orders,
            whole.trades,
            whole.foreign,
            whole.days,
        )


def test_orders_stand_as_the_engine_has_them(played: Played) -> None:
    lives = session_lives(played)
    account = played.run.session.engine.desk[0]["account"]
    core = played.run.session.engine.instruments["core"][0]
    assert len(lives.orders) == account["orders"] > 20
    assert len(lives.trades) == account["trades"] > 0
    assert sum(life.side * life.filled for life in lives.orders.values()) == core["position"]["quantity"]
    for order in (core["order"], core["stop_order"]):
        life = lives.orders[int(order["id"])]
        assert life.state == orders.STATE_NAMES[int(order["state"])]
        assert (life.filled, life.value, life.trigger or 0) == (order["filled"], order["value"], order["trigger"])
