"""Clocks that are set, and a machine that slept: nothing is found too late for it, nothing that is not so."""

from typing import Any

import pytest

from monitor.made_views import MONO, NOON, SECOND, found, held, loaded, order, view
from monitor.test_fold_steps import Journal
from monitor.watched import BEGAN_NS
from myquant.core import codes
from myquant.monitor.faults import Memory
from myquant.monitor.judge import judge
from myquant.monitor.metrics import session_samples
from myquant.monitor.rules import RULES
from myquant.monitor.view import InstrumentView, SessionView

HOUR = 3_600.0
BOOT_S = 1_000.0  # the monotonic clock when the journal begins
LATE = {"monitor_late": RULES["monitor_late"]}
BARE = {"position_bare": RULES["position_bare"]}


def found_at(wall_s: float, mono_s: float, memory: Memory, *views: SessionView) -> list[str]:
    """Return what is found at so many seconds after noon, by each clock."""
    wall_ns, mono_ns = NOON + round(wall_s * SECOND), MONO + round(mono_s * SECOND)
    by_name = {each.name: each for each in views}
    rules = BARE if views else LATE
    return [each.text for each in judge(by_name, loaded().config.monitor, wall_ns, mono_ns, memory=memory, rules=rules)]


@pytest.mark.parametrize(
    ("step_s", "said"),
    [
        (3 * HOUR, "this machine slept, or its clock was set forward, by 3.0 h"),
        (-600, "this machine's clock was set back by 10 min"),
        (59, ""),
        (-59, ""),
    ],
)
def test_that_the_machine_slept_or_its_clock_was_set_is_told_for_a_minute(step_s: float, said: str) -> None:
    memory = Memory()
    assert found_at(0, 0, memory) == found_at(1, 1, memory) == []
    seen = [found_at(after_s + step_s, after_s, memory) for after_s in (2, 3, *range(4, 62, 1), 62)]
    assert all(bool(texts) == bool(said) for texts in seen[:-1])
    assert seen[-1] == []
    assert seen[0] == [] or seen[0][0].startswith(said)


class Played:
    """A journal of a session that trades, with a packet before each event; the wall clock may be set."""

    def __init__(self) -> None:
        self.journal, self.set_s = Journal(**{"execution.order_timeout_s": 600}), 0.0

    def event(self, kind: int, at_s: float, *, packet: bool = True, **fields: Any) -> None:
        self.now_ns = BEGAN_NS + round(at_s * SECOND)  # by the exchange's clock
        if packet:
            stamp = round((BOOT_S + at_s - 0.01) * SECOND)
            self.journal.event(
                codes.TICK, at_s - 0.01 + self.set_s, price=10_000, stamps=(stamp, stamp, 0), time_ns=self.now_ns
            )
        self.journal.event(kind, at_s + self.set_s, time_ns=self.now_ns, **fields)

    def submit(self, order_id: int, **fields: int) -> None:
        self.journal.command(codes.SUBMIT, order_id=order_id, quantity=75, time_ns=self.now_ns, **fields)

    def bought(self, at_s: float, *, packet: bool = True) -> None:
        self.event(codes.TIMER, at_s, packet=packet)
        self.submit(1, side=codes.BUY, price=10_000)
        self.event(codes.FILL, at_s, packet=packet, order_id=1, quantity=75, value=75 * 10_000)
        self.submit(2, side=codes.SELL, stop=9_500)

    def held(self) -> InstrumentView:
        return self.journal.folded().instruments[0]

    def found(self, at_s: float) -> tuple[list[str], object]:
        """Return what is found at a time, and for how long the position is bare by the metric."""
        folded = self.journal.folded()
        folded.kind, folded.process = "live", view().process
        wall_ns, mono_ns = BEGAN_NS + round((at_s + self.set_s) * SECOND), round((BOOT_S + at_s) * SECOND)
        settings = loaded().config.monitor
        texts = [each.text for each in judge({"s": folded}, settings, wall_ns, mono_ns, rules=BARE)]
        metric = "myquant_position_unprotected_seconds"
        return texts, next(each.value for each in session_samples(folded, wall_ns, mono_ns) if each.name == metric)


@pytest.mark.parametrize("set_s", [0, HOUR, -600.0])
def test_a_clock_that_is_set_makes_no_position_bare_and_hides_none(set_s: float) -> None:
    """It is set while the stop order is on its way."""
    played = Played()
    played.bought(1)
    played.set_s = set_s
    assert played.found(1.2) == ([], pytest.approx(0.2))
    texts, bare_s = played.found(6)
    assert (len(texts), bare_s) == (1, pytest.approx(5))


@pytest.mark.parametrize("set_s", [0, HOUR, -600.0])
def test_a_stop_order_that_is_accepted_and_refused_at_once_resets_nothing(set_s: float) -> None:
    played = Played()
    played.bought(1)
    played.event(codes.ORDER_ACK, 3, order_id=2)
    assert played.held().bare_since_ns is None
    played.set_s = set_s
    played.event(codes.ORDER_REJECT, 3.5, order_id=2, code=codes.BY_VENUE)
    assert played.found(6)[1] == pytest.approx(5)


def test_one_that_has_protected_for_long_is_missed_from_its_end_on_whatever_the_clock_says() -> None:
    played = Played()
    played.bought(1)
    played.event(codes.ORDER_ACK, 1.2, order_id=2)
    played.set_s = -600
    played.event(codes.ORDER_REJECT, 100, order_id=2, code=codes.BY_VENUE)
    assert played.found(104.9) == ([], pytest.approx(4.9))
    assert len(played.found(105)[0]) == 1


def test_without_packets_the_machines_clock_is_all_there_is() -> None:
    played = Played()
    played.bought(1, packet=False)
    played.event(codes.ORDER_ACK, 1.2, packet=False, order_id=2)
    played.set_s = -600
    played.event(codes.ORDER_REJECT, 100, packet=False, order_id=2, code=codes.BY_VENUE)
    assert (played.held().bare_since_ns, played.held().bare_since_mono_ns) == (BEGAN_NS - 500 * SECOND, 0)


def test_where_only_a_clock_tells_that_was_set_back_what_was_seen_counts() -> None:
    memory, bare = Memory(), view(instruments=held(bare_since_ns=NOON))
    assert found_at(1, 1, memory, bare) == []
    assert found_at(-598, 2, memory, bare) == []
    assert len(found_at(-594, 6, memory, bare)) == 1


def test_an_order_is_as_old_as_its_input_though_the_feed_is_silent_for_long() -> None:
    played = Played()
    played.event(codes.TIMER, 1)
    for second in range(2, 300):
        played.event(codes.TIMER, second, packet=False)
    played.submit(1, side=codes.BUY)
    assert played.journal.folded().orders[1].sent_mono_ns == (BOOT_S + 299) * SECOND
    played.event(codes.TIMER, 400, packet=False)  # nobody knows how long that was: it was stopped, or the clock was set
    played.submit(2, side=codes.BUY)
    assert played.journal.folded().orders[2].sent_mono_ns == 0


def test_an_order_that_only_a_clock_tells_of_is_not_sent_in_the_future() -> None:
    sent: dict[str, Any] = {"orders": {7: order(age_s=-600)}}
    sent["orders"][7].sent_mono_ns = 0
    assert found(view(**sent)) == []


@pytest.mark.parametrize(("set_s", "expected"), [(0, 1.0), (HOUR, 1.0), (-600, 1.0)])
def test_a_feed_is_stale_since_then_whatever_the_clock_says(set_s: float, expected: float) -> None:
    played = Played()
    played.event(codes.FEED_STATUS, 10, code=codes.FEED_IS_STALE)
    folded = played.journal.folded()
    assert folded.feed_since_mono_ns == (BOOT_S + 10) * SECOND
    folded.is_market_open, folded.open_for_ns = True, 3_600 * SECOND
    folded.process = view().process
    mono_ns = round((BOOT_S + 10 + expected) * SECOND)
    folded.beat_mono_ns = folded.read_mono_ns = mono_ns
    wall_ns = BEGAN_NS + round((10 + expected + set_s) * SECOND)
    rules = {"feed_stale": RULES["feed_stale"]}
    assert judge({"s": folded}, loaded().config.monitor, wall_ns, mono_ns, rules=rules) == []
