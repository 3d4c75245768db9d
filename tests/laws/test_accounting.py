"""Laws of the books: nothing is lost, nothing is counted twice, and nothing is bought on credit."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as checks
from hypothesis import strategies as st

from laws.cases import CASES, tape
from laws.driver import Ticks, answer, events, new_engine, random_ticks, run_engine, settings
from laws.ledger import PARTS, Ledger
from myquant.core import codes
from myquant.core.orders import SENT
from myquant.results.record import RunRecord


@pytest.mark.parametrize("case", CASES)
def test_the_ledger_balances_after_every_event(case: str) -> None:
    engine = new_engine(settings(CASES[case]), 3)
    ledger = Ledger(engine)
    for event in events(tape(6, case, count=600)):
        got: list[np.void] = []
        engine.step(event, got.extend)
        while (order := engine.instruments[event.instrument]["core"]["order"])["state"] == SENT:
            fill = answer(engine, event, order)
            got.clear()
            engine.step(fill, got.extend)
            ledger.take(fill, np.array(got, engine.commands.dtype))
            ledger.check()
        ledger.check()


def check_books(record: RunRecord) -> None:
    """Check what must hold of every finished run."""
    account = record.account
    carried = sum(held.open_pnl for held in record.open_positions)
    assert record.initial_capital + int(record.trades["net"].sum()) + carried == account.cash + account.open_value
    assert (record.trades["net"] == record.trades["gross"] - record.trades["charges"]).all()
    assert account.cash >= 0
    if not record.open_positions:
        assert sum(getattr(account, name) for name in PARTS) == int(record.trades["charges"].sum())
    check_positions(record)


def check_positions(record: RunRecord) -> None:
    """Check that exits sell what was bought, whole lots of it, and carry the entry's charges once."""
    sold: dict[int, int] = defaultdict(int)
    for row in record.trades:
        sold[int(row["position_id"])] += int(row["quantity"])
        assert row["quantity"] > 0
        assert row["quantity"] % record.lot_sizes[int(row["instrument"])] == 0
    left = {held.position_id: held.quantity for held in record.open_positions}
    for opened in record.openings:
        assert sold[int(opened["position_id"])] + left.get(int(opened["position_id"]), 0) == opened["quantity"]
    assert len(record.openings) == record.account.positions


settings_of_a_trader = st.fixed_dictionaries(
    {
        "capital.initial_capital": st.decimals(1000, 10**9, places=2),
        "risk.max_position_value_percent": st.decimals(Decimal("0.5"), 100, places=6),
        "risk.base_sl_points": st.decimals(1, 40, places=2),
        "risk.slippage_points": st.decimals(0, 3, places=2),
        "risk.max_exposure_percent": st.decimals(1, 100, places=6),
        "instrument.lot_size": st.sampled_from([1, 20, 75]),
        "charges.model": st.sampled_from(["percent", "india_index_options"]),
        "charges.commission_percent": st.decimals(0, 5, places=6),
        "charges.commission_per_trade": st.decimals(0, 500, places=2),
        "strategy.use_ema_crossover": st.booleans(),
        "strategy.consecutive_green_bars": st.integers(0, 3),
    }
)


@checks(deadline=None, max_examples=60)  # the first call compiles
@given(settings_of_a_trader, st.integers(0, 10**6))
def test_the_books_of_any_run_balance(values: dict[str, Any], seed: int) -> None:
    check_books(run_engine(random_ticks(seed, count=800, days=2, instruments=2), settings(values), instruments=2))


@checks(deadline=None, max_examples=25)  # likewise
@given(settings_of_a_trader, st.integers(0, 10**6))
def test_an_entry_takes_no_more_than_its_share_of_the_cash(values: dict[str, Any], seed: int) -> None:
    loaded = settings(values)
    share = loaded.config.risk.max_position_value_percent / 100
    engine = new_engine(loaded)
    for event in events(random_ticks(seed, count=400)):
        cash = engine.account().cash
        got: list[np.void] = []
        engine.step(event, got.extend)
        for command in got:
            if command["kind"] == codes.SUBMIT and command["side"] == codes.BUY:
                assert int(command["quantity"]) * int(command["price"]) <= cash * share
        order = engine.instruments[0]["core"]["order"]
        if order["state"] == SENT:
            engine.step(answer(engine, event, order), got.extend)
        assert engine.account().cash >= 0


def test_entry_charges_are_carried_exactly_once() -> None:
    # thirds of a lot's charges leave fractions of a paisa, which the last exit carries
    thirds = (Decimal("0.333333"), Decimal("0.333333"), Decimal("0.333334"))
    values = {
        "capital.initial_capital": 1_000_000,
        "risk.tp_points": (2, 4, 6),
        "risk.tp_percents": thirds,
        "instrument.lot_size": 1,
    }
    record = run_engine(random_ticks(8), settings(values))
    check_books(record)
    entry_charges = {int(row["position_id"]): int(row["charges"]) for row in record.openings}
    assert sum(entry_charges.values()) < int(record.trades["charges"].sum())
    rows_of_a_position = np.bincount(record.trades["position_id"])
    assert (rows_of_a_position >= 3).sum() > 5


@pytest.mark.parametrize("price", [1, 5, 20_000, 10**9])
def test_the_largest_account_does_not_overflow(price: int) -> None:
    """All of the largest capital in one option at any price, sold in parts."""
    values = {
        "capital.initial_capital": 10**10,
        "risk.max_position_value_percent": 99,
        "risk.base_sl_points": 10**6,
        "risk.use_trail_stop": False,
        "risk.tp_points": tuple(map(Decimal, ("0.05", "0.10", "0.50", "1"))),
        "strategy.use_ema_crossover": False,
        "strategy.min_warmup_ticks": 1,
        "strategy.consecutive_green_bars": 0,
        "instrument.lot_size": 1,
        "charges.model": "percent",
        "charges.commission_percent": Decimal("0.3"),
    }
    count = 200
    time_ns = random_ticks(1, count=100).time_ns[60] + np.arange(count) * 10**9
    prices = price + np.arange(count) * max(1, price // 50)
    record = run_engine(Ticks(time_ns, prices, np.full(count, 75)), settings(values))
    check_books(record)
    assert int(record.openings[0]["quantity"]) * price > 0.9 * 10**12
    assert len(record.trades) >= 4
    for row in record.trades:
        assert row["gross"] == int(row["quantity"]) * int(row["price"] - row["entry_price"])
