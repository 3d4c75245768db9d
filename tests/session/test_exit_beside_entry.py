"""Exits of what is held while its entry has not ended, as when the answer about one of its slices is lost. Row by row."""

from myquant.core import codes
from session.play import Play
from session.working_orders import works

# Half of the entry is filled; what became of the other half nobody knows, whatever is asked.
HALF = """
    10:00:00  tick 100                |
    10:00:01  tick 100.05             | buy 300 at 100.05 #1
    10:00:01  fill #1 150 at 100.05   | stop 150 at 85.05 #2
"""
LEFT = (
    HALF
    + """
    10:00:01    ack #2                |
    10:00:03    timer                 | cancel 150 of #1
    10:00:03    operator flatten      | cancel 150 of #2
    10:00:03.1  cancelled #2          | sell 150 at 100.05 #3 operator
    10:00:03.2  ack #3                |
"""
)


def left() -> Play:
    return works().play(LEFT)


def test_what_is_known_to_be_held_is_sold_without_waiting_for_the_end_of_the_entry() -> None:
    stage = left().play("""
        10:00:03.3  fill #3 150 at 100    | closed 150 at 100.00 operator
        10:00:36    cancelled #1          |
    """)
    assert (stage.units(), stage.order()) == (0, "cancelled")


def test_refused_sells_beside_an_entry_wait_before_the_next_one() -> None:
    works(execution__exit_retry_s=2).play(LEFT).play("""
        10:00:03.3    reject #3           | stop 150 at 85.05 #4
        10:00:03.301  reject #4           |
        10:00:03.302  tick 100            |
        10:00:04      timer               |
        10:00:05.4    timer               | sell 150 at 100.00 #5 operator
    """)


def test_a_young_stop_order_delays_no_exit_of_which_none_was_refused() -> None:
    works(execution__exit_retry_s=30).play(HALF).play("""
        10:00:01    ack #2                |
        10:00:03    timer                 | cancel 150 of #1
        10:00:03    operator flatten      | cancel 150 of #2
    """)


def test_an_exit_beside_its_entry_is_repriced() -> None:
    left().play("""
        10:00:04.5  tick 99               | modify #3 to 99.00
        10:00:04.6  modified #3           |
        10:00:04.7  fill #3 150 at 99     | closed 150 at 99.00 operator
    """)


def test_what_more_the_entry_buys_is_sold_in_turn_and_never_more_than_is_held() -> None:
    stage = left().play("""
        10:00:03.3  fill #1 225 at 100    |
        10:00:03.4  fill #3 150 at 100    | closed 150 at 100.00 operator ; sell 75 at 100.05 #4 operator
        10:00:03.5  fill #4 75 at 100     | closed 75 at 100.00 operator
        10:00:36    fill #1 300 at 100    | opened 75 at 100.00 stop 85.00 ; sell 75 at 100.05 #5 operator
        10:00:36.1  fill #5 75 at 100     | closed 75 at 100.00 operator
    """)
    assert stage.units() == 0


def test_what_more_the_entry_buys_is_protected_where_no_exit_is_due_any_more() -> None:
    works(risk__tp_points=[5], risk__tp_percents=[1], execution__stop_follow_s=60).play(HALF).play("""
        10:00:01    ack #2                |
        10:00:02.5  tick 105.05           | cancel 150 of #1 ; cancel 150 of #2
        10:00:02.6  cancelled #2          | sell 150 at 105.05 #3 take_profit_1
        10:00:02.7  ack #3                |
        10:00:02.8  tick 101              |
        10:00:02.9  fill #3 75 at 105.05  |
        10:00:03    fill #1 300 at 100.05 | opened 300 at 100.05 stop 85.05 ; stop 150 at 85.05 #4
        10:00:03.1  ack #4                |
        10:00:03.2  fill #3 150 at 105.05 | closed 150 at 105.05 take_profit_1
    """)


def test_no_position_stays_below_its_stop_since_the_entry_does_not_end() -> None:
    works().play(HALF).play("""
        10:00:01.5  reject #2             |
        10:00:01.6  tick 80               | cancel 150 of #1 ; sell 150 at 80.00 #3 stop_loss
        10:00:01.7  fill #3 150 at 80     | closed 150 at 80.00 stop_loss
    """)


def test_a_position_without_a_stop_order_is_closed_though_its_entry_has_not_ended() -> None:
    works(execution__unprotected_max_s=3, execution__exit_retry_s=30).play(HALF).play("""
        10:00:01.1  reject #2             |
        10:00:03    timer                 | cancel 150 of #1
        10:00:04    timer                 | halted position_without_stop ; sell 150 at 100.05 #3 unprotected
    """)


def test_while_a_refused_exit_beside_its_entry_waits_the_position_is_protected() -> None:
    works(execution__exit_retry_s=2).play(LEFT).play("""
        10:00:03.3  reject #3             | stop 150 at 85.05 #4
        10:00:03.4  ack #4                |
        10:00:04    tick 100              |
        10:00:05.3  tick 100              | cancel 150 of #4
        10:00:05.4  cancelled #4          | sell 150 at 100.00 #5 operator
    """)


def test_a_refused_exit_beside_its_entry_waits_where_nothing_protects() -> None:
    works(execution__protective_stop=False, execution__exit_retry_s=2).play("""
        10:00:00    tick 100              |
        10:00:01    tick 100.05           | buy 300 at 100.05 #1
        10:00:01    fill #1 150 at 100.05 |
        10:00:01.5  tick 85               | cancel 150 of #1 ; sell 150 at 85.00 #2 stop_loss
        10:00:01.6  reject #2             |
        10:00:02    tick 84               |
        10:00:03.6  tick 84               | sell 150 at 84.00 #3 stop_loss
    """)


def test_a_tier_waits_for_the_end_of_the_entry_behind_its_stop_order() -> None:
    works().play(HALF).play("""
        10:00:01    ack #2                |
        10:00:02    tick 105.05           | cancel 150 of #1
        10:00:03    tick 105.05           |
        10:00:03    cancelled #1          | opened 150 at 100.05 stop 85.05 ; cancel 150 of #2
        10:00:03    cancelled #2          | sell 75 at 105.05 #3 take_profit_1 ; stop 75 at 85.05 #4
    """)


def test_what_someone_else_sells_cuts_the_exit_beside_the_entry_down() -> None:
    left().play("""
        10:00:04  foreign 75 at 99        | closed 75 at 99.00 foreign_trade ; halted foreign_trade ; cancel 150 of #3
        10:00:04  cancelled #3            | sell 75 at 100.05 #4 operator
    """)


def test_an_entry_whose_part_was_sold_before_it_ended_opens_no_empty_position() -> None:
    stage = (
        works()
        .play(HALF)
        .play("""
        10:00:01    ack #2                |
        10:00:01.5  tick 85               | cancel 150 of #1
        10:00:01.6  fill #2 150 at 85     | closed 150 at 85.00 stop_loss
        10:00:01.7  cancelled #1          |
    """)
    )
    assert stage.engine.account().halt == codes.NOT_HALTED
