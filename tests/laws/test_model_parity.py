"""Law: the compiled engine and the plain model of the specification agree on every trade, to the paisa."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from laws.driver import Ticks, counted, random_ticks, rows_of, run_engine, run_model, settings
from myquant.core import codes

ALL_SIGNALS = {
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
RICH = {"capital.initial_capital": 1_000_000}
CASES: dict[str, dict[str, Any]] = {
    "default": {},
    "every tier": RICH,
    "percent charges": {**RICH, "charges.model": "percent", "charges.commission_per_trade": 20},
    "every signal": {**RICH, **ALL_SIGNALS, "strategy.rsi_overbought": 90},
    **{f"only {name}": {**RICH, "strategy.use_ema_crossover": False, name: True} for name in ALL_SIGNALS},
    "no signal": {**RICH, "strategy.use_ema_crossover": False},
    "percent stop": {**RICH, "risk.stop_loss_mode": "percent", "risk.stop_loss_percent": Decimal("2.5")},
    "atr stop": {**RICH, "risk.stop_loss_mode": "atr", "risk.atr_multiple": Decimal("4.5")},
    "slippage": {**RICH, "risk.slippage_points": Decimal("0.35")},
    "no trailing": {**RICH, "risk.use_trail_stop": False},
    "tight trailing": {**RICH, "risk.trail_activation_points": 1, "risk.trail_distance_points": Decimal("0.5")},
    "noise filter": {
        **RICH,
        "strategy.noise_filter_enabled": True,
        "strategy.noise_filter_percentage": Decimal("0.002"),
    },
    "no control after a stop": {**RICH, "strategy.control_base_sl": False},
    "many greens after a stop": {**RICH, "strategy.control_base_sl_green_ticks": 7},
    "three entries a day": {**RICH, "risk.max_positions_per_day": 3},
    "day loss": {**RICH, "risk.max_day_loss": 9000},
    "order rates": {**RICH, "risk.max_orders_per_second": 1, "risk.max_orders_per_day": 40},
    "little cash": {"capital.initial_capital": 60_000},
    "all in": {**RICH, "risk.max_position_value_percent": 100},
    "huge, sliced": {"capital.initial_capital": 50_000_000, "risk.max_position_value_percent": 90},
    "closed at the end": {**RICH, "execution.close_at_end": True, "session.end_hour": 18},
    "odd lot": {
        **RICH,
        "instrument.lot_size": 1,
        "risk.tp_points": (2, 4, 6),
        "risk.tp_percents": (Decimal("0.333333"), Decimal("0.333333"), Decimal("0.333334")),
    },
}


def agree(ticks: Ticks, values: dict[str, Any], *, instruments: int = 1) -> int:
    loaded = settings(values)
    record = run_engine(ticks, loaded, instruments=instruments, batch_rows=700)
    model = run_model(ticks, loaded, instruments=instruments)
    wanted = [tuple(getattr(trade, name) for name in trade.__dataclass_fields__) for trade in model.trades]
    assert rows_of(record) == wanted
    assert record.account.cash == model.cash
    assert int(record.counts[:, codes.COUNT_TICKS].sum()) == model.accepted
    assert int(record.counts[:, codes.COUNT_OFF_GRID].sum()) == model.off_grid
    assert int(record.counts[:, codes.COUNT_QUOTE_FALLBACK].sum()) == model.quote_fallbacks
    assert counted(record.counts, codes.COUNT_GATES, codes.GATE_NAMES) == dict(model.gates)
    assert counted(record.counts, codes.COUNT_DENIED, codes.DENIAL_NAMES) == dict(model.denied)
    rejected = counted(record.counts, codes.COUNT_REJECTED, codes.REJECTION_NAMES)
    assert rejected.get("time_backwards", 0) == model.rejected.get("time_backwards", 0)
    assert sum(rejected.values()) == sum(model.rejected.values())
    if not loaded.config.execution.close_at_end:
        assert record.account.max_drawdown == model.max_drawdown
        assert record.account.drawdown_peak == model.drawdown_peak
    assert sum(int(net) for net in record.trades["net"]) == record.account.cash - record.initial_capital or (
        record.open_positions
    )
    return len(wanted)


@pytest.mark.parametrize("case", CASES)
def test_random_ticks(case: str) -> None:
    traded = sum(agree(random_ticks(seed, days=1 + seed % 3), CASES[case]) for seed in range(4))
    assert traded > 0


@pytest.mark.parametrize("reset", [False, True])
def test_days_that_end_with_an_open_position(reset: bool) -> None:
    values = {**RICH, "session.end_hour": 23, "session.end_min": 59, "strategy.reset_daily": reset}
    assert sum(agree(random_ticks(seed, days=4), {**values, **ALL_SIGNALS}) for seed in range(3)) > 0
    assert sum(agree(random_ticks(seed, days=4), values) for seed in range(3)) > 0


def test_quotes() -> None:
    values = {**RICH, "execution.fill_model": "quote", "risk.slippage_points": Decimal("0.05")}
    assert sum(agree(random_ticks(seed, quotes=True), values) for seed in range(4)) > 0


@pytest.mark.parametrize("limit", [{}, {"risk.max_exposure_percent": 40}, {"risk.max_day_loss": 9000}])
def test_several_instruments_share_an_account(limit: dict[str, Any]) -> None:
    ticks = [random_ticks(seed, count=3000, instruments=3, days=2) for seed in range(3)]
    assert sum(agree(tape, {**RICH, **limit}, instruments=3) for tape in ticks) > 0


@pytest.mark.parametrize("case", ["default", "every tier", "every signal", "atr stop", "percent charges"])
def test_the_recorded_day(case: str, real_day: Path) -> None:
    frame = pl.read_csv(real_day, try_parse_dates=True)
    times = frame["timestamp"].dt.convert_time_zone("UTC").dt.epoch("ns").to_numpy()
    prices = np.round(frame["price"].to_numpy() * 100).astype(np.int64)
    ticks = Ticks(times.astype(np.int64), prices, frame["volume"].to_numpy().astype(np.int64))
    assert agree(ticks, CASES[case]) > 20
