"""The page's rules that need nothing but what they are given: guard, hours, fill prices, stops, one instrument's state."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from model.reference_charges import percent_of
from model.reference_indicators import Indicators, Vwap
from model.reference_types import ModelDay, ModelSettings, ModelTick, paise

MINUTE_NS = 60 * 1_000_000_000


@dataclass
class Position:
    """An open position. `stop` and `trailing_stop` are levels in paise; the latter is None until it turns on."""

    position_id: int
    day: ModelDay
    entry_time_ns: int
    entry_price: int
    initial_quantity: int
    quantity: int
    entry_charges: int
    entry_charges_left: int
    stop: int
    high: int
    trailing_stop: int | None = None
    next_tier: int = 0

    def follow(self, price: int, settings: ModelSettings) -> None:
        """Move the high and the trailing stop."""
        self.high = max(self.high, price)
        distance = paise(settings.trail_distance_points)
        if self.trailing_stop is not None:
            self.trailing_stop = max(self.trailing_stop, self.high - distance)
        elif settings.use_trail_stop and price - self.entry_price >= paise(settings.trail_activation_points):
            self.trailing_stop = price - distance


class Book:
    """Everything that belongs to one instrument."""

    def __init__(self, settings: ModelSettings, days: Sequence[ModelDay]) -> None:
        self.days = days
        self.indicators = Indicators(settings)
        self.vwap = Vwap()
        self.day: ModelDay | None = None
        self.last: ModelTick | None = None
        self.position: Position | None = None
        self.entries_today = 0
        self.stopped_out = False  # the last position ended at its stop, and none was opened since

    def day_of(self, time_ns: int) -> ModelDay:
        for day in self.days:
            if day.start_ns <= time_ns < day.end_ns:
                return day
        raise ValueError(f"no ModelDay holds the time {time_ns}")

    def value(self) -> int:
        """Return what the open position is worth at the last price, in paise."""
        if self.position is None or self.last is None:
            return 0
        return self.position.quantity * self.last.price


def refusal(tick: ModelTick, last: ModelTick | None) -> str | None:
    """Say why the guard rejects a tick, or None."""
    if tick.price < 1:
        return "bad_price"
    if last is not None and tick.time_ns < last.time_ns:
        return "time_backwards"
    return None


def entries_allowed(settings: ModelSettings, day: ModelDay, time_ns: int) -> bool:
    if not day.open_ns or not day.close_ns:
        return False
    first = day.open_ns + MINUTE_NS * max(settings.start_buffer_minutes, settings.no_trade_start_minutes)
    last = day.close_ns - MINUTE_NS * max(settings.end_buffer_minutes, settings.no_trade_end_minutes)
    return first <= time_ns <= last and not session_over(settings, day, time_ns)


def session_over(settings: ModelSettings, day: ModelDay, time_ns: int) -> bool:
    return bool(day.close_ns) and time_ns >= (day.close_ns or 0) - MINUTE_NS * settings.end_buffer_minutes


def buy_price(settings: ModelSettings, tick: ModelTick) -> int:
    price = tick.ask if settings.fill_model == "quote" else tick.price
    return price + paise(settings.slippage_points)


def sell_price(settings: ModelSettings, tick: ModelTick) -> int:
    price = tick.bid if settings.fill_model == "quote" and tick.has_quote else tick.price
    return max(1, price - paise(settings.slippage_points))


def stop_level(settings: ModelSettings, day: ModelDay, entry: int, atr: float | None) -> int | None:
    """Return the stop in paise, or None while the ATR that it needs is not warm."""
    if settings.stop_loss_mode == "points":
        return entry - paise(settings.base_sl_points)
    if settings.stop_loss_mode == "percent":
        level = Fraction(entry) - percent_of(entry, settings.stop_loss_percent)
    else:
        if atr is None:
            return None
        level = Fraction(entry - float(settings.atr_multiple) * atr * 100.0)
    return floor(level / day.tick_size) * day.tick_size
