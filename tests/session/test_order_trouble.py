"""Orders that meet trouble, row by row: what others sell, what the venue refuses or cancels, what the broker says."""

from myquant.core import codes
from session.working_orders import BOUGHT, TRAILING, works


def test_what_someone_else_sells_leaves_the_position_and_halts() -> None:
    stage = (
        works()
        .play(BOUGHT)
        .play("""
        10:00:05  foreign 75 at 99        | closed 75 at 99.00 foreign_trade ; halted foreign_trade ; cancel 300 of #2
        10:00:05  cancelled #2            | stop 225 at 85.05 #3
        10:00:05  ack #3                  |
        10:00:06  foreign 1000 at 98      | closed 225 at 98.00 foreign_trade ; cancel 225 of #3
        10:00:06  cancelled #3            |
        10:00:07  tick 101                | denied halted
    """)
    )
    assert stage.units() == 0


def test_an_exit_for_more_than_is_left_is_cancelled() -> None:
    works(execution__protective_stop=False).play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:01  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        10:00:03  tick 85                 | sell 300 at 85.00 #2 stop_loss
        10:00:03  ack #2                  |
        10:00:04  foreign 75 at 84        | closed 75 at 84.00 foreign_trade ; halted foreign_trade ; cancel 300 of #2
        10:00:04  cancelled #2            | sell 225 at 85.00 #3 stop_loss
    """)


def test_a_sale_of_what_somebody_else_has_sold_halts_and_is_no_profit() -> None:
    stage = (
        works()
        .play(BOUGHT)
        .play("""
        10:00:05  foreign 300 at 99       | closed 300 at 99.00 foreign_trade ; halted foreign_trade ; cancel 300 of #2
        10:00:05  fill #2 300 at 85       | halted books_differ
    """)
    )
    assert stage.units() == 0


def test_a_refused_sell_in_doubt_counts_only_once_the_books_have_what_it_was_to_sell() -> None:
    stage = (
        works(execution__exit_retry_s=30, risk__max_rejects=2)
        .play(BOUGHT)
        .play("""
        10:00:05  doubted #2              |
        10:00:36  tick 100                | stop 300 at 85.05 #3
        10:00:36  doubted #3              |
        10:00:37  counts #2               |
        10:00:37  counts #3               | halted rejects_in_a_row
        10:00:38  foreign 300 at 99       | closed 300 at 99.00 foreign_trade ; halted foreign_trade
    """)
    )
    assert stage.count(codes.COUNT_ORDER_REJECTS) == 2


def test_no_entry_while_the_stop_order_of_the_last_position_still_works() -> None:
    works().play(BOUGHT).play("""
        10:00:05  foreign 300 at 99       | closed 300 at 99.00 foreign_trade ; halted foreign_trade ; cancel 300 of #2
        10:00:06  operator resume         |
        10:00:07  tick 100                |
        10:00:08  tick 100.05             |
        10:00:09  cancelled #2            |
        10:00:10  tick 100.10             | buy 300 at 100.10 #3
    """)


def test_the_broker_says_what_can_be_spent() -> None:
    stage = works().play("""
        10:00:00  funds 20000             |
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | denied size
        10:00:02  funds 60000             |
        10:00:03  tick 101                | buy 150 at 101.00 #1
        10:00:03  fill #1 150 at 101      | opened 150 at 101.00 stop 86.00 ; stop 150 at 86.00 #2
    """)
    assert stage.engine.account().shortfall == 50_000_00


def test_an_id_that_the_books_have_is_not_given_again() -> None:
    works().play("""
        10:00:00  funds 110000 #7         |
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #8
    """)


def test_a_stop_is_put_down_to_the_price_grid() -> None:
    works().play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:01  fill #1 300 at 100.07   | opened 300 at 100.07 stop 85.07 ; stop 300 at 85.05 #2
    """)


def test_an_operator_flattens_through_the_stop_order() -> None:
    works().play(BOUGHT).play("""
        10:00:05  operator flatten        | cancel 300 of #2
        10:00:05  cancelled #2            | sell 300 at 100.05 #3 operator
        10:00:05  fill #3 300 at 100      | closed 300 at 100.00 operator
    """)


def test_a_stop_for_more_than_is_held_is_cancelled_even_at_its_trigger() -> None:
    works().play(BOUGHT).play("""
        10:00:05    tick 80           |
        10:00:05.5  foreign 75 at 80  | closed 75 at 80.00 foreign_trade ; halted foreign_trade ; cancel 300 of #2
        10:00:06    cancelled #2      | sell 225 at 80.00 #3 stop_loss
    """)


def test_an_exit_that_may_get_no_other_price_is_cancelled_and_sent_anew() -> None:
    works().play(BOUGHT).play("""
        10:00:05  tick 60             |
        10:00:06  tick 59             | modify #2 to 59.00 trigger 85.05
        10:00:06  unchanged #2        | cancel 300 of #2
        10:00:07  cancelled #2        | sell 300 at 59.00 #3 stop_loss
        10:00:07  ack #3              |
        10:00:08  tick 58             | modify #3 to 58.00
        10:00:08  unchanged #3        | cancel 300 of #3
        10:00:08  cancelled #3        | sell 300 at 58.00 #4 stop_loss
    """)


def test_an_exit_that_nobody_buys_goes_lower_step_by_step_and_not_without_end() -> None:
    stage = works(execution__protective_stop=False, execution__protection_percent=2).play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:01  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        10:00:03  tick 80                 | sell 300 at 80.00 #2 stop_loss
        10:00:03  ack #2                  |
        10:00:04  timer                   | modify #2 to 78.40
        10:00:04  modified #2             |
        10:00:05  timer                   | modify #2 to 76.84
        10:00:05  modified #2             |
    """)
    for second in range(6, 40):
        for row in (f"10:00:{second:02} timer", f"10:00:{second:02} modified #2"):
            stage.send(stage.event(row))
    assert stage.engine.instruments[0]["core"]["order"]["price"] == 64_00  # ten protections below the market


def test_while_a_refused_exit_waits_the_position_is_protected() -> None:
    works(risk__tp_points=[5], risk__tp_percents=[1], execution__exit_retry_s=30).play(BOUGHT).play("""
        10:00:05  tick 105.05             | cancel 300 of #2
        10:00:05  cancelled #2            | sell 300 at 105.05 #3 take_profit_1
        10:00:05  reject #3               | stop 300 at 85.05 #4
        10:00:05  ack #4                  |
        10:00:20  tick 106                |
        10:00:35  tick 106                | cancel 300 of #4
        10:00:35  cancelled #4            | sell 300 at 106.00 #5 take_profit_1
    """)


def test_a_sell_that_the_venue_cancels_is_not_sent_again_at_once() -> None:
    works(execution__protective_stop=False).play("""
        10:00:00    tick 100                |
        10:00:01    tick 100.05             | buy 300 at 100.05 #1
        10:00:01    fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        10:00:03    tick 85                 | sell 300 at 85.00 #2 stop_loss
        10:00:03    cancelled #2            |
        10:00:03.5  tick 84                 |
        10:00:04    tick 83                 | sell 300 at 83.00 #3 stop_loss
    """)


def test_a_stop_order_that_somebody_else_cancels_is_replaced_at_once_and_not_over_and_over() -> None:
    works().play(BOUGHT).play("""
        10:00:05    cancelled #2            | stop 300 at 85.05 #3
        10:00:05.2  ack #3                  |
        10:00:05.4  cancelled #3            |
        10:00:05.9  tick 100                |
        10:00:06    tick 100                | stop 300 at 85.05 #4
        10:00:06.1  cancelled #4            |
        10:00:06.9  tick 100                |
        10:00:07    timer                   | stop 300 at 85.05 #5
        10:00:07.1  ack #5                  |
        10:00:09    cancelled #5            | stop 300 at 85.05 #6
    """)


def test_an_exit_that_has_worked_for_a_while_and_is_cancelled_by_the_venue_is_sent_again_at_once() -> None:
    works(execution__protective_stop=False).play("""
        10:00:00    tick 100                |
        10:00:01    tick 100.05             | buy 300 at 100.05 #1
        10:00:01    fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        10:00:03    tick 85                 | sell 300 at 85.00 #2 stop_loss
        10:00:03.1  ack #2                  |
        10:00:04.5  cancelled #2            | sell 300 at 85.00 #3 stop_loss
        10:00:04.6  cancelled #3            |
        10:00:05.4  tick 85                 |
        10:00:05.5  tick 85                 | sell 300 at 85.00 #4 stop_loss
    """)


def test_a_stop_order_grows_though_an_entry_does_not_end() -> None:
    works(execution__order_life_s=2, execution__order_timeout_s=5).play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:01  ack #1                  |
        10:00:01  fill #1 75 at 100.05    | stop 75 at 85.05 #2
        10:00:01  ack #2                  |
        10:00:02  fill #1 225 at 100.05   |
        10:00:03  timer                   | cancel 75 of #1
        10:00:06  timer                   | cancel 75 of #2
        10:00:06  cancelled #2            | stop 225 at 85.05 #3
    """)


def test_a_refusal_that_answers_nothing_is_counted() -> None:
    stage = works().play(BOUGHT).play("10:00:05  unchanged #2  |")
    assert stage.count(codes.COUNT_STALE_ORDER_EVENT) == 1


def test_a_cancellation_that_is_not_wanted_any_more_is_forgotten() -> None:
    works(**TRAILING, risk__tp_points=[7], risk__tp_percents=[1]).play(BOUGHT).play("""
        10:00:02  tick 107.05             | cancel 300 of #2
        10:00:02  unchanged #2            |
        10:00:03  tick 106                |
        10:00:07  tick 106                | modify #2 to 102.05 trigger 102.05
    """)


def test_what_is_known_to_work_of_an_exit_of_unknown_state_is_repriced() -> None:
    works(execution__protective_stop=False).play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:01  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        10:00:03  tick 85                 | sell 300 at 85.00 #2 stop_loss
        10:00:07  tick 82                 |
        10:00:08  timer                   | halted order_of_unknown_state ; modify #2 to 82.00
        10:00:08  modified #2             |
        10:00:09  tick 81                 | modify #2 to 81.00
        10:00:09  unchanged #2            |
        10:00:10  tick 80                 | modify #2 to 80.00
        10:00:10  modified #2             |
        10:00:10  ack #2                  | resumed order_of_unknown_state
        10:00:11  tick 79                 | modify #2 to 79.00
        10:00:12  fill #2 300 at 79       | closed 300 at 79.00 stop_loss
    """)


def test_a_stop_order_of_unknown_state_that_a_price_has_reached_is_repriced() -> None:
    works().play("""
        10:00:00    tick 100              |
        10:00:01    tick 100.05           | buy 300 at 100.05 #1
        10:00:01    fill #1 300 at 100.05 | opened 300 at 100.05 stop 85.05 ; stop 300 at 85.05 #2
        10:00:06    timer                 | halted order_of_unknown_state
        10:00:07    tick 80               |
        10:00:08    tick 79               | modify #2 to 79.00 trigger 85.05
        10:00:08    fill #2 300 at 79     | closed 300 at 79.00 stop_loss ; resumed order_of_unknown_state
    """)


def test_a_stop_order_of_unknown_state_does_not_follow_the_trailing_stop() -> None:
    works(**TRAILING, risk__tp_points=[50], risk__tp_percents=[1]).play("""
        10:00:00    tick 100              |
        10:00:01    tick 100.05           | buy 300 at 100.05 #1
        10:00:01    fill #1 300 at 100.05 | opened 300 at 100.05 stop 85.05 ; stop 300 at 85.05 #2
        10:00:06    timer                 | halted order_of_unknown_state
        10:00:07    tick 107              |
        10:00:08    ack #2                | resumed order_of_unknown_state ; modify #2 to 102.00 trigger 102.00
    """)
