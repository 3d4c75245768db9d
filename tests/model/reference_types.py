"""What goes into the reference model and what comes out of it.

Prices and money are integers in paise, times int64 nanoseconds since the epoch UTC, points, rupees and percentages
exact decimals. A setting stands here under its name in the config. `[charges]` and `[instrument]` and the hours of
`[session]` depend on the date, so they stand in `ModelDay` and `ModelCharges` instead.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from model.reference_charges import ModelCharges


def paise(rupees: Decimal) -> int:
    """Convert rupees (or points) to whole paise, half up."""
    return int((rupees * 100).to_integral_value(ROUND_HALF_UP))


@dataclass(frozen=True)
class ModelTick:
    """One last traded price; a price below one paisa stands for every kind of bad price, a zero quote for none."""

    time_ns: int
    price: int
    volume: int
    bid: int = 0
    ask: int = 0
    instrument: int = 0

    @property
    def has_quote(self) -> bool:
        return 0 < self.bid <= self.ask


@dataclass(frozen=True)
class ModelDay:
    """One calendar day [start_ns, end_ns) of one instrument; `open_ns` and `close_ns` are 0 or None when it is closed.

    `freeze_quantity` is the largest single order in units, 0 where there is none.
    """

    start_ns: int
    end_ns: int
    open_ns: int | None
    close_ns: int | None
    lot_size: int
    tick_size: int
    charges: ModelCharges
    freeze_quantity: int = 0


@dataclass(frozen=True)
class ModelSettings:
    """The config, with the defaults of the strategy's page; a limit of 0 is no limit."""

    use_ema_crossover: bool = True
    use_macd: bool = False
    use_vwap: bool = False
    use_rsi_filter: bool = False
    use_htf_trend: bool = False
    use_bollinger_bands: bool = False
    use_stochastic: bool = False
    fast_ema: int = 18
    slow_ema: int = 42
    macd_fast: int = 12
    macd_slow: int = 26
    macd_signal: int = 9
    rsi_length: int = 14
    rsi_overbought: Decimal = Decimal(70)
    rsi_oversold: Decimal = Decimal(30)
    htf_period: int = 20
    bollinger_period: int = 20
    bollinger_std: Decimal = Decimal("2.0")
    stochastic_k: int = 14
    stochastic_d: int = 3
    atr_len: int = 14
    consecutive_green_bars: int = 3
    min_warmup_ticks: int = 50
    control_base_sl: bool = True
    control_base_sl_green_ticks: int = 4
    noise_filter_enabled: bool = False
    noise_filter_percentage: Decimal = Decimal("0.0001")
    noise_filter_min_ticks: Decimal = Decimal("1.0")
    reset_daily: bool = False

    max_positions_per_day: int = 100
    max_position_value_percent: Decimal = Decimal("30.0")
    stop_loss_mode: str = "points"
    base_sl_points: Decimal = Decimal("15.0")
    stop_loss_percent: Decimal = Decimal("6.0")
    atr_multiple: Decimal = Decimal("3.0")
    tp_points: tuple[Decimal, ...] = (Decimal("5.0"), Decimal("12.0"), Decimal("20.0"), Decimal("30.0"))
    tp_percents: tuple[Decimal, ...] = (Decimal("0.40"), Decimal("0.30"), Decimal("0.20"), Decimal("0.10"))
    use_trail_stop: bool = True
    trail_activation_points: Decimal = Decimal("5.0")
    trail_distance_points: Decimal = Decimal("5.0")
    slippage_points: Decimal = Decimal("0.0")
    max_day_loss: Decimal = Decimal(0)
    max_exposure_percent: Decimal = Decimal(0)
    max_orders_per_second: int = 0
    max_orders_per_day: int = 0

    fill_model: str = "ltp"
    close_at_end: bool = False
    initial_capital: Decimal = Decimal("100000.0")

    start_buffer_minutes: int = 5
    end_buffer_minutes: int = 20
    no_trade_start_minutes: int = 5
    no_trade_end_minutes: int = 10

    def __post_init__(self) -> None:
        if list(self.tp_points) != sorted(set(self.tp_points)) or len(self.tp_points) != len(self.tp_percents):
            raise ValueError(f"tp_points {self.tp_points} must rise and be as many as tp_percents {self.tp_percents}")
        if self.fill_model not in {"ltp", "quote"}:
            raise ValueError(f"fill_model {self.fill_model!r} is neither ltp nor quote")
        if self.stop_loss_mode not in {"points", "percent", "atr"}:
            raise ValueError(f"stop_loss_mode {self.stop_loss_mode!r} is none of points, percent, atr")


@dataclass(frozen=True)
class ModelTrade:
    """One exit row; `charges` are its share of the entry's plus its own, and net = gross - charges."""

    trade_id: int
    position_id: int
    instrument: int
    entry_time_ns: int
    exit_time_ns: int
    entry_price: int
    exit_price: int
    quantity: int
    gross: int
    charges: int
    net: int
    exit_reason: str


@dataclass(frozen=True)
class ModelOpenPosition:
    """A position still open after the last tick, valued at its instrument's last price."""

    position_id: int
    instrument: int
    entry_time_ns: int
    entry_price: int
    quantity: int
    last_price: int
    value: int


@dataclass(frozen=True)
class ModelResult:
    """What a run did. Counts hold only the reasons that occurred; `max_drawdown` is in paise below `drawdown_peak`."""

    trades: list[ModelTrade]
    cash: int
    accepted: int
    off_grid: int
    quote_fallbacks: int
    rejected: dict[str, int]
    gates: dict[str, int]
    denied: dict[str, int]
    max_drawdown: int
    drawdown_peak: int
    open_positions: list[ModelOpenPosition]
