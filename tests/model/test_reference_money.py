"""The model's money against examples computed by hand: charges, their split, fills, stops, size, limits, drawdown."""

import random
from decimal import Decimal
from fractions import Fraction

import pytest

from model.reference import run
from model.reference_charges import PercentCharges, half_up, slices_of
from model.reference_rules import sell_price, stop_level
from model.reference_types import ModelDay, ModelSettings, ModelTick, paise
from model.scenario import (
    BARE,
    DAY,
    SECOND_NS,
    SEPTEMBER_2026,
    ZERO,
    at,
    bare,
    by_time,
    exits,
    make_day,
    play,
    quoted,
    ticks,
)

NO_STOP = bare(base_sl_points=Decimal(99))
DEFAULT_CHARGES = PercentCharges()
ONE_RUPEE_ONE = PercentCharges(ZERO, Decimal("1.01"), ZERO, ZERO, ZERO)


@pytest.mark.parametrize(("amount", "rounded"), [("0.49", 0), ("0.5", 1), ("1.5", 2), ("2.4999", 2)])
def test_half_up(amount: str, rounded: int) -> None:
    assert half_up(Fraction(amount)) == rounded


def test_percent_charges() -> None:
    # 6 500.00 bought: commission 195, exchange 19.5 -> 20, GST 18 % of 215 = 38.7 -> 39
    assert DEFAULT_CHARGES.of_order(650_000, 1, is_buy=True) == 195 + 20 + 39
    # 7 150.00 sold: commission 214.5 -> 215, exchange 21.45 -> 21, STT 178.75 -> 179, GST 18 % of 236 = 42.48 -> 42
    assert DEFAULT_CHARGES.of_order(715_000, 1, is_buy=False) == 215 + 21 + 179 + 42
    # Commission 209.55 -> 210, exchange 20.955 -> 21, GST 18 % of the rounded 231 = 41.58 -> 42
    assert DEFAULT_CHARGES.of_order(698_500, 1, is_buy=True) == 210 + 21 + 42


def test_percent_charges_take_the_larger_commission() -> None:
    charges = PercentCharges(commission_per_trade=Decimal(2), gst_percent=ZERO, exchange_charges_percent=ZERO)
    assert charges.of_order(650_000, 9, is_buy=True) == 200
    assert charges.of_order(700_000, 9, is_buy=True) == 210


def test_dated_charges() -> None:
    # Exchange 230.945 -> 231, SEBI 0.65 -> 1, stamp 19.5 -> 20, GST 18 % of 2 231.595 = 401.69 -> 402
    assert SEPTEMBER_2026.of_order(650_000, 1, is_buy=True) == 2000 + 231 + 1 + 20 + 402
    # Exchange 254.04 -> 254, SEBI 0.72 -> 1, STT 1 072.5 -> 1 073, GST 18 % of 2 254.7545 = 405.86 -> 406
    assert SEPTEMBER_2026.of_order(715_000, 1, is_buy=False) == 2000 + 254 + 1 + 1073 + 406
    # Exchange 240.54 -> 241, SEBI 0.68 -> 1, stamp 20.31 -> 20, GST 18 % of the unrounded 2 241.2151 = 403.42 -> 403
    assert SEPTEMBER_2026.of_order(677_000, 1, is_buy=True) == 2000 + 241 + 1 + 20 + 403
    # Three slices: 4 000 more brokerage, GST 18 % of 6 254.7545 = 1 125.86 -> 1 126
    assert SEPTEMBER_2026.of_order(715_000, 3, is_buy=False) == 6000 + 254 + 1 + 1073 + 1126


@pytest.mark.parametrize(
    ("quantity", "freeze", "slices"), [(1755, 1800, 1), (1820, 1800, 2), (3510, 1800, 2), (3575, 1800, 3), (9999, 0, 1)]
)
def test_slices_are_whole_lots(quantity: int, freeze: int, slices: int) -> None:
    assert slices_of(quantity, 65, freeze) == slices


def test_a_freeze_quantity_below_one_lot_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not hold one lot"):
        slices_of(65, 65, 64)


def test_a_run_slices_each_order_by_itself() -> None:
    day = make_day(freeze_quantity=300, charges=SEPTEMBER_2026)
    first, second = play("99.95 100 105 85", BARE, day).trades
    entry = 6000 + 2665 + 8 + 225 + 1561  # 750 in 3 slices at 75 000.00: GST 18 % of 8 672.25 is 1 561.005
    first_exit = 2000 + 1119 + 3 + 4725 + 562  # 300 in 1 slice at 31 500.00: GST 18 % of 3 122.345 is 562.02
    second_exit = 4000 + 1359 + 4 + 5738 + 965  # 450 in 2 slices at 38 250.00: GST 18 % of 5 362.8475 is 965.31
    assert first.charges == entry * 300 // 750 + first_exit
    assert second.charges == entry - entry * 300 // 750 + second_exit


def test_entry_charges_are_split_and_the_last_exit_carries_the_rest() -> None:
    result = play("99.95 100 105 112 120 130", BARE, make_day(charges=ONE_RUPEE_ONE))
    assert [row.charges - 101 for row in result.trades] == [40, 30, 20, 11]
    assert [row.gross for row in result.trades] == [150_000, 270_000, 300_000, 225_000]
    assert [row.net for row in result.trades] == [row.gross - row.charges for row in result.trades]
    assert [(row.trade_id, row.position_id) for row in result.trades] == [(1, 1), (2, 1), (3, 1), (4, 1)]
    assert result.cash == 25_000_000 + 945_000 - 5 * 101


def test_slippage_moves_the_fills_and_the_levels_follow_the_entry() -> None:
    settings = bare(slippage_points=Decimal("0.10"), initial_capital=Decimal(260_000))
    result = play("99.95 100 105.05 105.10 85.15 85.10", settings)
    assert result.trades[0].entry_price == 10_010
    assert exits(result) == [("take_profit_1", "105.00", 300), ("stop_loss", "85.00", 450)]


def test_a_sale_brings_at_least_one_paisa() -> None:
    assert sell_price(bare(slippage_points=Decimal(1)), ModelTick(0, 50, 1)) == 1


def test_quote_fills() -> None:
    settings = bare(fill_model="quote", initial_capital=Decimal(260_000))
    stream = quoted(
        [
            ("99.95", "0", "0"),
            ("100", "99.90", "100.10"),
            ("105.05", "105.00", "105.20"),
            ("105.10", "104.90", "105.20"),
            ("85.10", "0", "85.20"),
        ]
    )
    result = run(stream, settings, [[DAY]])
    assert result.trades[0].entry_price == 10_010
    assert exits(result) == [("take_profit_1", "104.90", 300), ("stop_loss", "85.10", 450)]
    assert result.quote_fallbacks == 1


@pytest.mark.parametrize(
    ("bid", "ask", "enters"),
    [("0", "100.10", False), ("99.90", "0", False), ("100.10", "99.90", False), ("100", "100", True)],
)
def test_a_missing_or_crossed_quote_denies_the_entry(bid: str, ask: str, *, enters: bool) -> None:
    result = run(quoted([("99.95", "0", "0"), ("100", bid, ask)]), bare(fill_model="quote"), [[DAY]])
    assert result.denied == ({} if enters else {"quote": 1})
    assert bool(result.open_positions) == enters


@pytest.mark.parametrize(
    ("settings", "entry", "atr", "stop"),
    [
        pytest.param(bare(base_sl_points=Decimal("15.02")), 10_003, None, 8_501, id="points stay off the grid"),
        pytest.param(bare(stop_loss_mode="percent"), 10_000, None, 9_400, id="percent on the grid"),
        pytest.param(bare(stop_loss_mode="percent"), 10_005, None, 9_400, id="percent: 9 404.7 is floored"),
        pytest.param(bare(stop_loss_mode="percent"), 10_006, None, 9_405, id="percent: 9 405.64 is floored"),
        pytest.param(bare(stop_loss_mode="atr"), 9_950, 0.25, 9_875, id="atr on the grid"),
        pytest.param(
            bare(stop_loss_mode="atr", atr_multiple=Decimal("1.5")), 9_950, 0.25, 9_910, id="atr: 9 912.5 is floored"
        ),
        pytest.param(bare(stop_loss_mode="atr"), 9_950, None, None, id="atr not warm"),
        pytest.param(bare(stop_loss_mode="atr"), 100, 1.0, -200, id="a stop below zero is never met"),
    ],
)
def test_stop_level(settings: ModelSettings, entry: int, atr: float | None, stop: int | None) -> None:
    assert stop_level(settings, DAY, entry, atr) == stop


def test_an_atr_that_is_not_warm_denies_and_one_that_is_stops() -> None:
    settings = bare(stop_loss_mode="atr", atr_len=2, initial_capital=Decimal(25_000))
    result = play("99 99.35 99.50 98.80 98.75", settings)
    assert result.denied == {"stop_not_warm": 1}
    assert exits(result) == [("stop_loss", "98.75", 75)]  # the mean of 0.35 and 0.15, three times, below 99.50


@pytest.mark.parametrize(
    ("capital", "percent", "denied", "lots"),
    [("24999.99", 30, {"size": 1}, 0), ("25000", 30, {}, 1), ("75000", 100, {"cash": 1}, 0), ("75001.01", 100, {}, 10)],
)
def test_size_and_cash(capital: str, percent: int, denied: dict[str, int], lots: int) -> None:
    settings = bare(initial_capital=Decimal(capital), max_position_value_percent=Decimal(percent))
    result = play("99.95 100", settings, make_day(charges=ONE_RUPEE_ONE))
    assert result.denied == denied
    assert sum(position.quantity for position in result.open_positions) == lots * 75


@pytest.mark.parametrize(("price", "denied"), [("96", {"exposure": 1}), ("90", {})])
def test_exposure_counts_open_positions_at_their_last_price(price: str, denied: dict[str, int]) -> None:
    """A second position of 52 500 joins 72 000 of an equity of 247 000, or 67 500 of 242 500; half is allowed."""
    stream = ticks(f"99.95 100 {price}") + ticks("99.95 100", "10:01", instrument=1)
    result = run(stream, bare(max_exposure_percent=Decimal(50)), [[DAY], [DAY]], instruments=2)
    assert result.denied == denied


def test_order_rate_of_a_second_refuses_entries_only() -> None:
    start = at("10:00")
    moments = [(start, 9_995), *[(start + SECOND_NS, price) for price in (10_000, 8_500, 8_600)]]
    stream = [ModelTick(time_ns, price, 75) for time_ns, price in [*moments, (start + 2 * SECOND_NS, 8_700)]]
    result = run(stream, bare(max_orders_per_second=2), [[DAY]])
    assert result.denied == {"order_rate": 1}
    assert result.open_positions[0].entry_price == 8_700


def test_order_rate_of_a_day_starts_anew() -> None:
    stream = ticks("99.95 100 85 86") + ticks("87", day_number=1)
    result = run(stream, bare(max_orders_per_day=2), [[DAY, make_day(1)]])
    assert result.denied == {"order_rate": 1}
    assert result.open_positions[0].entry_price == 8_700


@pytest.mark.parametrize(
    ("prices", "expected", "denied"),
    [
        pytest.param("99.95 100 96.05 96.10", [], {}, id="a paisa a unit short of it"),
        pytest.param("99.95 100 96 97", [("day_loss", "96.00", 750)], {"day_loss": 1}, id="the same tick exits"),
    ],
)
def test_day_loss(prices: str, expected: list[tuple[str, str, int]], denied: dict[str, int]) -> None:
    result = play(prices, bare(max_day_loss=Decimal(3_000)))
    assert exits(result) == expected
    assert result.denied == denied


def test_day_loss_is_the_accounts_and_comes_before_the_tiers() -> None:
    """Losses of 2 250.00 and 787.50 stop the day; each instrument leaves on its own next tick."""
    stream = by_time(
        ticks("99.95 100 97") + ticks("106", "10:00:05"),
        ticks("99.95 100", "10:00:02", instrument=1) + ticks("98.50", "10:00:04", instrument=1),
    )
    result = run(stream, bare(max_day_loss=Decimal(3_000)), [[DAY], [DAY]], instruments=2)
    assert exits(result) == [("day_loss", "98.50", 525), ("day_loss", "106.00", 750)]


def test_an_entrys_own_charges_can_stop_the_day() -> None:
    day = make_day(charges=PercentCharges(ZERO, Decimal(3_000), ZERO, ZERO, ZERO))
    result = play("99.95 100 106", bare(max_day_loss=Decimal(3_000)), day)
    assert exits(result) == [("day_loss", "106.00", 750)]


def test_the_gap_of_the_night_belongs_to_the_new_day() -> None:
    stream = ticks("99.95 100") + ticks("95 96", day_number=1) + ticks("97", day_number=2)
    result = run(stream, bare(max_day_loss=Decimal(3_000)), [[DAY, make_day(1), make_day(2)]])
    assert exits(result) == [("session_end", "95.00", 750)]
    assert result.denied == {"day_loss": 1}
    assert result.open_positions[0].entry_price == 9_700


def test_the_end_of_the_data() -> None:
    stream = by_time(ticks("99.95 100 101"), ticks("49.95 50 49", instrument=1))
    left_open = run(stream, NO_STOP, [[DAY], [DAY]], instruments=2)
    assert left_open.trades == []
    assert [position.value for position in left_open.open_positions] == [7_575_000, 1_050 * 4_900]
    closed = run(stream, bare(close_at_end=True, slippage_points=Decimal("0.05")), [[DAY], [DAY]], instruments=2)
    assert [row.exit_price for row in closed.trades] == [10_095, 4_895]
    assert [(row.exit_reason, row.exit_time_ns) for row in closed.trades] == [("end_of_data", at("10:00:02"))] * 2
    assert closed.open_positions == []


def test_drawdown_is_below_the_peak_so_far() -> None:
    assert play("99.95 100 101 99 102 100.50", NO_STOP).max_drawdown == 2 * 750 * 100
    assert play("99.95 100 99", NO_STOP).max_drawdown == 750 * 100  # the first peak is the initial capital


def wander(seed: int, instrument: int, days: int) -> list[ModelTick]:
    """Walk at random in steps of the tick, a few ticks a second, over the whole of each day's middle."""
    rng = random.Random(seed)
    price = 10_000
    stream = []
    for day_number in range(days):
        time_ns = at("09:10", day_number)
        for _ in range(1_000):
            time_ns += rng.choice((0, 1, 1, 60)) * SECOND_NS
            price = max(5, price + 5 * rng.randint(-40, 40))
            half_spread = rng.choice((-5, 0, 5, 10))
            bid, ask = price - half_spread, price + half_spread
            stream.append(ModelTick(time_ns, price, 75 * rng.randint(0, 9), bid, ask, instrument))
    return stream


@pytest.mark.parametrize("fill_model", ["ltp", "quote"])
@pytest.mark.parametrize("day", [make_day(charges=DEFAULT_CHARGES), make_day(charges=SEPTEMBER_2026)])
def test_the_nets_sum_to_the_change_in_cash(fill_model: str, day: ModelDay) -> None:
    settings = ModelSettings(fill_model=fill_model, close_at_end=True, slippage_points=Decimal("0.05"))
    days = [make_day(number, charges=day.charges, freeze_quantity=150) for number in range(2)]
    stream = by_time(wander(1, 0, 2), wander(2, 1, 2))
    result = run(stream, settings, [days, days], instruments=2)
    assert len(result.trades) > 20
    assert sum(row.net for row in result.trades) == result.cash - paise(settings.initial_capital)
    gated_or_denied = sum(result.gates.values()) + sum(result.denied.values())
    assert 0 < gated_or_denied < result.accepted == len(stream)
