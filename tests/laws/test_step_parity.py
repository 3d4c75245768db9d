"""Law: a batch against the instant exchange and one event at a time, answered alike, give the same bytes."""

import pytest

from laws.cases import CASES, tape
from laws.driver import replay, settings, step_through
from myquant.core import codes


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", range(3))
def test_one_at_a_time_is_the_batch(case: str, seed: int) -> None:
    ticks, loaded = tape(seed, case), settings(CASES[case])
    batch, single = replay(ticks, loaded, instruments=3), step_through(ticks, loaded, instruments=3)
    assert single.commands.tobytes() == batch.commands.tobytes()
    assert single.snapshot == batch.snapshot
    assert (batch.commands["kind"] == codes.TRADE_CLOSED).any()
