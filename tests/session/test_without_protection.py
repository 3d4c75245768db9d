"""How long a position may lack its stop order: what counts, what does not, and what is done then (decision 22)."""

import numpy as np
import pytest

from myquant.core import codes
from session.working_orders import works

LIMITS = {"execution__unprotected_max_s": 3, "execution__exit_retry_s": 900, "risk__max_rejects": 100}
REFUSED = """
    10:00:00  tick 100                |
    10:00:01  tick 100.05             | buy 300 at 100.05 #1
    10:00:01  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05 ; stop 300 at 85.05 #2
    10:00:01  reject #2               |
"""
ACCEPTED_THEN_REFUSED = """
    10:00:00    tick 100                |
    10:00:01    tick 100.05             | buy 300 at 100.05 #1
    10:00:01    fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05 ; stop 300 at 85.05 #2
    10:00:01.1  ack #2                  |
    10:00:01.2  timer                   |
    10:00:01.9  reject #2               |
"""


def test_a_position_that_gets_no_stop_order_is_closed_and_entries_halt() -> None:
    works(execution__unprotected_max_s=3, risk__max_rejects=100).play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:01  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05 ; stop 300 at 85.05 #2
        10:00:01  reject #2               |
        10:00:02  timer                   | stop 300 at 85.05 #3
        10:00:02  reject #3               |
        10:00:03  timer                   | stop 300 at 85.05 #4
        10:00:03  reject #4               |
        10:00:04  timer                   | halted position_without_stop ; sell 300 at 100.05 #5 unprotected
        10:00:04  fill #5 300 at 100      | closed 300 at 100.00 unprotected
    """)


def test_stop_orders_that_are_accepted_and_then_refused_protect_nothing() -> None:
    works(execution__unprotected_max_s=3, risk__max_rejects=100).play(ACCEPTED_THEN_REFUSED).play("""
        10:00:02.9  timer                 | stop 300 at 85.05 #3
        10:00:03    ack #3                |
        10:00:03.1  timer                 |
        10:00:03.9  timer                 |
        10:00:03.9  reject #3             |
        10:00:04    timer                 | halted position_without_stop ; sell 300 at 100.05 #4 unprotected
    """)


def test_a_stop_order_that_holds_for_a_second_protects() -> None:
    works(execution__unprotected_max_s=3, risk__max_rejects=100).play(ACCEPTED_THEN_REFUSED).play("""
        10:00:02.9  timer                 | stop 300 at 85.05 #3
        10:00:02.9  ack #3                |
        10:00:02.9  timer                 |
        10:00:03.9  reject #3             |
        10:00:03.9  timer                 |
        10:00:04.9  timer                 | stop 300 at 85.05 #4
        10:00:06.8  timer                 |
        10:00:06.9  timer                 | halted position_without_stop ; cancel 300 of #4
    """)


def test_a_feed_that_comes_and_goes_does_not_begin_it_anew() -> None:
    works(**LIMITS).play(REFUSED).play("""
        10:00:02  timer                   |
        10:00:02  feed stale              |
        10:00:03  timer                   |
        10:00:09  feed healthy            |
        10:00:09  tick 100                |
        10:00:10  feed stale              |
        10:00:11  timer                   |
        10:00:20  feed stale              |
        10:00:25  timer                   |
        10:00:30  feed healthy            |
        10:00:31  tick 100                |
        10:00:31.9  timer                 |
        10:00:32  timer                   | halted position_without_stop ; sell 300 at 100.00 #3 unprotected
    """)


@pytest.mark.parametrize("who", ["A", "B"])
def test_it_counts_for_each_instrument_alike(who: str) -> None:
    """Each takes the feed's word in turn: what it is before the word must not be what the first has made of it."""
    bare = """
        10:00:00  A tick 100              |
        10:00:00  B tick 100              |
        10:00:01  W tick 100.05           | W buy 300 at 100.05 #1
        10:00:01  fill #1 300 at 100.05   | W opened 300 at 100.05 stop 85.05 ; W stop 300 at 85.05 #2
        10:00:01  reject #2               |
        10:00:02  timer                   |
        10:00:02  feed stale              |
        10:00:03  timer                   |
        10:00:30  timer                   |
        10:00:31  feed healthy            |
        10:00:31  timer                   |
        10:00:32.9  timer                 |
        10:00:33  feed stale              |
        10:00:34  feed healthy            |
        10:00:34  timer                   |
        10:00:34.1  timer                 | W halted position_without_stop ; W sell 300 at 100.05 #3 unprotected
    """
    rows = bare.replace("W ", f"{who} ").replace("| A ", "| ").replace("; A ", "; ")
    works(instruments=2, **LIMITS).play(rows)


def test_it_goes_on_with_the_first_packet_of_a_new_process() -> None:
    works(**LIMITS).play(REFUSED).play("""
        10:00:02  feed stale              |
        10:00:03  feed healthy            |
        10:10:00  tick 100                |
        10:10:01  timer                   |
        10:10:02  timer                   | halted position_without_stop ; sell 300 at 100.00 #3 unprotected
    """)


def test_a_feed_that_comes_and_goes_is_not_the_end_of_a_protection() -> None:
    works(**LIMITS).play(ACCEPTED_THEN_REFUSED.replace("10:00:01.9  reject #2               |", "")).play("""
        10:00:02    feed stale            |
        10:00:03    feed healthy          |
        10:00:05    timer                 |
        10:00:05.1  reject #2             |
        10:00:07.9  timer                 |
        10:00:08.1  timer                 | halted position_without_stop ; sell 300 at 100.05 #3 unprotected
    """)


@pytest.mark.parametrize("seed", range(20))
def test_no_answers_and_no_feed_keep_a_position_from_being_closed_in_time(seed: int) -> None:
    """An exchange accepts most stop orders and refuses each within a second; the feed comes and goes as it likes."""
    rng = np.random.default_rng(seed)
    stage = works(execution__unprotected_max_s=10, risk__max_rejects=1000, feed__halt_after_s=900)
    stage.play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:01  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05 ; stop 300 at 85.05 #2
    """)
    begin_ns = int(stage.event("10:00:01 timer").time_ns)
    working, refused_after, with_feed, turns, is_stale = 2, int(rng.integers(0, 10)), 0, 0, False
    for step in range(1, 3000):  # tenths of a second
        happenings = ["timer"]
        if rng.random() < 0.03:
            turns, is_stale = turns + 1, not is_stale
            happenings.insert(0, "feed stale" if is_stale else "feed healthy")
        if working and refused_after <= 0:
            happenings.insert(0, f"reject #{working}")
            working = 0
        elif working:
            happenings.insert(0, f"ack #{working}")
            refused_after -= 1
        with_feed += not is_stale
        found = []
        for happening in happenings:
            event = stage.event(f"10:00:01 {happening}")
            found += stage.send(event._replace(time_ns=begin_ns + step * 10**8))
        if any(command["kind"] == codes.HALTED for command in found):
            break
        for command in found:
            if command["kind"] == codes.SUBMIT:
                working, refused_after = int(command["order_id"]), int(rng.integers(0, 10))
    assert stage.engine.account().halt == codes.BY_UNPROTECTED
    assert 99 <= with_feed <= 101 + turns  # each turn of the feed may cost the tenth in which it comes
