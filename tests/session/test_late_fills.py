"""Fills that are told of an order which had been said to be dead: they are booked, and entries halt. Row by row."""

import pytest

from myquant.core import codes
from session.play import Play
from session.working_orders import BOUGHT, works

BUYING = """
    10:00:00  tick 100                |
    10:00:01  tick 100.05             | buy 300 at 100.05 #1
"""


@pytest.mark.parametrize("end", ["reject", "cancelled"])
def test_an_entry_that_was_believed_dead_is_a_position_protected_at_once(end: str) -> None:
    stage = (
        works()
        .play(BUYING)
        .play(f"""
        10:00:02  {end} #1                |
        10:00:03  fill #1 75 at 100.05    | halted books_differ ; opened 75 at 100.05 stop 85.05 ; stop 75 at 85.05 #2
        10:00:03  ack #2                  |
        10:00:04  fill #1 150 at 100.05   | cancel 75 of #2
        10:00:04  cancelled #2            | stop 150 at 85.05 #3
        10:00:04  ack #3                  |
        10:00:05  tick 101                |
        10:00:06  tick 85                 |
        10:00:06  fill #3 150 at 85       | closed 150 at 85.00 stop_loss
        10:00:07  tick 86                 | denied halted
    """)
    )
    assert stage.units() == 0


def test_more_of_a_position_than_was_known_is_protected() -> None:
    works().play(BUYING).play("""
        10:00:02  fill #1 75 at 100.05    | stop 75 at 85.05 #2
        10:00:02  ack #2                  |
        10:00:03  cancelled #1            | opened 75 at 100.05 stop 85.05
        10:00:04  fill #1 225 at 100.05   | halted books_differ ; cancel 75 of #2
        10:00:04  cancelled #2            | stop 225 at 85.05 #3
    """)


def test_a_late_fill_below_the_stop_is_sold_at_once() -> None:
    works().play(BUYING).play("""
        10:00:02  reject #1               |
        10:00:03  tick 80                 |
        10:00:04  fill #1 75 at 100.05    | halted books_differ ; opened 75 at 100.05 stop 85.05 ; sell 75 at 80.00 #2 stop_loss
    """)


def test_a_sell_that_was_believed_dead_leaves_less_to_be_sold() -> None:
    stage = works(execution__exit_retry_s=30, execution__protective_stop=False).play("""
        10:00:00    tick 100                |
        10:00:01    tick 100.05             | buy 300 at 100.05 #1
        10:00:01    fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        10:00:03    tick 85                 | sell 300 at 85.00 #2 stop_loss
        10:00:03.1  fill #2 75 at 85        |
        10:00:03.2  cancelled #2            | closed 75 at 85.00 stop_loss
        10:00:04    fill #2 225 at 85       | halted books_differ ; closed 150 at 85.00 stop_loss
        10:00:33.2  tick 84                 | sell 75 at 84.00 #3 stop_loss
        10:00:33.3  fill #3 75 at 84        | closed 75 at 84.00 stop_loss
    """)
    assert stage.units() == 0


def test_a_stop_order_that_was_believed_dead_takes_from_the_exit_at_work() -> None:
    stage = (
        works(risk__tp_points=[5], risk__tp_percents=[1])
        .play(BOUGHT)
        .play("""
        10:00:05  tick 105.05             | cancel 300 of #2
        10:00:05  cancelled #2            | sell 300 at 105.05 #3 take_profit_1
        10:00:05  ack #3                  |
        10:00:06  fill #2 75 at 85        | halted books_differ ; closed 75 at 85.00 stop_loss ; cancel 300 of #3
        10:00:06  cancelled #3            | sell 225 at 105.05 #4 take_profit_1
        10:00:06  fill #4 225 at 105      | closed 225 at 105.00 take_profit_1
        10:00:07  fill #2 150 at 85       |
    """)
    )
    assert (stage.units(), stage.engine.account().halt) == (0, codes.BY_BOOKS)


def test_what_a_sell_has_filled_beyond_what_is_held_is_no_profit() -> None:
    works(execution__protective_stop=False).play("""
        10:00:00    tick 100                |
        10:00:01    tick 100.05             | buy 300 at 100.05 #1
        10:00:01    fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        10:00:03    tick 85                 | sell 300 at 85.00 #2 stop_loss
        10:00:03.1  ack #2                  |
        10:00:03.2  foreign 150 at 84       | closed 150 at 84.00 foreign_trade ; halted foreign_trade ; cancel 300 of #2
        10:00:03.3  fill #2 75 at 84        |
        10:00:03.4  fill #2 225 at 83       | halted books_differ
        10:00:03.5  cancelled #2            | closed 150 at 83.25 stop_loss
    """)


def test_a_late_fill_of_a_sell_of_what_is_not_held_any_more_is_booked_nowhere() -> None:
    stage = (
        works()
        .play(BOUGHT)
        .play("""
        10:00:05    foreign 300 at 99       | closed 300 at 99.00 foreign_trade ; halted foreign_trade ; cancel 300 of #2
        10:00:05.1  cancelled #2            |
    """)
    )
    before = stage.engine.account()
    stage.play("10:00:06  fill #2 300 at 85   | halted books_differ")
    after = stage.engine.account()
    assert (after.cash, after.trades, after.open_value) == (before.cash, before.trades, before.open_value)
    assert stage.units() == 0


def test_a_late_fill_of_what_cannot_be_is_not_booked() -> None:
    for row in ("fill #1 375 at 100", "fill #1 75 at 0"):
        works().play(BUYING).play(f"""
            10:00:02  cancelled #1        |
            10:00:03  {row}               | halted impossible_order_event
        """)


def test_what_a_lost_entry_has_bought_is_a_position_protected_at_once() -> None:
    stage = works().play("""
        10:00:00  tick 100                |
        10:00:01  funds 110000 #7         |
        10:00:02  lost #7 150 at 99.05    | halted books_differ ; opened 150 at 99.05 stop 84.05 ; stop 150 at 84.05 #8
        10:00:02  ack #8                  |
        10:00:03  lost #7 150 at 99.05    |
        10:00:05  tick 84                 |
        10:00:05  fill #8 150 at 84       | closed 150 at 84.00 stop_loss
        10:00:06  tick 86                 | denied halted
    """)
    assert (stage.units(), stage.engine.account().halt) == (0, codes.BY_BOOKS)


def test_what_a_lost_entry_has_bought_is_not_taken_beside_another_position_or_before_the_day() -> None:
    before = works().play("10:00:00  lost #7 150 at 99.05  |")
    beside = works().play(BOUGHT).play("10:00:02  lost #7 150 at 99.05  |")
    while_at_work = works().play(BUYING).play("10:00:02  lost #7 150 at 99.05  |")
    assert [stage.units() for stage in (before, beside, while_at_work)] == [0, 300, 0]


def test_a_fill_of_an_order_before_the_last_is_counted() -> None:
    stage: Play = works().play(BUYING)
    stage.play("""
        10:00:02  reject #1               |
        10:00:03  tick 100.10             | buy 300 at 100.10 #2
        10:00:04  fill #1 300 at 100.05   |
    """)
    assert (stage.count(codes.COUNT_STALE_ORDER_EVENT), stage.units()) == (1, 0)
