"""Messages that come twice, late, out of order or impossibly: counted, or halted, and never money."""

import pytest

from myquant.core import codes
from session.play import NOTHING, Play

BUYING = """
    10:00:00  tick 100                |
    10:00:01  tick 100.05             | buy 300 at 100.05 #1
"""
BOUGHT = (
    BUYING
    + """
    10:00:02  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
"""
)
SELLING = (
    BOUGHT
    + """
    10:00:03  tick 85                 | sell 300 at 85.00 #2 stop_loss
"""
)


def test_what_is_said_twice_changes_nothing() -> None:
    stage = Play().play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:01  ack #1                  |
        10:00:01  ack #1                  |
        10:00:02  fill #1 75 at 100.05    |
        10:00:02  fill #1 75 at 100.05    |
        10:00:02  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        10:00:02  fill #1 300 at 100.05   |
        10:00:02  ack #1                  |
        10:00:03  tick 85                 | sell 300 at 85.00 #2 stop_loss
        10:00:04  fill #2 300 at 85       | closed 300 at 85.00 stop_loss
        10:00:04  fill #2 300 at 85       |
        10:00:05  tick 85.05              | buy 300 at 85.05 #3
        10:00:06  reject #3               |
        10:00:06  reject #3               |
    """)
    assert stage.count(codes.COUNT_STALE_ORDER_EVENT) == 3
    assert stage.count(codes.COUNT_ORDER_REJECTS) == 1
    assert stage.engine.account().halt == codes.NOT_HALTED


def test_a_cancellation_said_twice_reports_the_position_once() -> None:
    Play().play(BUYING).play("""
        10:00:02  fill #1 75 at 100.05    |
        10:00:03  cancelled #1            | opened 75 at 100.05 stop 85.05
        10:00:03  cancelled #1            |
        10:00:04  tick 85                 | sell 75 at 85.00 #2 stop_loss
        10:00:05  fill #2 75 at 85        | closed 75 at 85.00 stop_loss
    """)


def test_a_cancelled_exit_said_twice_is_one_trade() -> None:
    Play().play(SELLING).play("""
        10:00:04  fill #2 75 at 85        |
        10:00:05  cancelled #2            | closed 75 at 85.00 stop_loss ; sell 225 at 85.00 #3 stop_loss
        10:00:05  cancelled #2            |
        10:00:06  fill #3 225 at 85       | closed 225 at 85.00 stop_loss
    """)


def test_messages_that_overtake_each_other_are_counted() -> None:
    stage = (
        Play()
        .play(BUYING)
        .play("""
        10:00:02  fill #1 150 at 100.05   |
        10:00:02  fill #1 75 at 100.05    |
        10:00:03  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        10:00:03  fill #1 225 at 100.05   |
    """)
    )
    assert stage.count(codes.COUNT_STALE_ORDER_EVENT) == 2
    stage = (
        Play()
        .play(BUYING)
        .play("""
        10:00:02  reject #1               |
        10:00:02  ack #1                  |
        10:00:03  tick 100.10             | buy 300 at 100.10 #2
        10:00:04  cancelled #2            |
        10:00:04  ack #2                  |
    """)
    )
    assert stage.engine.account().halt == codes.NOT_HALTED


def test_what_concerns_an_earlier_order_is_counted() -> None:
    stage = (
        Play()
        .play(SELLING)
        .play("""
        10:00:04  fill #1 300 at 100.05   |
        10:00:04  reject #1               |
        10:00:04  ack #1                  |
        10:00:04  cancelled #1            |
        10:00:04  fill #7 300 at 100.05   |
    """)
    )
    assert (stage.count(codes.COUNT_STALE_ORDER_EVENT), stage.order(), stage.units()) == (5, "sent", 300)


IMPOSSIBLE = {
    "more than was ordered": (BUYING, "10:00:02 fill #1 375 at 100.05"),
    "a fill for nothing": (BUYING, "10:00:02 fill #1 75 at 0"),
    "a fill that takes money back": (
        BUYING + "10:00:02 fill #1 75 at 100.05 |\n",
        "10:00:03 fill #1 150 at 50",
    ),
    "a rejection after a partial fill": (BUYING + "10:00:02 fill #1 75 at 100.05 |\n", "10:00:03 reject #1"),
    "a cancellation after the fill": (BOUGHT, "10:00:03 cancelled #1"),
    "a rejection after the fill": (BOUGHT, "10:00:03 reject #1"),
    "a fill after the rejection": (BUYING + "10:00:02 reject #1 |\n", "10:00:03 fill #1 300 at 100.05"),
    "a partial fill after the cancellation": (BUYING + "10:00:02 cancelled #1 |\n", "10:00:03 fill #1 75 at 100.05"),
    "more after the cancellation": (
        BUYING + "10:00:02 fill #1 75 at 100.05 |\n 10:00:03 cancelled #1 | opened 75 at 100.05 stop 85.05\n",
        "10:00:04 fill #1 150 at 100.05",
    ),
    "a sale of more than was ordered": (SELLING, "10:00:04 fill #2 375 at 85"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_cannot_be_halts_and_is_not_booked(case: str) -> None:
    before, row = IMPOSSIBLE[case]
    stage = Play().play(before)
    cash, units, state = stage.engine.account().cash, stage.units(), stage.order()
    stage.play(f"{row} | halted impossible_order_event")
    assert (stage.engine.account().cash, stage.units(), stage.order()) == (cash, units, state)


def test_a_cancellation_after_the_exit_has_filled_makes_no_second_trade() -> None:
    stage = (
        Play()
        .play(SELLING)
        .play("""
        10:00:04  fill #2 300 at 85       | closed 300 at 85.00 stop_loss
        10:00:05  cancelled #2            | halted impossible_order_event
    """)
    )
    assert stage.engine.account().trades == 1


def test_an_unanswered_order_is_of_unknown_state_halts_entries_and_is_never_resent() -> None:
    stage = (
        Play(execution__order_timeout_s=5)
        .play(BUYING)
        .play("""
        10:00:05  timer                   |
        10:00:05.999  timer               |
        10:00:06  timer                   | halted order_of_unknown_state
        10:00:07  tick 100.10             |
        10:00:08  tick 100.20             |
        10:00:20  timer                   |
        10:00:21  operator resume         |
        10:00:22  tick 100.30             |
    """)
    )
    assert stage.order() == "unknown"
    stage.play("""
        10:01:00  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        10:01:01  tick 85                 | sell 300 at 85.00 #2 stop_loss
    """)


@pytest.mark.parametrize(
    ("evidence", "state"), [("ack", "working"), ("reject", "rejected"), ("cancelled", "cancelled")]
)
def test_evidence_leaves_the_unknown(evidence: str, state: str) -> None:
    stage = (
        Play()
        .play(BUYING)
        .play(f"""
        10:00:06  timer                   | halted order_of_unknown_state
        10:01:00  {evidence} #1           | resumed order_of_unknown_state
    """)
    )
    assert stage.order() == state


def test_an_exit_of_unknown_state_is_not_sent_again() -> None:
    stage = (
        Play()
        .play(SELLING)
        .play("""
        10:00:08  timer                   | halted order_of_unknown_state
        10:00:09  tick 80                 |
        10:00:10  operator flatten        |
        10:00:11  timer                   |
    """)
    )
    assert (stage.order(), stage.units()) == ("unknown", 300)
    stage.play("10:00:12  fill #2 300 at 80  | closed 300 at 80.00 stop_loss ; resumed order_of_unknown_state")


def test_an_answered_order_does_not_time_out() -> None:
    stage = (
        Play()
        .play(BUYING)
        .play("""
        10:00:02  ack #1                  |
        10:09:00  timer                   |
    """)
    )
    assert stage.order() == "working"


@pytest.mark.parametrize(
    ("kind", "instrument"), [(0, 0), (99, 0), (codes.TIMER, 1), (codes.TIMER, -2), (codes.FILL, 5)]
)
def test_an_event_of_unknown_kind_or_instrument_is_an_error_and_changes_nothing(kind: int, instrument: int) -> None:
    stage = Play().play(BOUGHT)
    before = stage.engine.snapshot()
    with pytest.raises((ValueError, IndexError), match=r"an event of (an )?unknown"):
        stage.engine.step(NOTHING._replace(kind=kind, instrument=instrument), print)
    assert stage.engine.snapshot() == before
