"""Settings under which the laws are tried: each wakes another part of the engine. Prices of `random_ticks` are about 200."""

from decimal import Decimal
from typing import Any, Final

from laws.driver import Ticks, random_ticks

RICH: Final[dict[str, Any]] = {"capital.initial_capital": 1_000_000}
SIGNALS: Final = {
    f"strategy.{name}": True
    for name in (
        "use_macd",
        "use_vwap",
        "use_rsi_filter",
        "use_htf_trend",
        "use_bollinger_bands",
        "use_stochastic",
    )
}
CASES: Final[dict[str, dict[str, Any]]] = {
    "default": {},
    "every tier": RICH,
    "every signal": {**RICH, **SIGNALS, "strategy.rsi_overbought": 95, "strategy.bollinger_std": 3},
    "anew each day": {**RICH, "strategy.reset_daily": True, "session.end_hour": 23, "session.end_min": 59},
    "atr stop, noise": {**RICH, "risk.stop_loss_mode": "atr", "strategy.noise_filter_enabled": True},
    "day loss": {**RICH, "risk.max_day_loss": 9000},
    "limits": {**RICH, "risk.max_orders_per_second": 1, "risk.max_orders_per_day": 40, "risk.max_exposure_percent": 50},
    "percent charges": {**RICH, "charges.model": "percent", "risk.slippage_points": Decimal("0.35")},
    "quotes": {**RICH, "execution.fill_model": "quote"},
    "few marks": {**RICH, "results.max_marks": 100},
}


def tape(seed: int, case: str = "default", *, count: int = 1500) -> Ticks:
    """Return two dirty days of three instruments, with quotes where the case needs them."""
    return random_ticks(seed, count=count, days=2, instruments=3, quotes=case == "quotes")
