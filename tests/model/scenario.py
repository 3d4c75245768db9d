"""Small tables of ticks: prices in rupees as text, one tick a second, and settings that leave one rule at work."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

from model.reference import run
from model.reference_charges import DatedCharges, ModelCharges, PercentCharges
from model.reference_types import ModelDay, ModelResult, ModelSettings, ModelTick, paise

IST = timezone(timedelta(hours=5, minutes=30))
FIRST_DATE = date(2025, 10, 6)  # a Monday
SECOND_NS = 1_000_000_000
ZERO = Decimal(0)
NO_CHARGES = PercentCharges(ZERO, ZERO, ZERO, ZERO, ZERO)

# Zerodha's panels of 1 September 2026 (the reference page on the market, sections 7 to 9).
SEPTEMBER_2026 = DatedCharges(
    brokerage_per_order=2000,
    exchange_percent=Decimal("0.03553"),
    sebi_percent=Decimal("0.0001"),
    stt_percent=Decimal("0.15"),
    stamp_percent=Decimal("0.003"),
    gst_percent=Decimal(18),
)

# Every green tick is bought at once, nothing costs anything, only the stop and the tiers sell.
BARE = ModelSettings(
    use_ema_crossover=False,
    consecutive_green_bars=1,
    min_warmup_ticks=1,
    control_base_sl=False,
    use_trail_stop=False,
    initial_capital=Decimal(250_000),
)


def at(clock: str, day_number: int = 0) -> int:
    """Return the time of a clock reading in India, in ns since the epoch, on the first day or that many days later."""
    moment = datetime.combine(FIRST_DATE + timedelta(days=day_number), time.fromisoformat(clock), IST)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) * SECOND_NS


def make_day(
    day_number: int = 0,
    *,
    lot_size: int = 75,
    freeze_quantity: int = 0,
    charges: ModelCharges = NO_CHARGES,
    is_open: bool = True,
) -> ModelDay:
    return ModelDay(
        start_ns=at("00:00", day_number),
        end_ns=at("00:00", day_number + 1),
        open_ns=at("09:15", day_number) if is_open else None,
        close_ns=at("15:30", day_number) if is_open else None,
        lot_size=lot_size,
        tick_size=5,
        freeze_quantity=freeze_quantity,
        charges=charges,
    )


DAY = make_day()


def ticks(prices: str, clock: str = "10:00", *, day_number: int = 0, instrument: int = 0) -> list[ModelTick]:
    """Make one tick a second from prices in rupees, parted by spaces."""
    start = at(clock, day_number)
    return [
        ModelTick(start + second * SECOND_NS, paise(Decimal(price)), 75, instrument=instrument)
        for second, price in enumerate(prices.split())
    ]


def quoted(rows: Sequence[tuple[str, str, str]]) -> list[ModelTick]:
    """Make one tick a second from (price, bid, ask) in rupees; "0" is a missing quote."""
    start = at("10:00")
    return [
        ModelTick(start + second * SECOND_NS, paise(Decimal(price)), 75, paise(Decimal(bid)), paise(Decimal(ask)))
        for second, (price, bid, ask) in enumerate(rows)
    ]


def play(prices: str, settings: ModelSettings = BARE, day: ModelDay = DAY) -> ModelResult:
    return run(ticks(prices), settings, [[day]])


def by_time(*streams: Sequence[ModelTick]) -> list[ModelTick]:
    """Merge by time; equal times keep the order of the streams."""
    return sorted((tick for stream in streams for tick in stream), key=lambda tick: tick.time_ns)


def exits(result: ModelResult) -> list[tuple[str, str, int]]:
    """Return (reason, exit price in rupees, quantity) of every row."""
    return [(row.exit_reason, f"{row.exit_price / 100:.2f}", row.quantity) for row in result.trades]


def bare(**changes: object) -> ModelSettings:
    return replace(BARE, **changes)  # type: ignore[arg-type]  # a table's row names fields of any type
