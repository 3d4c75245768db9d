"""The settings as strict, frozen models: the type, the bounds and the contradictions of every key.

Defaults stand in `defaults.toml` only; what a key means and its unit stand beside them there. Money, points and
percents are exact decimals, counts are ints. Values within these bounds fit int64 paise and nanoseconds.
"""

from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from myquant.config.values import (
    PAISE_DECIMALS,
    PERCENT_DECIMALS,
    RUPEES_MAX,
    Address,
    Exchange,
    Folder,
    Fraction,
    GreenTicks,
    Hour,
    Mac,
    Milliseconds,
    Minute,
    Minutes,
    Percent,
    Period,
    Points,
    PositiveFraction,
    PositivePercent,
    PositivePoints,
    Rupees,
    Seconds,
    Section,
    Symbol,
    Tiers,
    Url,
    Zone,
    contradict,
)
from myquant.config.watching import AlertSettings, DashboardSettings, LogSettings, MonitorSettings


class StrategySettings(Section):
    """Parameters of the default strategy, and those that the engine applies to every strategy."""

    use_ema_crossover: bool
    use_macd: bool
    use_vwap: bool
    use_rsi_filter: bool
    use_htf_trend: bool
    use_bollinger_bands: bool
    use_stochastic: bool
    fast_ema: Period
    slow_ema: Period
    macd_fast: Period
    macd_slow: Period
    macd_signal: Period
    rsi_length: Period
    rsi_overbought: Percent
    rsi_oversold: Percent
    htf_period: Period
    bollinger_period: Annotated[int, Field(ge=2, le=200)]
    bollinger_std: Annotated[Decimal, Field(gt=0, le=20, decimal_places=PERCENT_DECIMALS)]
    stochastic_k: Annotated[int, Field(ge=1, le=200)]
    stochastic_d: Annotated[int, Field(ge=1, le=50)]
    atr_len: Period
    consecutive_green_bars: GreenTicks
    min_warmup_ticks: Annotated[int, Field(ge=0, le=1_000_000)]
    control_base_sl: bool
    control_base_sl_green_ticks: GreenTicks
    noise_filter_enabled: bool
    noise_filter_percentage: Fraction
    noise_filter_min_ticks: Annotated[Decimal, Field(ge=0, le=1000, decimal_places=PERCENT_DECIMALS)]
    reset_daily: bool

    # A contradiction is checked on the later of its keys: pydantic has the earlier ones in `info.data` by then, unless
    # they were refused themselves. So one bad key hides no other problem, as a check of the whole model would.
    @field_validator("slow_ema", "macd_slow")
    @classmethod
    def _fast_below_slow(cls, slow: int, info: ValidationInfo) -> int:
        slow_key = str(info.field_name)
        fast_key = slow_key.replace("slow", "fast")
        if info.data.get(fast_key, 0) >= slow:
            contradict(f"{fast_key} must be below {slow_key}", fast_key, slow_key)
        return slow

    @field_validator("rsi_oversold")
    @classmethod
    def _oversold_below_overbought(cls, oversold: Decimal, info: ValidationInfo) -> Decimal:
        if oversold >= info.data.get("rsi_overbought", oversold + 1):
            contradict("rsi_oversold must be below rsi_overbought", "rsi_oversold", "rsi_overbought")
        return oversold


class RiskSettings(Section):
    """How much to buy, where to get out, and when to stop."""

    max_positions_per_day: Annotated[int, Field(ge=1, le=100_000)]
    max_position_value_percent: PositivePercent
    stop_loss_mode: Literal["points", "percent", "atr"]
    base_sl_points: PositivePoints
    stop_loss_percent: Annotated[Decimal, Field(gt=0, lt=100, decimal_places=PERCENT_DECIMALS)]
    atr_multiple: Annotated[Decimal, Field(gt=0, le=100, decimal_places=PERCENT_DECIMALS)]
    tp_points: Annotated[tuple[PositivePoints, ...], Tiers]
    tp_percents: Annotated[tuple[PositiveFraction, ...], Tiers]
    use_trail_stop: bool
    trail_activation_points: Points
    trail_distance_points: PositivePoints
    slippage_points: Points
    max_day_loss: Rupees
    max_exposure_percent: PositivePercent
    max_orders_per_second: Annotated[int, Field(ge=0, le=10_000)]
    max_orders_per_day: Annotated[int, Field(ge=0, le=1_000_000)]
    max_rejects: Annotated[int, Field(ge=1, le=1000)]

    @field_validator("tp_points")
    @classmethod
    def _rising(cls, points: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
        if any(nearer >= farther for nearer, farther in pairwise(points)):
            contradict("each tier must be above the one before it", "tp_points")
        return points

    @field_validator("tp_percents")
    @classmethod
    def _whole(cls, shares: tuple[Decimal, ...], info: ValidationInfo) -> tuple[Decimal, ...]:
        points = info.data.get("tp_points")
        if points is not None and len(points) != len(shares):
            contradict("give as many shares as points, summing to exactly 1", "tp_points", "tp_percents")
        if (total := sum(shares)) != 1:
            contradict(f"the shares must sum to exactly 1, not {total}", "tp_percents")
        return shares


class ExecutionSettings(Section):
    """How orders are filled."""

    fill_model: Literal["ltp", "quote", "limit"]
    close_at_end: bool
    order_timeout_s: Seconds
    on_stop: Literal["keep", "flatten"]
    latency_ms: Milliseconds
    latency_jitter_ms: Annotated[int, Field(ge=0, le=2000)]
    protection_percent: Percent
    protection_ticks: Annotated[int, Field(ge=1, le=1000)]
    participation_percent: PositivePercent
    order_life_s: Seconds
    reprice_s: Seconds
    protective_stop: bool
    stop_follow_s: Seconds
    exit_retry_s: Seconds
    unprotected_max_s: Seconds

    @field_validator("latency_jitter_ms")
    @classmethod
    def _answered_in_time(cls, jitter_ms: int, info: ValidationInfo) -> int:
        seen = info.data
        if {"order_timeout_s", "latency_ms"} <= seen.keys() and (
            seen["latency_ms"] + jitter_ms >= 1000 * seen["order_timeout_s"]
        ):
            keys = ("order_timeout_s", "latency_ms", "latency_jitter_ms")
            contradict("no order would be answered before it times out", *keys)
        return jitter_ms


class BrokerSettings(Section):
    """How orders at a broker are watched over."""

    reconcile_s: Seconds
    settle_s: Seconds
    channel_max_s: Seconds
    min_funds: Rupees
    shadow: bool


class FeedSettings(Section):
    """The broker's feed, and when it counts as stale."""

    mode: Literal["snap_quote", "quote"]
    stall_s: Annotated[Decimal, Field(ge=Decimal("0.1"), le=60, decimal_places=PERCENT_DECIMALS)]
    halt_after_s: Seconds
    reconnect_max_s: Annotated[Decimal, Field(ge=Decimal("0.1"), le=300, decimal_places=PERCENT_DECIMALS)]
    max_clock_jump_s: Annotated[Decimal, Field(gt=0, le=86_400, decimal_places=PERCENT_DECIMALS)]


class JournalSettings(Section):
    """How a session is kept on disk."""

    durability: Literal["process", "power"]
    segment_mib: Annotated[int, Field(ge=1, le=4096)]
    snapshot_interval_s: Annotated[int, Field(ge=1, le=86_400)]


class PipelineSettings(Section):
    """What a session does around each decision, and how."""

    handoff: Literal["callback", "queue", "ring"]
    logging: Literal["sync", "async"]
    results: Literal["off", "direct", "buffered"]
    frames: Literal["off", "append", "batch"]
    frame_every: Annotated[int, Field(ge=1, le=1_000_000)]
    tick_line_every: Annotated[int, Field(ge=0, le=1_000_000)]


class EvidenceSettings(Section):
    """What measuring has to show before a variant of the pipeline is switched on."""

    logging_percent: PositivePercent
    csv_write_percent: PositivePercent
    queue_ops_percent: PositivePercent
    dataframe_ops_percent: PositivePercent
    gc_spikes_percent: PositivePercent
    min_ticks: Annotated[int, Field(ge=400, le=100_000_000)]
    target_ms: Annotated[Decimal, Field(gt=0, le=60_000, decimal_places=PERCENT_DECIMALS)]
    target_tps: Annotated[Decimal, Field(gt=0, le=10**9, decimal_places=PERCENT_DECIMALS)]
    pairs: Annotated[int, Field(ge=10, le=1_000)]
    pair_ticks: Annotated[int, Field(ge=50, le=100_000)]


class AngelOneSettings(Section):
    """Where Angel One's services are; a lab on this machine has addresses of its own."""

    rest_url: Url
    stream_url: Url
    master_url: Url
    update_url: Url
    product: Literal["INTRADAY", "CARRYFORWARD"]
    public_ip: Address
    local_ip: Address
    mac: Mac


class CapitalSettings(Section):
    """The account at the start."""

    initial_capital: Annotated[Decimal, Field(gt=0, le=RUPEES_MAX, decimal_places=PAISE_DECIMALS)]


class SessionSettings(Section):
    """The hours of trade, and the minutes at their edges."""

    source: Literal["calendar", "config"]
    start_hour: Hour
    start_min: Minute
    end_hour: Hour
    end_min: Minute
    start_buffer_minutes: Minutes
    end_buffer_minutes: Minutes
    no_trade_start_minutes: Minutes
    no_trade_end_minutes: Minutes
    timezone: Zone

    @field_validator("end_min")
    @classmethod
    def _ends_after_start(cls, end_min: int, info: ValidationInfo) -> int:
        seen = info.data
        if {"start_hour", "start_min", "end_hour"} <= seen.keys() and (
            (seen["end_hour"], end_min) <= (seen["start_hour"], seen["start_min"])
        ):
            contradict("the session must end after it starts", "start_hour", "start_min", "end_hour", "end_min")
        return end_min


class InstrumentSettings(Section):
    """What is traded; zeros are looked up by date."""

    symbol: Symbol
    exchange: Exchange
    lot_size: Annotated[int, Field(ge=0, le=1_000_000)]
    tick_size: Annotated[Decimal, Field(ge=0, le=10_000, decimal_places=PAISE_DECIMALS)]


class ChargesSettings(Section):
    """What each order costs."""

    model: Literal["percent", "india_index_options"]
    broker: Literal["zerodha", "angelone", "upstox"]
    commission_percent: Percent
    commission_per_trade: Rupees
    stt_percent: Percent
    exchange_charges_percent: Percent
    gst_percent: Percent


class DataQualitySettings(Section):
    """What happens to a row that is no tick."""

    strict: bool
    rejected_examples: Annotated[int, Field(ge=0, le=1000)]


class ResultsSettings(Section):
    """What a run leaves behind, and where."""

    directory: Folder
    mark_interval_s: Annotated[int, Field(ge=1, le=86_400)]
    max_marks: Annotated[int, Field(ge=100, le=1_000_000)]
    report: bool
    excel: bool


class Config(BaseModel):
    """Every built-in section, in the order of `defaults.toml`."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    strategy: StrategySettings
    risk: RiskSettings
    execution: ExecutionSettings
    broker: BrokerSettings
    feed: FeedSettings
    journal: JournalSettings
    pipeline: PipelineSettings
    evidence: EvidenceSettings
    angelone: AngelOneSettings
    capital: CapitalSettings
    session: SessionSettings
    instrument: InstrumentSettings
    charges: ChargesSettings
    data_quality: DataQualitySettings
    results: ResultsSettings
    logs: LogSettings
    monitor: MonitorSettings
    alerts: AlertSettings
    dashboard: DashboardSettings


SECTIONS = {name: cast("type[Section]", field.annotation) for name, field in Config.model_fields.items()}
