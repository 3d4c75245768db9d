"""A signal whose indicator is not warm is false: the first entry comes no earlier, and then at once."""

from typing import Any

import numpy as np
import pytest

from laws.driver import Ticks, new_engine, settings
from myquant.core import codes
from myquant.ticks.batch import TickBatch
from session.play import PLAIN

# what is switched on, and the first tick that may enter
WARM: dict[str, tuple[dict[str, Any], int]] = {
    "the engine": ({"strategy.min_warmup_ticks": 17}, 17),
    "EMA": ({"strategy.use_ema_crossover": True}, 2),  # at once, but equal on the first tick
    "HTF": ({"strategy.use_htf_trend": True}, 2),
    "VWAP": ({"strategy.use_vwap": True}, 2),
    "RSI": ({"strategy.use_rsi_filter": True, "strategy.rsi_length": 9}, 10),
    "Bollinger": ({"strategy.use_bollinger_bands": True, "strategy.bollinger_period": 11}, 11),
    "Stochastic": ({"strategy.use_stochastic": True, "strategy.stochastic_k": 9, "strategy.stochastic_d": 4}, 12),
    "MACD": ({"strategy.use_macd": True, "strategy.macd_slow": 13, "strategy.macd_signal": 5}, 17),
}


def first_entry(values: dict[str, Any], seed: int) -> int:
    """Return the number of the first tick that enters, of thirty."""
    rng = np.random.default_rng(seed)
    time_ns = 1_759_293_600_000_000_000 + np.arange(30) * 10**9  # 2025-10-01 10:10 in India
    ticks = Ticks(time_ns, 10_000 + np.cumsum(rng.integers(-4, 6, 30)) * 5, np.full(30, 75))
    got: list[np.void] = []
    new_engine(settings({**PLAIN, "strategy.consecutive_green_bars": 0, **values})).run(
        TickBatch(**ticks._asdict()), got.extend
    )
    return min((int(row["event_sequence"]) + 1 for row in got if row["kind"] == codes.SUBMIT), default=1000)


@pytest.mark.parametrize("case", WARM)
def test_the_first_entry_is_that_of_the_first_warm_tick(case: str) -> None:
    values, tick = WARM[case]
    assert min(first_entry(values, seed) for seed in range(40)) == tick
