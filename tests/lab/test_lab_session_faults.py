"""A whole session on a lab that fails: every fault ends in a defined outcome, and the journal holds it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from myquant.core import codes
from myquant.session.divergence import divergence
from session.stage import Journal, Stage, assert_sound, journal_keys, on_stage, source_keys


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with on_stage(tmp_path) as found:
        yield found


def nothing(_: Journal) -> None:
    """Hold nothing more."""


def counted(*reasons: str) -> Callable[[Journal], None]:
    """Return what holds that the feed counted packets for these reasons."""

    def hold(journal: Journal) -> None:
        assert set(reasons) <= set(journal.counted()), journal.counted()

    return hold


def out_of_order(journal: Journal) -> None:
    """Hold that late packets were left out."""
    counted("out_of_order")(journal)
    assert len(journal.ticks()) < ALL


ALL = 4000  # ticks of the afternoon
RESET = 0.25  # least share of them, where a reset lets the kernel drop what the socket had not handed over


@dataclass(frozen=True)
class Case:
    """A fault, and what it must come to.

    `made`: what the lab counts of it; `breaks`: how often the feed went stale after it had been healthy; `true`: no tick
    came that the exchange did not send; `least`: share of the ticks that must have come.
    """

    fault: str
    made: str
    breaks: int = 0
    true: bool = True
    least: float = 0.95
    hold: Callable[[Journal], None] = nothing
    values: tuple[tuple[str, Any], ...] = ()


CASES = [
    Case("duplicate=0.05", "duplicate", hold=counted("duplicate")),
    Case("out_of_order=0.05", "out_of_order", least=0.8, hold=out_of_order),
    Case("gap=after:1000,seconds:300", "gap", least=0.9),
    Case("corrupt=0.05", "corrupt", true=False, least=0.85),
    Case("truncate=0.05", "truncate", least=0.9, hold=counted("wrong_length")),
    Case("wrong_token=0.05", "wrong_token", least=0.9, hold=counted("unknown_token")),
    Case("wrong_exchange=0.05", "wrong_exchange", least=0.9, hold=counted("wrong_exchange")),
    Case("crossed=0.05", "crossed", hold=counted("crossed_quote")),
    Case("spike=0.005", "spike", true=False),
    Case("spike_outside=0.02", "spike_outside", hold=counted("outside_circuit")),
    Case("clock_jump=after:1000,seconds:300", "clock_jump", hold=counted("clock_jump")),
    Case("clock_jump=after:1000,seconds:-300", "clock_jump", hold=counted("out_of_order")),
    Case("burst=after:1000,seconds:300,times:10", "burst", true=False),
    Case("mute=after:2000", "mute", breaks=1),
    Case("mute=after:2000,seconds:0.2", "mute"),
    Case("drop=connection:1,after:2000", "drop", breaks=1, least=RESET),
    Case("drop=connection:2,after:500", "drop"),  # there is none
    Case("drop=connection:0,after:2500", "drop", breaks=4, least=RESET),
    Case("half_open=after:2000", "half_open", breaks=1),
    Case("token_roll=after:2000", "token_roll", breaks=1, least=RESET),
    Case("slow_handshake=0.3", "slow_handshake"),
    Case("login_429=1", "login_429"),
    Case("login_5xx=2", "login_5xx"),
    Case("login_garbage=1", "login_garbage"),
]
MINUTE_MS = 60_000
NEVER_MADE = {"drop=connection:2,after:500"}


@pytest.mark.parametrize("case", CASES, ids=[case.fault for case in CASES])
def test_every_fault_ends_in_a_defined_outcome(stage: Stage, case: Case) -> None:
    lab = stage.lab(case.fault)
    session = stage.paper(lab, **dict(case.values))
    assert session.wait(30) == 0, stage.said()
    counts = lab.counts()
    assert (counts.get(case.made, 0) > 0) == (case.fault not in NEVER_MADE), counts
    journal = assert_sound(stage.session())
    healthy = journal.feed_notes()
    assert healthy == [False, True] * (len(healthy) // 2)
    assert len(healthy) // 2 == 1 + case.breaks
    known = journal_keys(journal)
    assert len(known) >= case.least * ALL
    assert max(source_keys(stage.ticks))[0] - known[-1][0] < MINUTE_MS  # it went on to the end
    if case.true:
        assert set(known) <= source_keys(stage.ticks)
    case.hold(journal)
    assert journal.notes_of(6)["code"].tolist() == [0]
    found = divergence(stage.session())
    assert found.same_trades or case.breaks or found.acting_timers
    assert len(journal.commands_of(codes.TRADE_CLOSED)) > 3
    assert found.gap == sum(line.paise for line in found.lines)
