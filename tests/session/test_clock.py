"""The exchange's clock: it goes on with the monotonic one, never back, whatever the machine's clock does."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from myquant.session.clock import ExchangeClock, latest_of

SECOND = 10**9
DAY = 86_400 * SECOND
MORNING = 1_759_463_100 * SECOND  # 2025-10-03 09:15 in India


@dataclass
class Clocks:
    wall: int = MORNING + 3 * DAY
    monotonic: int = 5 * SECOND
    packet: tuple[int, int] = (0, 0)

    def wall_ns(self) -> int:
        return self.wall

    def monotonic_ns(self) -> int:
        return self.monotonic

    def latest(self) -> tuple[int, int]:
        return self.packet


def test_before_the_first_packet_the_wall_clock_has_to_do() -> None:
    clocks = Clocks()
    clock = ExchangeClock(clocks, clocks.latest)
    assert not clock.known
    assert clock.now_ns() == clocks.wall


def test_after_a_restart_it_has_the_offset_of_before() -> None:
    clocks = Clocks()
    clock = ExchangeClock(clocks, clocks.latest, offset_ns=-3 * DAY)
    assert clock.known
    assert clock.now_ns() == MORNING


def test_a_packet_sets_it_and_the_monotonic_clock_carries_it_on() -> None:
    clocks = Clocks(packet=(MORNING, 4 * SECOND))
    clock = ExchangeClock(clocks, clocks.latest, offset_ns=0)
    assert clock.now_ns() == MORNING + SECOND
    clocks.monotonic += 10 * SECOND
    clocks.wall -= 400 * DAY
    assert clock.now_ns() == MORNING + 11 * SECOND


def test_without_a_feed_it_goes_on() -> None:
    clocks = Clocks(packet=(MORNING, 5 * SECOND))
    clock = ExchangeClock(clocks, clocks.latest)
    assert clock.now_ns() == MORNING
    clocks.packet = (0, 0)
    for _ in range(3):
        clocks.monotonic += SECOND
        clock.now_ns()
    assert clock.known
    assert clock.now_ns() == MORNING + 3 * SECOND


@given(
    st.lists(
        st.tuples(st.integers(-DAY, DAY), st.integers(0, 100 * SECOND), st.integers(-DAY, DAY), st.booleans()),
        max_size=30,
    )
)
def test_it_never_goes_back(steps: list[tuple[int, int, int, bool]]) -> None:
    """Whatever jumps: the wall clock, the feed's times, connections that come and go."""
    clocks = Clocks(packet=(MORNING, 5 * SECOND))
    clock = ExchangeClock(clocks, clocks.latest)
    before = clock.now_ns()
    for wall, passed, packet, connected in steps:
        clocks.wall += wall
        clocks.monotonic += passed
        clocks.packet = (MORNING + packet, clocks.monotonic) if connected else (0, 0)
        now = clock.now_ns()
        assert now >= before
        before = now


def test_of_several_connections_the_furthest_counts() -> None:
    assert latest_of([]) == (0, 0)
    assert latest_of([(0, 0), (MORNING, 5)]) == (MORNING, 5)
    assert latest_of([(MORNING, 5 * SECOND), (MORNING + SECOND, 7 * SECOND)]) == (MORNING, 5 * SECOND)
