"""The default strategy: every enabled signal must be true, as a state and not as an event.

docs/settings.md says what it does, ASSUMPTIONS.md how it counts.
"""

from typing import Final, NamedTuple

import numpy as np

from myquant.core import codes
from myquant.core.compiled import inlined
from myquant.core.indicators import (
    Macd,
    Rsi,
    Vwap,
    Window,
    ema,
    inside_bands,
    macd_line,
    rolling_mean,
    rsi_value,
    stochastic_k,
    update_macd,
    update_rsi,
    update_vwap,
    update_window,
)
from myquant.core.records import Context, Rules, Tick

SECTION: Final = "strategy"
BOLLINGER_AT: Final = 0  # places in the memory: up to 200 prices,
STOCHASTIC_AT: Final = 200  # up to 200 prices,
PERCENT_K_AT: Final = 400  # up to 50 values of %K
MEMORY: Final = 450


class Params(NamedTuple):
    """The keys of `[strategy]` that are this strategy's own; the engine reads the others."""

    use_ema_crossover: bool
    use_macd: bool
    use_vwap: bool
    use_rsi_filter: bool
    use_htf_trend: bool
    use_bollinger_bands: bool
    use_stochastic: bool
    fast_ema: int
    slow_ema: int
    macd_fast: int
    macd_slow: int
    macd_signal: int
    rsi_length: int
    rsi_overbought: float
    rsi_oversold: float
    htf_period: int
    bollinger_period: int
    bollinger_std: float
    stochastic_k: int
    stochastic_d: int


class State(NamedTuple):
    """The indicators; one that is switched off stays as it began."""

    fast: float = 0.0
    slow: float = 0.0
    htf: float = 0.0
    last_price: float = 0.0
    macd: Macd = Macd()
    rsi: Rsi = Rsi()
    vwap: Vwap = Vwap()
    bollinger: Window = Window()
    percent_k: float = 0.0
    percent_d: float = 0.0


FIRST_STATE: Final = State()


@inlined
def update(state: State, tick: Tick, params: Params, memory: np.ndarray) -> State:
    """Take a tick into every enabled indicator."""
    first, price = tick.n == 1, tick.price
    if params.use_ema_crossover:
        state = state._replace(
            fast=price if first else ema(state.fast, price, params.fast_ema),
            slow=price if first else ema(state.slow, price, params.slow_ema),
        )
    if params.use_htf_trend:
        state = state._replace(htf=price if first else ema(state.htf, price, params.htf_period))
    if params.use_macd:
        macd = update_macd(state.macd, price, first, params.macd_fast, params.macd_slow, params.macd_signal)
        state = state._replace(macd=macd)
    if params.use_vwap:
        state = state._replace(vwap=update_vwap(state.vwap, tick.price_paise, tick.volume, tick.new_day))
    if params.use_rsi_filter and not first:
        state = state._replace(rsi=update_rsi(state.rsi, price - state.last_price, params.rsi_length))
    if params.use_bollinger_bands:
        window = update_window(state.bollinger, memory, BOLLINGER_AT, tick.n, tick.price_paise, params.bollinger_period)
        state = state._replace(bollinger=window)
    if params.use_stochastic:
        k = stochastic_k(memory, STOCHASTIC_AT, tick.n, tick.price_paise, params.stochastic_k)
        d = rolling_mean(memory, PERCENT_K_AT, tick.n, k, params.stochastic_d)
        state = state._replace(percent_k=k, percent_d=d)
    return state._replace(last_price=price)


@inlined
def entry(state: State, tick: Tick, context: Context, params: Params) -> bool:  # noqa: ARG001  (the shape)
    """Return whether every enabled signal is true; one whose indicator is not warm is false."""
    if params.use_ema_crossover and not state.fast > state.slow:
        return False
    if params.use_htf_trend and not tick.price > state.htf:
        return False
    if params.use_vwap and not vwap_signal(state, tick):
        return False
    if params.use_macd and not macd_signal(state, tick, params):
        return False
    if params.use_rsi_filter and not rsi_signal(state, params):
        return False
    if params.use_bollinger_bands and not bollinger_signal(state, tick, params):
        return False
    return not params.use_stochastic or stochastic_signal(state, tick, params)


@inlined
def vwap_signal(state: State, tick: Tick) -> bool:
    """Return whether the price is above the day's VWAP; false without volume. Compared in exact integers."""
    return state.vwap.volume > 0 and tick.price_paise * state.vwap.volume > state.vwap.turnover


@inlined
def macd_signal(state: State, tick: Tick, params: Params) -> bool:
    """Return whether the MACD line is above its signal line."""
    warm = tick.n >= params.macd_slow + params.macd_signal - 1
    return warm and macd_line(state.macd) > state.macd.signal


@inlined
def rsi_signal(state: State, params: Params) -> bool:
    """Return whether the RSI is between oversold and overbought."""
    if state.rsi.changes < params.rsi_length:
        return False
    return params.rsi_oversold < rsi_value(state.rsi) < params.rsi_overbought


@inlined
def bollinger_signal(state: State, tick: Tick, params: Params) -> bool:
    """Return whether the price is inside the bands."""
    if tick.n < params.bollinger_period:
        return False
    return inside_bands(state.bollinger, tick.price_paise, params.bollinger_period, params.bollinger_std)


@inlined
def stochastic_signal(state: State, tick: Tick, params: Params) -> bool:
    """Return whether %K is above %D."""
    warm = tick.n >= params.stochastic_k + params.stochastic_d - 1
    return warm and state.percent_k > state.percent_d


@inlined
def is_usual(rules: Rules, params: Params) -> bool:
    """Return whether the EMA crossover is the only signal, without noise filter and ATR stop."""
    others = params.use_macd or params.use_vwap or params.use_rsi_filter or params.use_htf_trend
    others = others or params.use_bollinger_bands or params.use_stochastic or not params.use_ema_crossover
    return not (others or rules.noise_filter_enabled or rules.stop_mode == codes.STOP_BY_ATR)


@inlined
def as_usual(rules: Rules, params: Params) -> tuple[Rules, Params]:
    """Return usual settings as constants."""
    params = params._replace(
        use_ema_crossover=True,
        use_macd=False,
        use_vwap=False,
        use_rsi_filter=False,
        use_htf_trend=False,
        use_bollinger_bands=False,
        use_stochastic=False,
    )
    return rules._replace(noise_filter_enabled=False, stop_mode=codes.STOP_BY_POINTS), params
