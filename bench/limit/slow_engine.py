"""The default strategy once more, written for clarity and from the specification alone: what the C loops are held to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import floor

from bench.limit.slow_indicators import SlowIndicators

TIERS = ((500, Fraction(40, 100)), (1_200, Fraction(30, 100)), (2_000, Fraction(20, 100)), (3_000, Fraction(10, 100)))
LOT = 75
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INDIA = timedelta(hours=5, minutes=30)


def half_up(amount: Fraction) -> int:
    return floor(amount + Fraction(1, 2))


def charges_of(turnover: int, sell: bool) -> int:
    """Commission 0.03 %, exchange 0.003 %, STT 0.025 % of sells, GST 18 % of the first two; each to the paisa."""
    commission = half_up(Fraction(3, 10_000) * turnover)
    exchange = half_up(Fraction(3, 100_000) * turnover)
    stt = half_up(Fraction(25, 100_000) * turnover) if sell else 0
    return commission + exchange + stt + half_up(Fraction(18, 100) * (commission + exchange))


@dataclass
class OpenPosition:
    number: int
    day: int
    time_ns: int
    entry: int
    quantity: int
    charges: int
    high: int
    left: int = 0
    charges_left: int = 0
    trailing: int | None = None
    tiers_done: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.left, self.charges_left = self.quantity, self.charges


class SlowEngine:
    """Money in paise; rows are the tuples of a TRADE record with the exit reason's name at the end."""

    def __init__(self, cash: int, slippage: int, every_signal: bool) -> None:
        self.initial_cash = self.cash = self.equity_peak = cash
        self.slippage = slippage
        self.indicators = SlowIndicators(every_signal)
        self.position: OpenPosition | None = None
        self.rows: list[tuple[int | str, ...]] = []
        self.counts: Counter[str] = Counter()
        self.drawdown_max = self.positions = self.entries_today = 0
        self.day = self.last_time_ns = -1
        self.after_stop = False

    def on_tick(self, time_ns: int, price: int, volume: int) -> None:
        if price < 1:
            self.counts["rejected_price"] += 1
            return
        if time_ns < self.last_time_ns:
            self.counts["rejected_time"] += 1
            return
        self.last_time_ns = time_ns
        self.counts["off_grid"] += price % 5 != 0
        self.counts["accepted"] += 1
        local = EPOCH + timedelta(microseconds=time_ns // 1000) + INDIA
        if local.toordinal() != self.day:
            self.day, self.entries_today = local.toordinal(), 0
            self.indicators.new_day()
        self.indicators.observe(price, volume)
        if self.counts["accepted"] < 50:
            self.counts["gate_warmup"] += 1
            return
        minute = local.hour * 60 + local.minute
        was_open = self.position is not None
        if self.position is not None:
            self._manage(self.position, time_ns, minute, price)
        else:
            self._consider_entry(time_ns, minute, price)
        if was_open or self.position is not None:
            self._mark(price)

    def _mark(self, price: int) -> None:
        self.counts["ticks_in_position"] += 1
        equity = self.cash + (self.position.left * price if self.position else 0)
        self.equity_peak = max(self.equity_peak, equity)
        self.drawdown_max = max(self.drawdown_max, self.equity_peak - equity)

    def _manage(self, position: OpenPosition, time_ns: int, minute: int, price: int) -> None:
        position.high = max(position.high, price)
        if position.trailing is not None:
            position.trailing = max(position.trailing, position.high - 500)
        elif price - position.entry >= 500:
            position.trailing = price - 500
        if minute >= 15 * 60 + 10 or position.day != self.day:
            self._sell(position, time_ns, price, position.left, "session_end")
        elif price <= position.entry - 1_500:
            self._sell(position, time_ns, price, position.left, "stop_loss")
        elif position.trailing is not None and price <= position.trailing:
            self._sell(position, time_ns, price, position.left, "trailing_stop")
        else:
            for tier, (points, part) in enumerate(TIERS):
                if position.left and tier not in position.tiers_done and price >= position.entry + points:
                    position.tiers_done.add(tier)
                    lots = max(1, floor(position.quantity // LOT * part))
                    quantity = position.left if tier == len(TIERS) - 1 else min(lots * LOT, position.left)
                    self._sell(position, time_ns, price, quantity, f"take_profit_{tier + 1}")

    def _sell(self, position: OpenPosition, time_ns: int, price: int, quantity: int, reason: str) -> None:
        fill = price - self.slippage
        exit_charges = charges_of(fill * quantity, sell=True)
        share = position.charges * quantity // position.quantity
        if quantity == position.left:
            share, self.position, self.after_stop = position.charges_left, None, reason == "stop_loss"
        position.left -= quantity
        position.charges_left -= share
        self.cash += fill * quantity - exit_charges
        gross, charges = (fill - position.entry) * quantity, share + exit_charges
        entry = (position.number, position.time_ns, time_ns, position.entry, fill, quantity)
        self.rows.append((len(self.rows) + 1, *entry, gross, charges, gross - charges, reason))

    def _consider_entry(self, time_ns: int, minute: int, price: int) -> None:
        if not 9 * 60 + 20 <= minute < 15 * 60 + 10:
            self.counts["gate_session"] += 1
        elif self.entries_today >= 100:
            self.counts["gate_entries"] += 1
        elif self.indicators.green < (4 if self.after_stop else 3):
            self.counts["gate_green"] += 1
        elif signal := self.indicators.first_false_signal():
            self.counts[f"gate_{signal}"] += 1
        else:
            self._buy(time_ns, price + self.slippage)

    def _buy(self, time_ns: int, fill: int) -> None:
        lots = floor(Fraction(30, 100) * self.cash / (LOT * fill))
        turnover = lots * LOT * fill
        charges = charges_of(turnover, sell=False)
        if lots == 0:
            self.counts["denied_no_lot"] += 1
        elif turnover + charges > self.cash:
            self.counts["denied_no_cash"] += 1
        else:
            self.positions += 1
            self.entries_today += 1
            self.after_stop = False
            self.cash -= turnover + charges
            self.position = OpenPosition(self.positions, self.day, time_ns, fill, lots * LOT, charges, high=fill)
