"""What a run says beyond its figures: why there was no entry, with the remedy."""

from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest

from laws.driver import MemorySource, Ticks, random_ticks, settings
from myquant import compose
from myquant.core import codes
from myquant.core.layout import dtype_of
from myquant.core.records import Event
from myquant.results.record import RunRecord
from myquant.session.explain import FirstOfSize
from myquant.strategies.loading import default_strategy
from myquant.ticks.batch import InstrumentName

IST = timezone(timedelta(hours=5, minutes=30))


def rising(clock: str, *, count: int = 80, price: int = 10_000) -> Ticks:
    """Return a tick a second from a time on, each a paisa above the last."""
    first = int(datetime.fromisoformat(clock).replace(tzinfo=IST).timestamp()) * 10**9
    return Ticks(first + np.arange(count) * 10**9, price + 5 * np.arange(count), np.full(count, 75))


def backtest(ticks: Ticks, *symbols: str, labels: bool = False, **values: object) -> RunRecord:
    loaded = settings({name.replace("__", "."): value for name, value in values.items()})
    names = tuple(InstrumentName(symbol) for symbol in symbols or ("NIFTY",))
    source = MemorySource(ticks, names)
    source.symbols_are_labels = labels
    return compose.backtest(source, loaded, default_strategy())  # type: ignore[arg-type]  # it quacks like a source


def test_a_usual_day_needs_no_notice() -> None:
    record = backtest(random_ticks(1, count=3000))
    assert record.account.positions > 0
    assert record.notices == ()


def test_newest_first_is_told_in_one_line() -> None:
    ticks = rising("2025-10-03 10:00:00")
    record = backtest(Ticks(*(column[::-1].copy() for column in ticks[:3])))
    (notice,) = record.notices
    assert notice.startswith("79 of 80 rows go back in time and were not used: is the file newest first? Sort it")


def test_some_rows_that_go_back_are_no_newest_first() -> None:
    ticks = rising("2025-10-03 10:00:00")
    ticks.time_ns[40:50] -= 3600 * 10**9
    assert not any("newest first" in notice for notice in backtest(ticks).notices)


@pytest.mark.parametrize("count", [1, 80])
def test_a_closed_day_is_named(count: int) -> None:
    assert backtest(rising("2025-10-04 10:00:00", count=count), session__source="calendar").notices == (
        "NFO was closed on 2025-10-04: ticks of a closed day make no entries",
    )


def test_ticks_outside_the_hours_are_named_with_the_hours() -> None:
    (notice,) = backtest(rising("2025-10-03 04:30:00")).notices
    assert "no tick after the warm-up is within the hours of entry (09:20:00 to 15:10:00 on 2025-10-03)" in notice
    assert "another zone than session.timezone = Asia/Kolkata" in notice


def test_ticks_for_the_warm_up_only_are_counted() -> None:
    assert backtest(rising("2025-10-03 10:00:00", count=1)).notices == (
        "no entry: 1 tick in all, and the warm-up takes strategy.min_warmup_ticks = 50",
    )


def test_no_signal_needs_no_notice() -> None:
    flat = rising("2025-10-03 10:00:00")
    flat.price[:] = 10_000
    assert backtest(flat).notices == ()


def test_a_lot_beyond_the_cash_is_told_with_its_price_and_the_remedy() -> None:
    (notice,) = backtest(rising("2025-10-03 10:00:00"), capital__initial_capital=20_000).notices
    assert "entries denied, as one lot cost more than risk.max_position_value_percent = 30 % of the cash" in notice
    assert "75 NIFTY at 102.45 are 7,683.75, the cash was 20,000.00)" in notice
    assert notice.endswith("raise capital.initial_capital or risk.max_position_value_percent")


def test_names_of_files_are_told_whose_contract_they_get() -> None:
    notice, *_ = backtest(rising("2025-10-03 10:00:00"), "day", labels=True).notices
    assert notice.startswith("day is no trading symbol: lot, charges and hours are those of NIFTY (instrument.symbol)")


def test_a_lot_beyond_the_brokers_funds_names_them_and_not_the_capital(monkeypatch: pytest.MonkeyPatch) -> None:
    funds = np.zeros(2, dtype_of(Event))
    funds["kind"], funds["sequence"], funds["value"] = codes.FUNDS, [1, 10**6], [12_000_00, 90_000_00]

    class AtBroker(FirstOfSize):
        def take(self, commands: np.ndarray[Any, Any], events: np.ndarray[Any, Any] = funds) -> None:
            super().take(commands, events)

    monkeypatch.setattr(compose, "FirstOfSize", AtBroker)
    (notice,) = backtest(rising("2025-10-03 10:00:00"), capital__initial_capital=20_000).notices
    assert "risk.max_position_value_percent = 30 % of the broker's funds (first at" in notice
    assert "the broker's funds were 12,000.00, our own cash 20,000.00); add funds at the broker" in notice
    assert "raise capital.initial_capital" not in notice
