"""What the answers to an order do, row by row, with the ledger balanced after each of them."""

from decimal import Decimal
from typing import Any

from myquant.core import codes
from session.play import Play

BOUGHT = """
    10:00:00  tick 100                |
    10:00:01  tick 100.05             | buy 300 at 100.05 #1
    10:00:02  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
"""


def test_an_entry_is_acknowledged_and_filled_later() -> None:
    stage = Play().play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:01  tick 100.10             |
        10:00:01  ack #1                  |
        10:00:02  tick 100.20             |
        10:00:02  fill #1 300 at 100.15   | opened 300 at 100.15 stop 85.15
        10:00:03  tick 85.20              |
        10:00:04  tick 85.15              | sell 300 at 85.15 #2 stop_loss
        10:00:04  tick 85                 |
        10:00:05  ack #2                  |
        10:00:05  fill #2 300 at 84.90    | closed 300 at 84.90 stop_loss
    """)
    assert (stage.order(), stage.units(), stage.history("entries_today")) == ("filled", 0, 1)


def test_an_entry_is_refused_by_the_exchange() -> None:
    stage = Play(strategy__control_base_sl=True, risk__max_positions_per_day=1).play("""
        10:00:00  tick 100       |
        10:00:01  tick 100.05    | buy 300 at 100.05 #1
        10:00:02  reject #1      |
    """)
    # it is not an entry for any rule: the only entry of the day is still to be had
    assert (stage.order(), stage.units(), stage.history("entries_today")) == ("rejected", 0, 0)
    stage.play("""
        10:00:03  tick 100.10            | buy 300 at 100.10 #2
        10:00:04  fill #2 300 at 100.10  | opened 300 at 100.10 stop 85.10
        10:00:05  tick 85                | sell 300 at 85.00 #3 stop_loss
        10:00:06  fill #3 300 at 85      | closed 300 at 85.00 stop_loss
        10:00:07  tick 86                |
    """)
    assert stage.count(codes.COUNT_GATES + codes.MAX_POSITIONS) == 1
    assert stage.count(codes.COUNT_ORDER_REJECTS) == 1


def test_stop_and_targets_hang_on_the_average_fill_price() -> None:
    Play().play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:02  fill #1 75 at 100       |
        10:00:03  fill #1 150 at 101      |
        10:00:04  fill #1 300 at 103      | opened 300 at 103.00 stop 88.00
        10:00:05  tick 107.95             |
        10:00:06  tick 108                | sell 75 at 108.00 #2 take_profit_1
        10:00:07  fill #2 75 at 108       | closed 75 at 108.00 take_profit_1
        10:00:08  tick 88.05              |
        10:00:09  tick 88                 | sell 225 at 88.00 #3 stop_loss
    """)


def test_the_average_of_a_fill_rounds_half_up() -> None:
    stage = Play(risk__max_position_value_percent=10, instrument__lot_size=1).play("""
        10:00:00  tick 100                 |
        10:00:01  tick 100.05              | buy 109 at 100.05 #1
        10:00:02  fill #1 2 at 100.005     |
        10:00:03  cancelled #1             | opened 2 at 100.01 stop 85.01
    """)
    assert stage.engine.instruments[0]["core"]["position"]["entry_value"] == 20_001


def test_a_partial_fill_is_managed_as_what_it_is_and_the_rest_is_cancelled_before_the_exit() -> None:
    stage = Play().play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:02  fill #1 150 at 100.05   |
        10:00:03  tick 86                 |
        10:00:04  tick 85                 | cancel 150 of #1
        10:00:04  tick 84.95              |
        10:00:05  timer                   |
    """)
    assert (stage.order(), stage.units()) == ("partial", 150)
    stage.play("""
        10:00:06  fill #1 225 at 100.05   |
        10:00:07  cancelled #1            | opened 225 at 100.05 stop 85.05 ; sell 225 at 84.95 #2 stop_loss
        10:00:08  fill #2 225 at 84.95    | closed 225 at 84.95 stop_loss
    """)
    assert (stage.order(), stage.units(), stage.history("entries_today")) == ("filled", 0, 1)


def test_an_entry_that_fills_while_it_is_cancelled_is_left_on_the_next_tick() -> None:
    Play().play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:02  fill #1 150 at 100.05   |
        10:00:03  tick 85                 | cancel 150 of #1
        10:00:04  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        10:00:05  tick 85                 | sell 300 at 85.00 #2 stop_loss
    """)


def test_a_partial_fill_then_cancelled_by_the_exchange_is_a_smaller_position() -> None:
    stage = Play().play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:02  fill #1 75 at 100.05    |
        10:00:03  cancelled #1            | opened 75 at 100.05 stop 85.05
        10:00:04  tick 105.05             | sell 75 at 105.05 #2 take_profit_1
        10:00:05  fill #2 75 at 105.05    | closed 75 at 105.05 take_profit_1
    """)
    assert stage.units() == 0


def test_an_entry_cancelled_without_a_fill_is_no_entry() -> None:
    stage = Play().play("""
        10:00:00  tick 100       |
        10:00:01  tick 100.05    | buy 300 at 100.05 #1
        10:00:02  ack #1         |
        10:00:03  cancelled #1   |
        10:00:04  tick 100.10    | buy 300 at 100.10 #2
    """)
    assert stage.history("entries_today") == 0


def test_an_exit_fills_in_parts_under_one_row_and_nothing_is_sent_meanwhile() -> None:
    stage = (
        Play()
        .play(BOUGHT)
        .play("""
        10:00:03  tick 84                 | sell 300 at 84.00 #2 stop_loss
        10:00:04  fill #2 75 at 84        |
        10:00:05  tick 83                 |
        10:00:06  timer                   |
    """)
    )
    assert (stage.order(), stage.units()) == ("partial", 225)
    stage.play("""
        10:00:07  fill #2 225 at 83.60    |
        10:00:08  fill #2 300 at 83.50    | closed 300 at 83.50 stop_loss
    """)
    assert stage.units() == 0


def test_what_a_cancelled_exit_left_is_sold_by_the_next_one() -> None:
    Play().play(BOUGHT).play("""
        10:00:03  tick 84                 | sell 300 at 84.00 #2 stop_loss
        10:00:04  fill #2 75 at 84        |
        10:00:05  cancelled #2            | closed 75 at 84.00 stop_loss ; sell 225 at 84.00 #3 stop_loss
        10:00:06  fill #3 225 at 83       | closed 225 at 83.00 stop_loss
    """)


def test_a_rejected_exit_is_sent_again_on_the_next_tick_and_never_twice_at_once() -> None:
    stage = (
        Play()
        .play(BOUGHT)
        .play("""
        10:00:03  tick 84                 | sell 300 at 84.00 #2 stop_loss
        10:00:04  tick 83                 |
        10:00:05  reject #2               |
        10:00:06  tick 82                 | sell 300 at 82.00 #3 stop_loss
        10:00:06  tick 81                 |
        10:00:07  reject #3               |
        10:00:08  timer                   | sell 300 at 81.00 #4 stop_loss
        10:00:09  fill #4 300 at 81       | closed 300 at 81.00 stop_loss
    """)
    )
    assert stage.count(codes.COUNT_ORDER_REJECTS) == 2
    assert stage.engine.account().rejects_in_row == 0


def test_rejects_in_a_row_halt_entries_but_not_exits() -> None:
    stage = (
        Play(risk__max_rejects=2)
        .play(BOUGHT)
        .play("""
        10:00:03  tick 84                 | sell 300 at 84.00 #2 stop_loss
        10:00:04  reject #2               |
        10:00:05  tick 83                 | sell 300 at 83.00 #3 stop_loss
        10:00:06  reject #3               | halted rejects_in_a_row
        10:00:07  tick 82                 | sell 300 at 82.00 #4 stop_loss
        10:00:08  reject #4               |
        10:00:09  tick 81                 | sell 300 at 81.00 #5 stop_loss
        10:00:10  fill #5 300 at 81       | closed 300 at 81.00 stop_loss
        10:00:11  tick 82                 | denied halted
        10:00:12  operator resume         |
        10:00:13  tick 83                 | buy 375 at 83.00 #6
    """)
    )
    assert stage.count(codes.COUNT_ORDER_REJECTS) == 3


def test_a_resume_forgives_the_rejects_so_far() -> None:
    Play(risk__max_rejects=2).play("""
        10:00:00  tick 100       |
        10:00:01  tick 100.05    | buy 300 at 100.05 #1
        10:00:02  reject #1      |
        10:00:03  tick 100.10    | buy 300 at 100.10 #2
        10:00:04  reject #2      | halted rejects_in_a_row
        10:00:05  operator resume |
        10:00:06  tick 100.15    | buy 300 at 100.15 #3
        10:00:07  reject #3      |
        10:00:08  tick 100.20    | buy 300 at 100.20 #4
        10:00:09  reject #4      | halted rejects_in_a_row
    """)


def test_one_tick_passes_several_tiers_one_row_each() -> None:
    Play().play(BOUGHT).play("""
        10:00:03  tick 121                | sell 75 at 121.00 #2 take_profit_1
        10:00:04  fill #2 75 at 121       | closed 75 at 121.00 take_profit_1 ; sell 75 at 121.00 #3 take_profit_2
        10:00:05  fill #3 75 at 120.50    | closed 75 at 120.50 take_profit_2 ; sell 75 at 121.00 #4 take_profit_3
        10:00:06  fill #4 75 at 120.75    | closed 75 at 120.75 take_profit_3
        10:00:07  tick 131                | sell 75 at 131.00 #5 take_profit_4
        10:00:08  fill #5 75 at 131       | closed 75 at 131.00 take_profit_4
    """)


def test_the_trailing_stop_follows_the_highest_price_since_the_fill() -> None:
    Play(risk__use_trail_stop=True, risk__tp_points=(Decimal(50),), risk__tp_percents=(Decimal(1),)).play("""
        10:00:00  tick 100                |
        10:00:01  tick 110                | buy 300 at 110.00 #1
        10:00:02  tick 120                |
        10:00:03  fill #1 300 at 100      | opened 300 at 100.00 stop 85.00
        10:00:04  tick 104.95             |
        10:00:05  tick 99                 |
        10:00:06  tick 105                |
        10:00:07  tick 112                |
        10:00:08  tick 107.05             |
        10:00:09  tick 107                | sell 300 at 107.00 #2 trailing_stop
    """)


def test_a_trailing_stop_at_once_waits_for_the_next_tick_at_the_entry_or_above() -> None:
    at_once: dict[str, Any] = {
        "risk__use_trail_stop": True,
        "risk__trail_activation_points": 0,
        "risk__trail_distance_points": 2,
    }
    Play(**at_once).play(BOUGHT).play("""
        10:00:03  tick 98                 |
        10:00:04  tick 100                |
        10:00:05  tick 100.05             |
        10:00:06  tick 98.05              | sell 300 at 98.05 #2 trailing_stop
    """)


def test_an_average_that_falls_takes_the_stop_with_it() -> None:
    Play(risk__use_trail_stop=True).play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:02  fill #1 75 at 100       |
        10:00:03  fill #1 300 at 94       | opened 300 at 94.00 stop 79.00
        10:00:04  tick 84                 |
        10:00:05  tick 79                 | sell 300 at 79.00 #2 stop_loss
    """)
