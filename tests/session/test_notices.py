"""Timers, the feed's status, operators and days: what they change, and what still works meanwhile."""

from myquant.core import codes
from session.play import Play

BOUGHT = """
    10:00:00  tick 100                |
    10:00:01  tick 100.05             | buy 300 at 100.05 #1
    10:00:02  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
"""


def test_a_timer_closes_at_the_end_of_the_session_without_a_tick() -> None:
    # the session ends at 15:30, all is exited 20 minutes before
    Play().play(BOUGHT).play("""
        15:09:59  timer                   |
        15:10:00  timer                   | sell 300 at 100.05 #2 session_end
        15:10:01  timer                   |
        15:10:02  fill #2 300 at 99       | closed 300 at 99.00 session_end
        15:10:03  timer                   |
    """)


def test_an_entry_that_still_works_is_cancelled_at_the_end_of_the_session() -> None:
    Play().play("""
        15:09:00  tick 100                |
        15:09:01  tick 100.05             | buy 300 at 100.05 #1
        15:09:02  ack #1                  |
        15:09:59  tick 100.10             |
        15:10:00  tick 100.15             | cancel 300 of #1
        15:10:01  tick 100.20             |
        15:10:02  cancelled #1            |
        15:10:03  tick 100.25             |
    """)
    Play().play("""
        15:09:00  tick 100                |
        15:09:01  tick 100.05             | buy 300 at 100.05 #1
        15:09:02  ack #1                  |
        15:10:00  timer                   | cancel 300 of #1
        15:10:01  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        15:10:02  timer                   | sell 300 at 100.05 #2 session_end
    """)


def test_a_position_of_the_day_before_is_closed_on_the_first_tick() -> None:
    Play().play(BOUGHT).play("""
        day 2
        09:15:00  tick 101                | sell 300 at 101.00 #2 session_end
        09:15:01  fill #2 300 at 101      | closed 300 at 101.00 session_end
        09:21:00  tick 101.05             | buy 300 at 101.05 #3
    """)


def test_a_stale_feed_denies_entries_and_exits_still_work() -> None:
    stage = (
        Play()
        .play(BOUGHT)
        .play("""
        10:01:00  feed stale              |
        10:01:01  tick 85                 | sell 300 at 85.00 #2 stop_loss
        10:01:02  fill #2 300 at 85       | closed 300 at 85.00 stop_loss
        10:01:03  tick 85.05              | denied feed_stale
        10:01:04  feed healthy            |
        10:01:05  tick 85.10              | buy 300 at 85.10 #3
    """)
    )
    assert stage.count(codes.COUNT_DENIED + codes.FEED_STALE) == 1


def test_an_operator_halts_and_resumes_entries_and_exits_still_work() -> None:
    Play().play(BOUGHT).play("""
        10:01:00  operator halt           | halted operator
        10:01:00  operator halt           |
        10:01:01  tick 85                 | sell 300 at 85.00 #2 stop_loss
        10:01:02  fill #2 300 at 85       | closed 300 at 85.00 stop_loss
        10:01:03  tick 85.05              | denied halted
        day 2
        10:00:00  tick 85.10              | denied halted
        10:00:01  operator resume         |
        10:00:02  tick 85.15              | buy 300 at 85.15 #3
    """)


def test_a_halt_cancels_what_still_works_of_an_entry() -> None:
    Play().play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:02  fill #1 75 at 100.05    |
        10:00:03  operator halt           | halted operator ; cancel 225 of #1
        10:00:04  cancelled #1            | opened 75 at 100.05 stop 85.05
        10:00:05  tick 85.05              | sell 75 at 85.05 #2 stop_loss
    """)


def test_an_operator_flattens_at_once_and_entries_wait_for_him() -> None:
    Play().play(BOUGHT).play("""
        10:01:00  operator flatten        | sell 300 at 100.05 #2 operator
        10:01:01  fill #2 300 at 100      | closed 300 at 100.00 operator
        10:01:02  tick 100.10             | denied halted
        day 2
        10:01:02  tick 100.15             | denied halted
        10:01:03  operator resume         |
        10:01:04  tick 100.20             | buy 300 at 100.20 #3
    """)


def test_a_flattening_cancels_an_entry_that_still_works() -> None:
    Play().play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:02  operator flatten        | cancel 300 of #1
        10:00:03  cancelled #1            |
        10:00:04  tick 100.10             | denied halted
    """)


def test_an_operator_flattens_during_the_warm_up_of_a_day() -> None:
    stage = Play(strategy__reset_daily=True, strategy__min_warmup_ticks=2).play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:02  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        day 2
        09:15:00  tick 70                 |
        09:15:01  operator flatten        | sell 300 at 70.00 #2 operator
    """)
    assert stage.order() == "sent"


def test_a_wish_that_is_not_known_halts() -> None:
    stage = Play()
    event = stage.event("10:00:00 operator resume")._replace(code=99)
    assert [command["reason"] for command in stage.send(event)] == [codes.BY_OPERATOR]


def test_a_flattening_closes_every_instrument() -> None:
    Play(instruments=2).play("""
        10:00:00  A tick 100              |
        10:00:00  B tick 200              |
        10:00:01  A tick 100.05           | buy 300 at 100.05 #1
        10:00:01  B tick 200.05           | B buy 75 at 200.05 #2
        10:00:02  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        10:00:02  fill #2 75 at 200.05    | B opened 75 at 200.05 stop 185.05
        10:00:03  operator flatten        | sell 300 at 100.05 #3 operator ; B sell 75 at 200.05 #4 operator
        10:00:04  fill #4 75 at 200       | B closed 75 at 200.00 operator
        10:00:04  fill #3 300 at 100      | closed 300 at 100.00 operator
    """)


def test_the_day_loss_flattens_and_stops_the_day_and_the_next_day_resumes() -> None:
    Play(risk__max_day_loss=3000).play(BOUGHT).play("""
        10:01:00  tick 90.20              |
        10:01:01  tick 90.10              | halted day_loss ; sell 300 at 90.10 #2 day_loss
        10:01:02  fill #2 300 at 90.10    | closed 300 at 90.10 day_loss
        10:01:03  tick 90.25              | denied day_loss
        10:01:04  operator resume         |
        10:01:05  tick 90.30              | denied day_loss
        day 2
        10:00:00  tick 90.35              | buy 300 at 90.35 #3
    """)


def test_the_day_loss_does_not_lift_what_an_operator_halted() -> None:
    Play(risk__max_day_loss=3000).play(BOUGHT).play("""
        10:00:30  operator halt           | halted operator
        10:01:01  tick 90                 | halted day_loss ; sell 300 at 90.00 #2 day_loss
        10:01:02  fill #2 300 at 90       | closed 300 at 90.00 day_loss
        day 2
        10:00:00  tick 90.35              | denied halted
    """)


def test_the_day_loss_is_the_accounts_and_closes_every_instrument() -> None:
    Play(instruments=2, risk__max_day_loss=3000).play("""
        10:00:00  A tick 100              |
        10:00:00  B tick 200              |
        10:00:01  A tick 100.05           | buy 300 at 100.05 #1
        10:00:01  B tick 200.05           | B buy 75 at 200.05 #2
        10:00:02  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        10:00:02  fill #2 75 at 200.05    | B opened 75 at 200.05 stop 185.05
        10:00:03  A tick 90               | halted day_loss ; sell 300 at 90.00 #3 day_loss
        10:00:04  B tick 200.10           | B sell 75 at 200.10 #4 day_loss
        10:00:05  fill #3 300 at 90       | closed 300 at 90.00 day_loss
        10:00:06  A tick 90.05            | denied day_loss
    """)


def test_entries_under_way_are_no_longer_cash() -> None:
    # one position may take all the cash: while the first is bought, there is none left for the second
    stage = Play(instruments=2, risk__max_position_value_percent=100).play("""
        10:00:00  A tick 100              |
        10:00:00  B tick 100              |
        10:00:01  A tick 100.05           | buy 1050 at 100.05 #1
        10:00:01  B tick 100.05           | B denied size
        10:00:02  fill #1 300 at 100.05   |
        10:00:02  B tick 100.10           | B denied size
        10:00:04  cancelled #1            | opened 300 at 100.05 stop 85.05
        10:00:06  B tick 100.15           | B buy 750 at 100.15 #2
    """)
    assert stage.engine.account().reserved > 750 * 10_015


def test_the_costs_of_an_entry_alone_may_be_the_days_loss() -> None:
    Play(risk__max_day_loss=10).play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:02  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05 ; halted day_loss
        10:00:03  tick 100.05             | sell 300 at 100.05 #2 day_loss
    """)


def test_the_end_of_the_data_closes_what_is_open_when_asked_to() -> None:
    Play().play(BOUGHT).play("""
        10:01:00  tick 101                |
        10:01:01  end                     |
        10:01:02  end close               | sell 300 at 101.00 #2 end_of_data
        10:01:03  end close               |
        10:01:04  fill #2 300 at 101      | closed 300 at 101.00 end_of_data
        10:01:05  end close               |
    """)


def test_a_position_without_a_feed_halts_in_the_end() -> None:
    Play().play(BOUGHT).play("""
        10:01:00  feed stale              |
        10:01:05  feed stale              |
        10:01:29  timer                   |
        10:01:30  timer                   | halted stale_feed
        10:01:31  timer                   |
        10:01:32  feed healthy            |
        10:01:33  tick 85                 | sell 300 at 85.00 #2 stop_loss
        10:01:34  fill #2 300 at 85       | closed 300 at 85.00 stop_loss
        10:01:35  tick 85.05              | denied halted
        10:01:36  operator resume         |
        10:01:37  tick 85.10              | buy 300 at 85.10 #3
    """)


def test_a_stale_feed_halts_nobody_who_is_flat() -> None:
    Play().play("""
        10:00:00  tick 100                |
        10:00:01  feed stale              |
        10:05:00  timer                   |
        10:05:01  feed healthy            |
        10:05:02  tick 100.05             | buy 300 at 100.05 #1
    """)


def test_an_alarm_halts_entries_and_exits_still_work() -> None:
    Play().play(BOUGHT).play("""
        10:01:00  alarm journal           | halted journal
        10:01:01  tick 85                 | sell 300 at 85.00 #2 stop_loss
        10:01:02  fill #2 300 at 85       | closed 300 at 85.00 stop_loss
        10:01:03  tick 85.05              | denied halted
    """)


def test_a_quote_between_ticks_is_what_the_next_decision_counts_on() -> None:
    """A timer's exit, too: it sells at the bid of the latest quote."""
    Play(execution__fill_model="quote").play("""
        10:00:00  tick 100 bid 99.95 ask 100       |
        10:00:01  tick 100.05 bid 100 ask 100.05   | buy 300 at 100.05 #1
        10:00:02  fill #1 300 at 100.05            | opened 300 at 100.05 stop 85.05
        10:00:03  quote bid 99.50 ask 99.60        |
        15:10:00  timer                            | sell 300 at 99.50 #2 session_end
    """)


def test_orders_by_limit_count_on_the_quote_where_there_is_one() -> None:
    Play(execution__fill_model="limit", execution__protective_stop=False).play("""
        10:00:00  tick 100                         |
        10:00:01  tick 100.05 bid 100 ask 100.10   | buy 300 at 100.10 #1
        10:00:02  fill #1 300 at 100.10            | opened 300 at 100.10 stop 85.10
        10:00:03  tick 85                          | sell 300 at 85.00 #2 stop_loss
    """)
