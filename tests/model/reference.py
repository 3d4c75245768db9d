"""A second opinion: the default strategy and its accounting, written from its page for clarity alone.

Nothing here is shared with the engine. `run` takes ticks in the order in which they arrive (already merged) and returns
every exit, the cash and every count, to be compared with the compiled core's to the paisa.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import floor

from model.reference_charges import percent_of, slices_of
from model.reference_indicators import Indicators, Vwap
from model.reference_rules import (
    Book,
    Position,
    buy_price,
    entries_allowed,
    refusal,
    sell_price,
    session_over,
    stop_level,
)
from model.reference_types import (
    ModelDay,
    ModelOpenPosition,
    ModelResult,
    ModelSettings,
    ModelTick,
    ModelTrade,
    paise,
)

SECOND_NS = 1_000_000_000


class Account:
    """The account, its instruments and the counts: the whole state of a run."""

    def __init__(self, settings: ModelSettings, days: Sequence[Sequence[ModelDay]], instruments: int) -> None:
        if len(days) != instruments:
            raise ValueError(f"{len(days)} calendars for {instruments} instruments")
        self.settings = settings
        self.books = [Book(settings, of_instrument) for of_instrument in days]
        self.cash = self.peak = self.equity_at_day_start = paise(settings.initial_capital)
        self.max_drawdown = self.drawdown_peak = 0
        self.day_start_ns: int | None = None
        self.day_stopped = False
        self.orders_today = 0
        self.orders_in_second: Counter[int] = Counter()
        self.positions_opened = 0
        self.trades: list[ModelTrade] = []
        self.accepted = self.off_grid = self.quote_fallbacks = 0
        self.rejected: Counter[str] = Counter()
        self.gates: Counter[str] = Counter()
        self.denied: Counter[str] = Counter()

    def on_tick(self, tick: ModelTick) -> None:
        book = self.books[tick.instrument]
        if reason := refusal(tick, book.last):
            self.rejected[reason] += 1
            return
        day = book.day_of(tick.time_ns)
        self.begin_day(book, day)
        arrived_open = book.position is not None
        book.last = tick
        book.indicators.update(tick.price, day.tick_size)
        book.vwap.update(tick.price, tick.volume)
        self.accepted += 1
        self.off_grid += tick.price % day.tick_size != 0
        if arrived_open:
            self.manage(book, tick, day)
        else:
            self.consider_entry(book, tick, day)
        if arrived_open or book.position is not None:  # its own fills may have passed the limit
            self.stop_day_at_loss()
        self.observe_equity()

    def begin_day(self, book: Book, day: ModelDay) -> None:
        """Reset what a new calendar day resets, for the account (the latest day seen) and for the instrument."""
        if self.day_start_ns is None or day.start_ns > self.day_start_ns:
            self.day_start_ns = day.start_ns
            self.equity_at_day_start = self.equity()
            self.day_stopped = False
            self.orders_today = 0
        if book.day is None or day.start_ns != book.day.start_ns:
            if book.day is not None and self.settings.reset_daily:
                book.indicators = Indicators(self.settings)
            book.vwap = Vwap()
            book.entries_today = 0
            book.day = day

    def open_value(self) -> int:
        return sum(book.value() for book in self.books)

    def equity(self) -> int:
        return self.cash + self.open_value()

    def observe_equity(self) -> None:
        self.peak = max(self.peak, self.equity())
        if self.peak - self.equity() > self.max_drawdown:
            self.max_drawdown, self.drawdown_peak = self.peak - self.equity(), self.peak

    def stop_day_at_loss(self) -> None:
        limit = paise(self.settings.max_day_loss)
        if limit > 0 and self.equity() - self.equity_at_day_start <= -limit:
            self.day_stopped = True

    def count_order(self, time_ns: int) -> None:
        self.orders_today += 1
        self.orders_in_second[time_ns // SECOND_NS] += 1

    # Exits

    def manage(self, book: Book, tick: ModelTick, day: ModelDay) -> None:
        """Do what is done on a tick that found a position open."""
        position = book.position
        assert position is not None
        self.stop_day_at_loss()
        position.follow(tick.price, self.settings)
        if book.indicators.n < self.settings.min_warmup_ticks:
            return
        if reason := self.exit_reason(position, tick, day):
            self.sell(book, tick, position.quantity, reason)
        else:
            self.take_profits(book, tick)

    def exit_reason(self, position: Position, tick: ModelTick, day: ModelDay) -> str | None:
        """Say why the whole position ends on this tick, or None."""
        if session_over(self.settings, day, tick.time_ns) or position.day.start_ns < day.start_ns:
            return "session_end"
        if tick.price <= position.stop:
            return "stop_loss"
        if position.trailing_stop is not None and tick.price <= position.trailing_stop:
            return "trailing_stop"
        if self.day_stopped:
            return "day_loss"
        return None

    def take_profits(self, book: Book, tick: ModelTick) -> None:
        """Sell at every tier that the price has reached, one row each."""
        points, percents = self.settings.tp_points, self.settings.tp_percents
        while (position := book.position) is not None and position.next_tier < len(points):
            tier = position.next_tier
            if tick.price < position.entry_price + paise(points[tier]):
                return
            position.next_tier += 1
            quantity = position.quantity
            if position.next_tier < len(points):
                initial_lots = position.initial_quantity // position.day.lot_size
                lots = max(1, floor(initial_lots * percents[tier]))
                quantity = min(quantity, lots * position.day.lot_size)
            self.sell(book, tick, quantity, f"take_profit_{tier + 1}")

    def sell(self, book: Book, tick: ModelTick, quantity: int, reason: str) -> None:
        """Fill one exit order and write its row."""
        position, day = book.position, book.day
        assert position is not None
        assert day is not None
        self.quote_fallbacks += self.settings.fill_model == "quote" and not tick.has_quote
        price = sell_price(self.settings, tick)
        slices = slices_of(quantity, position.day.lot_size, day.freeze_quantity)
        exit_charges = day.charges.of_order(price * quantity, slices, is_buy=False)
        is_last = quantity == position.quantity
        share = position.entry_charges * quantity // position.initial_quantity
        entry_share = position.entry_charges_left if is_last else share
        position.entry_charges_left -= entry_share
        position.quantity -= quantity
        self.cash += price * quantity - exit_charges
        self.count_order(tick.time_ns)
        gross = (price - position.entry_price) * quantity
        charges = entry_share + exit_charges
        self.trades.append(
            ModelTrade(
                trade_id=len(self.trades) + 1,
                position_id=position.position_id,
                instrument=tick.instrument,
                entry_time_ns=position.entry_time_ns,
                exit_time_ns=tick.time_ns,
                entry_price=position.entry_price,
                exit_price=price,
                quantity=quantity,
                gross=gross,
                charges=charges,
                net=gross - charges,
                exit_reason=reason,
            )
        )
        if is_last:
            book.position = None
            book.stopped_out = reason == "stop_loss"

    # Entries

    def consider_entry(self, book: Book, tick: ModelTick, day: ModelDay) -> None:
        """Do what is done on a tick that found no position open."""
        if gate := self.closed_gate(book, tick, day):
            self.gates[gate] += 1
            return
        if self.day_stopped:
            self.denied["day_loss"] += 1
            return
        if self.order_rate_reached(tick.time_ns):
            self.denied["order_rate"] += 1
            return
        if self.settings.fill_model == "quote" and not tick.has_quote:
            self.denied["quote"] += 1
            return
        entry = buy_price(self.settings, tick)
        stop = stop_level(self.settings, day, entry, book.indicators.atr())
        if stop is None:
            self.denied["stop_not_warm"] += 1
            return
        self.buy(book, tick, day, entry, stop)

    def closed_gate(self, book: Book, tick: ModelTick, day: ModelDay) -> str | None:
        """Return the first gate that holds the entry back, or None."""
        s = self.settings
        needed = s.consecutive_green_bars
        if s.control_base_sl and book.stopped_out:
            needed = s.control_base_sl_green_ticks
        if book.indicators.n < s.min_warmup_ticks:
            return "warm_up"
        if not entries_allowed(s, day, tick.time_ns):
            return "outside_hours"
        if book.entries_today >= s.max_positions_per_day:
            return "max_positions"
        if book.indicators.green < needed:
            return "green"
        if not book.indicators.signals_agree(book.vwap):
            return "signal"
        return None

    def order_rate_reached(self, time_ns: int) -> bool:
        per_second, per_day = self.settings.max_orders_per_second, self.settings.max_orders_per_day
        in_second = self.orders_in_second[time_ns // SECOND_NS]
        return 0 < per_second <= in_second or 0 < per_day <= self.orders_today

    def buy(self, book: Book, tick: ModelTick, day: ModelDay, entry: int, stop: int) -> None:
        """Size the position and open it, unless the money or the exposure does not allow it."""
        budget = percent_of(self.cash, self.settings.max_position_value_percent)
        quantity = floor(budget / (day.lot_size * entry)) * day.lot_size
        if quantity < 1:
            self.denied["size"] += 1
            return
        turnover = entry * quantity
        slices = slices_of(quantity, day.lot_size, day.freeze_quantity)
        charges = day.charges.of_order(turnover, slices, is_buy=True)
        if turnover + charges > self.cash:
            self.denied["cash"] += 1
            return
        most = percent_of(self.equity(), self.settings.max_exposure_percent)
        if self.settings.max_exposure_percent > 0 and self.open_value() + turnover > most:
            self.denied["exposure"] += 1
            return
        self.cash -= turnover + charges
        self.count_order(tick.time_ns)
        self.positions_opened += 1
        book.entries_today += 1
        book.stopped_out = False
        book.position = Position(
            position_id=self.positions_opened,
            day=day,
            entry_time_ns=tick.time_ns,
            entry_price=entry,
            initial_quantity=quantity,
            quantity=quantity,
            entry_charges=charges,
            entry_charges_left=charges,
            stop=stop,
            high=entry,
        )

    # The end

    def close_all(self) -> None:
        for book in self.books:
            if book.position is not None and book.last is not None:
                self.sell(book, book.last, book.position.quantity, "end_of_data")

    def result(self) -> ModelResult:
        open_positions = [
            ModelOpenPosition(
                position_id=book.position.position_id,
                instrument=number,
                entry_time_ns=book.position.entry_time_ns,
                entry_price=book.position.entry_price,
                quantity=book.position.quantity,
                last_price=book.last.price,
                value=book.value(),
            )
            for number, book in enumerate(self.books)
            if book.position is not None and book.last is not None
        ]
        return ModelResult(
            trades=self.trades,
            cash=self.cash,
            accepted=self.accepted,
            off_grid=self.off_grid,
            quote_fallbacks=self.quote_fallbacks,
            rejected=dict(self.rejected),
            gates=dict(self.gates),
            denied=dict(self.denied),
            max_drawdown=self.max_drawdown,
            drawdown_peak=self.drawdown_peak,
            open_positions=open_positions,
        )


def run(
    ticks: Iterable[ModelTick], settings: ModelSettings, days: Sequence[Sequence[ModelDay]], instruments: int = 1
) -> ModelResult:
    """Run the strategy over ticks in arrival order; `days` holds one calendar per instrument.

    Raises ValueError for an accepted tick on a day that its calendar lacks, and for settings that contradict the page.
    """
    account = Account(settings, days, instruments)
    for tick in ticks:
        account.on_tick(tick)
    if settings.close_at_end:
        account.close_all()
    return account.result()
