"""Law: whatever jumps, the machine's clock or the packets', no order leaves in the wrong phase of the session, and none twice."""

from pathlib import Path

import pytest

from laws.broker_clocks import DAY_S, DEAF_S, ENTRY_FROM_S, HOUR_S, LEAVE_S, MINUTE_S, Jump, Run, run
from myquant.core import codes

FAULTS = ("ack_lost=0.1", "order_late=share:0.1,seconds:3", "reject_late=0.1")
WAY_S = 0.1  # from a packet to the order at the broker
CLOSE_S = 10.0  # from the end of the session till all is sold: the stop order's end is awaited first
JUMPS_S = (1, -1, MINUTE_S, -MINUTE_S, HOUR_S, -HOUR_S, DAY_S, -DAY_S)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run whose clocks are right."""
    return run(tmp_path_factory.mktemp("plain") / "s", faults=FAULTS)


def assert_in_phase(found: Run, early_s: float = 0.0) -> None:
    """Hold that entries left within the hours, and that all was closed at their end; `early_s`: the feed was ahead so much."""
    assert found.entered_s, "nothing was entered"
    assert found.entered_s[0] >= ENTRY_FROM_S - early_s
    assert found.entered_s[-1] <= LEAVE_S + WAY_S
    assert found.flat_s <= LEAVE_S + CLOSE_S


def test_with_clocks_that_are_right(plain: Run) -> None:
    assert_in_phase(plain)
    assert plain.entered_s[0] < ENTRY_FROM_S + 2
    assert len(plain.orders) > 200
    assert not plain.journal.halts
    exits = plain.journal.rows[plain.journal.rows["kind"] == codes.TRADE_CLOSED]["reason"]
    assert codes.SESSION_END in exits


def test_a_wall_clock_that_jumps_changes_no_order_and_no_time_out(plain: Run, tmp_path: Path) -> None:
    places = (2, ENTRY_FROM_S - 1, 90, 110, DEAF_S[0] + 2, 210, 300, LEAVE_S - 1)
    jumps = [Jump(at_s, wall_s=ahead_s) for at_s, ahead_s in zip(places, JUMPS_S, strict=True)]
    found = run(tmp_path / "s", jumps, faults=FAULTS)
    assert found.orders == plain.orders
    assert found.journal.rows.tobytes() == plain.journal.rows.tobytes()
    said = [[(level, event) for level, event, _ in each.lines] for each in (found, plain)]
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("ahead_s", "reconnects", "early_s"),
    [
        (1, False, 1),
        (-MINUTE_S + 1, False, 0),
        (2 * MINUTE_S - 1, False, 2 * MINUTE_S - 1),  # within `feed.max_clock_jump_s`
        (HOUR_S, False, 0),
        (-DAY_S, True, 0),
        (5 * MINUTE_S, True, 5 * MINUTE_S),  # a new connection is believed
        (DAY_S, True, 0),
    ],
)
def test_packets_of_another_time(tmp_path: Path, ahead_s: float, early_s: float, *, reconnects: bool) -> None:
    """Before the hours, in the middle, and at their end, each time for some seconds."""
    ahead, right = Jump(0, feed_s=ahead_s, reconnects=reconnects), Jump(0, feed_s=0.0, reconnects=reconnects)
    begins = (ENTRY_FROM_S - 15, 200, LEAVE_S - 10)
    jumps = [jump._replace(at_s=at_s + 7 * after) for at_s in begins for after, jump in enumerate((ahead, right))]
    assert_in_phase(run(tmp_path / "s", jumps), early_s)


@pytest.mark.parametrize("ahead_s", [HOUR_S, -DAY_S])
def test_a_wall_clock_that_jumped_between_two_processes(tmp_path: Path, ahead_s: float) -> None:
    """Till the first packet it stands in for the exchange's: positions may be closed early then, and nothing is entered."""
    jumps = [Jump(200, wall_s=ahead_s, restarts=True), Jump(300, wall_s=0.0, restarts=True)]
    found = run(tmp_path / "s", jumps, faults=FAULTS)
    assert_in_phase(found)
    for jump in jumps:
        assert not [at_s for at_s in found.entered_s if jump.at_s + 1 < at_s < jump.at_s + jump.deaf_s]
        assert [at_s for at_s in found.entered_s if at_s > jump.at_s + jump.deaf_s]
