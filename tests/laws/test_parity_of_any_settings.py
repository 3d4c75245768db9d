"""Law: engine and model agree under any settings, those at the edges of what is allowed included."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from laws.driver import random_ticks
from laws.test_model_parity import agree

SIGNALS = ("macd", "vwap", "rsi_filter", "htf_trend", "bollinger_bands", "stochastic")
TIERS = [
    ((5, 12, 20, 30), ("0.40", "0.30", "0.20", "0.10")),
    ((1,), ("1",)),
    ((Decimal("0.01"), 3), ("0.5", "0.5")),
    (tuple(range(1, 9)), ("0.125",) * 8),
    ((2, 4, 6), ("0.000001", "0.000001", "0.999998")),
]


def any_settings(seed: int) -> dict[str, Any]:
    """Draw settings, often at an edge."""
    rng = np.random.default_rng(seed)

    def one(*values: Any) -> Any:
        return values[rng.integers(len(values))]

    tp_points, tp_percents = one(*TIERS)
    return {
        "capital.initial_capital": one(100_000, 1_000_000, 20_000_000, Decimal("314159.26")),
        "strategy.use_ema_crossover": one(True, False),
        **{
            f"strategy.use_{name}": one(True, False, False, False)
            for name in ("macd", "vwap", "rsi_filter", "htf_trend")
        },
        **{f"strategy.use_{signal}": one(True, *[False] * 7) for signal in SIGNALS},
        "strategy.rsi_overbought": one(80, 100),
        "strategy.rsi_oversold": one(0, 30),
        "strategy.rsi_length": one(1, 14),
        "strategy.bollinger_period": one(2, 20, 200),
        "strategy.stochastic_k": one(1, 14),
        "strategy.stochastic_d": one(1, 3),
        "strategy.atr_len": one(1, 14, 60),
        "strategy.consecutive_green_bars": one(0, 1, 3),
        "strategy.min_warmup_ticks": one(0, 1, 2, 50),
        "strategy.control_base_sl": one(True, False),
        "strategy.noise_filter_enabled": one(True, False),
        "strategy.noise_filter_percentage": one(0, Decimal("0.0001"), Decimal("0.003")),
        "strategy.reset_daily": one(True, False),
        "risk.max_positions_per_day": one(1, 100, 100),
        "risk.max_position_value_percent": one(1, 30, Decimal("99.999999"), 100),
        "risk.stop_loss_mode": one("points", "percent", "atr"),
        "risk.base_sl_points": one(Decimal("0.01"), 3, 15, 1000),
        "risk.stop_loss_percent": one(Decimal("0.000001"), 2, Decimal("99.999999")),
        "risk.atr_multiple": one(Decimal("0.5"), 3, 20),
        "risk.tp_points": tuple(map(Decimal, tp_points)),
        "risk.tp_percents": tuple(map(Decimal, tp_percents)),
        "risk.use_trail_stop": one(True, True, False),
        "risk.trail_activation_points": one(0, 0, Decimal("0.01"), 5),
        "risk.trail_distance_points": one(Decimal("0.01"), 2, 5),
        "risk.slippage_points": one(0, 0, Decimal("0.05"), 3),
        "risk.max_day_loss": one(0, 0, 0, 5000),
        "risk.max_exposure_percent": one(100, 45),
        "risk.max_orders_per_day": one(0, 0, 0, 7),
        "execution.fill_model": one("ltp", "quote"),
        "session.end_hour": one(15, 23),
        "charges.model": one("percent", "india_index_options"),
        "charges.commission_per_trade": one(0, 20),
        "instrument.lot_size": one(1, 75),
    }


@pytest.mark.parametrize("block", range(4))
def test_engine_and_model_agree(block: int) -> None:
    traded = 0
    for seed in range(30 * block, 30 * (block + 1)):
        values = any_settings(seed)
        ticks = random_ticks(seed, count=700, days=2, quotes=True, instruments=2)
        traded += agree(ticks, values, instruments=2)
    assert traded > 150


@pytest.mark.parametrize("fill_model", ["ltp", "quote"])
def test_a_trailing_stop_that_is_on_from_the_entry(fill_model: str) -> None:
    values = {
        "capital.initial_capital": 1_000_000,
        "execution.fill_model": fill_model,
        "risk.trail_activation_points": 0,
        "risk.trail_distance_points": Decimal("0.5"),
    }
    assert sum(agree(random_ticks(seed, quotes=True), values) for seed in range(3)) > 20
