"""Orders that take their time, row by row: the protective stop, exits that are re-priced, answers that don't come."""

from myquant.core import codes
from session.working_orders import BOUGHT, TRAILING, works


def test_a_stop_order_rests_from_the_entrys_fill_on() -> None:
    stage = works().play(BOUGHT)
    assert (stage.units(), stage.stop_order()) == (300, "working")


def test_without_protective_stops_only_the_engine_watches() -> None:
    works(execution__protective_stop=False).play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:01  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        10:00:03  tick 85                 | sell 300 at 85.00 #2 stop_loss
    """)


def test_the_first_part_of_an_entry_is_protected_at_once_and_the_whole_when_it_has_ended() -> None:
    works().play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:01  ack #1                  |
        10:00:01  fill #1 75 at 100.05    | stop 75 at 85.05 #2
        10:00:01  ack #2                  |
        10:00:02  fill #1 225 at 100.05   |
        10:00:03  tick 100                | cancel 75 of #1
        10:00:03  cancelled #1            | opened 225 at 100.05 stop 85.05 ; cancel 75 of #2
        10:00:03  cancelled #2            | stop 225 at 85.05 #3
    """)


def test_an_entry_is_given_up_after_its_life() -> None:
    stage = works().play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:01  ack #1                  |
        10:00:02  tick 101                |
        10:00:03  tick 101                | cancel 300 of #1
        10:00:04  tick 101                |
        10:00:04  cancelled #1            |
        10:00:05  tick 101.05             | buy 300 at 101.05 #2
    """)
    assert stage.units() == 0


def test_a_stop_order_that_a_price_reaches_is_the_exit() -> None:
    works().play(BOUGHT).play("""
        10:00:05  tick 85.05                   |
        10:00:05  fill #2 300 at 85            | closed 300 at 85.00 stop_loss
    """)


def test_a_gap_through_the_stop_is_followed_by_its_limit_until_it_fills() -> None:
    works().play(BOUGHT).play("""
        10:00:05  tick 60                      |
        10:00:05.5  tick 59                    |
        10:00:06  tick 58                      | modify #2 to 58.00 trigger 85.05
        10:00:06  modified #2                  |
        10:00:06.5  tick 57                    |
        10:00:07  tick 56                      | modify #2 to 56.00 trigger 85.05
        10:00:07  fill #2 75 at 56             |
        10:00:07  modified #2                  |
        10:00:08  fill #2 300 at 56            | closed 300 at 56.00 stop_loss
    """)


def test_the_stop_order_follows_the_trailing_stop_and_not_too_often() -> None:
    works(**TRAILING, execution__stop_follow_s=2, risk__tp_points=[50], risk__tp_percents=[1]).play(BOUGHT).play("""
        10:00:02  tick 106                |
        10:00:03  tick 107                | modify #2 to 102.00 trigger 102.00
        10:00:03  modified #2             |
        10:00:04  tick 108                |
        10:00:05  tick 108                | modify #2 to 103.00 trigger 103.00
        10:00:05  unchanged #2            |
        10:00:06  tick 108                |
        10:00:07  tick 108                | modify #2 to 103.00 trigger 103.00
        10:00:07  modified #2             |
        10:00:08  tick 102.95             |
        10:00:08  fill #2 300 at 102.9    | closed 300 at 102.90 trailing_stop
    """)


def test_an_exit_waits_until_the_stop_order_is_known_to_be_gone() -> None:
    works(risk__tp_points=[5], risk__tp_percents=[1]).play(BOUGHT).play("""
        10:00:05  tick 105.05             | cancel 300 of #2
        10:00:06  tick 106                |
        10:00:06  cancelled #2            | sell 300 at 106.00 #3 take_profit_1
        10:00:06  ack #3                  |
        10:00:06  fill #3 300 at 105.9    | closed 300 at 105.90 take_profit_1
    """)


def test_a_stop_order_that_fills_in_place_of_its_cancellation_is_the_exit() -> None:
    stage = (
        works(risk__tp_points=[5], risk__tp_percents=[1])
        .play(BOUGHT)
        .play("""
        10:00:05  tick 105.05             | cancel 300 of #2
        10:00:06  tick 85                 |
        10:00:06  unchanged #2            |
        10:00:06  fill #2 300 at 85       | closed 300 at 85.00 stop_loss
    """)
    )
    assert stage.units() == 0


def test_what_a_tier_leaves_gets_a_stop_order_anew() -> None:
    works().play(BOUGHT).play("""
        10:00:05  tick 105.05             | cancel 300 of #2
        10:00:05  cancelled #2            | sell 75 at 105.05 #3 take_profit_1 ; stop 225 at 85.05 #4
        10:00:05  ack #3                  |
        10:00:05  ack #4                  |
        10:00:06  fill #3 75 at 105       | closed 75 at 105.00 take_profit_1
        10:00:09  tick 85                 |
        10:00:09  fill #4 225 at 84.9     | closed 225 at 84.90 stop_loss
    """)


def test_a_stop_order_is_grown_when_a_tier_is_cancelled() -> None:
    works().play(BOUGHT).play("""
        10:00:05  tick 105.05             | cancel 300 of #2
        10:00:05  cancelled #2            | sell 75 at 105.05 #3 take_profit_1 ; stop 225 at 85.05 #4
        10:00:05  ack #4                  |
        10:00:06  tick 100                |
        10:00:06  reject #3               | cancel 225 of #4
        10:00:06  cancelled #4            | stop 300 at 85.05 #5
    """)


def test_an_exit_that_does_not_fill_is_repriced_and_no_second_one_is_sent() -> None:
    works(execution__protective_stop=False).play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:01  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        10:00:03  tick 85                 | sell 300 at 85.00 #2 stop_loss
        10:00:03  ack #2                  |
        10:00:03.5  tick 84               |
        10:00:04  tick 83                 | modify #2 to 83.00
        10:00:05  tick 82                 |
        10:00:05  modified #2             | modify #2 to 82.00
        10:00:05  modified #2             |
        10:00:06  fill #2 300 at 82       | closed 300 at 82.00 stop_loss
    """)


def test_a_modification_without_an_answer_is_asked_for_again() -> None:
    stage = works(execution__protective_stop=False).play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:01  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        10:00:03  tick 85                 | sell 300 at 85.00 #2 stop_loss
        10:00:03  ack #2                  |
        10:00:04  tick 83                 | modify #2 to 83.00
        10:00:08  timer                   |
        10:00:09  timer                   | modify #2 to 83.00
        10:00:09  modified #2             |
    """)
    assert stage.count(codes.COUNT_CHANGE_TIMEOUTS) == 1


def test_a_cancellation_without_an_answer_is_asked_for_again() -> None:
    works(risk__tp_points=[5], risk__tp_percents=[1]).play(BOUGHT).play("""
        10:00:05  tick 105.05             | cancel 300 of #2
        10:00:09  timer                   |
        10:00:10  timer                   | cancel 300 of #2
        10:00:11  timer                   |
        10:00:11  unchanged #2            |
        10:00:16  timer                   | cancel 300 of #2
        10:00:16  cancelled #2            | sell 300 at 105.05 #3 take_profit_1
    """)


def test_a_rejected_exit_is_sent_again_by_rule_and_halts() -> None:
    works(execution__protective_stop=False, risk__max_rejects=2).play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:01  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        10:00:03  tick 85                 | sell 300 at 85.00 #2 stop_loss
        10:00:03.5  reject #2             |
        10:00:04  tick 84                 |
        10:00:04.5  timer                 | sell 300 at 84.00 #3 stop_loss
        10:00:05  reject #3               | halted rejects_in_a_row
        10:00:05.5  tick 83               |
        10:00:06  tick 82                 | sell 300 at 82.00 #4 stop_loss
    """)


def test_entries_go_on_once_there_is_evidence_of_an_unknown_order() -> None:
    stage = works().play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:06  timer                   | halted order_of_unknown_state
        10:00:07  tick 101                |
        10:00:08  reject #1               | resumed order_of_unknown_state
        10:00:09  tick 101.05             | buy 300 at 101.05 #2
    """)
    assert stage.engine.account().unknown == 0


def test_another_reason_to_halt_is_not_lifted_by_evidence() -> None:
    works().play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:02  alarm channel           | halted order_channel_lost ; cancel 300 of #1
        10:00:06  timer                   | halted order_of_unknown_state
        10:00:08  reject #1               |
        10:00:09  tick 101                | denied halted
    """)


def test_a_grave_reason_to_halt_stays_the_reason() -> None:
    stage = (
        works()
        .play(BOUGHT)
        .play("""
        10:00:05  foreign 75 at 99        | closed 75 at 99.00 foreign_trade ; halted foreign_trade ; cancel 300 of #2
        10:00:05  cancelled #2            | stop 225 at 85.05 #3
        10:00:05  ack #3                  |
        10:00:06  alarm channel           | halted order_channel_lost
    """)
    )
    assert stage.engine.account().halt == codes.BY_FOREIGN_TRADE


def test_a_stop_order_of_unknown_state_keeps_the_exit_back() -> None:
    works().play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:01  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05 ; stop 300 at 85.05 #2
        10:00:06  timer                   | halted order_of_unknown_state
        10:00:07  tick 105.05             |
        10:00:08  ack #2                  | resumed order_of_unknown_state ; cancel 300 of #2
        10:00:08  cancelled #2            | sell 75 at 105.05 #3 take_profit_1 ; stop 225 at 85.05 #4
    """)


def test_a_reason_to_halt_is_told_once_till_a_resume_beside_a_grave_one_as_well() -> None:
    stage = works(execution__unprotected_max_s=3, risk__max_rejects=100).play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:01  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05 ; stop 300 at 85.05 #2
        10:00:01  reject #2               |
        10:00:01  alarm fence             | halted fenced
        10:00:04  timer                   | halted position_without_stop ; sell 300 at 100.05 #3 unprotected
        10:00:04.1  timer                 |
        10:00:04.2  tick 100              |
        10:00:04.3  alarm fence           |
        10:00:04.4  operator resume       | halted position_without_stop
    """)
    assert stage.engine.account().halt == codes.BY_UNPROTECTED
