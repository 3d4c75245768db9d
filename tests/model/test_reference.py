"""The model against examples computed by hand: guard, warm-up, hours, gates, stops, trailing and tiers.

The bare settings buy 10 lots of 75 at 100.00 on the first rising tick; the stop is then 85.00, the tiers 105, 112, 120
and 130, of 4, 3, 2 and 1 lots.
"""

from decimal import Decimal

import pytest

from model.reference import run
from model.reference_types import ModelSettings, ModelTick
from model.scenario import BARE, DAY, SECOND_NS, at, bare, exits, make_day, play, ticks

ONE_LOT = bare(initial_capital=Decimal(26_500))
TWO_LOTS = bare(initial_capital=Decimal(50_000))
TRAILING = bare(use_trail_stop=True)


@pytest.mark.parametrize(
    ("settings", "prices", "expected"),
    [
        pytest.param(
            BARE,
            "99.95 100 104.95 105 111.95 112 119.95 120 129.95 130",
            [
                ("take_profit_1", "105.00", 300),
                ("take_profit_2", "112.00", 225),
                ("take_profit_3", "120.00", 150),
                ("take_profit_4", "130.00", 75),
            ],
            id="every tier at its level",
        ),
        pytest.param(
            BARE,
            "99.95 100 121 100 121 85",
            [
                ("take_profit_1", "121.00", 300),
                ("take_profit_2", "121.00", 225),
                ("take_profit_3", "121.00", 150),
                ("stop_loss", "85.00", 75),
            ],
            id="one tick passes three tiers, each tier sells once",
        ),
        pytest.param(
            TWO_LOTS,
            "99.95 100 131 131",
            [("take_profit_1", "131.00", 75), ("take_profit_2", "131.00", 75)],
            id="two lots end at the second tier",
        ),
        pytest.param(
            bare(initial_capital=Decimal(75_000), tp_percents=tuple(map(Decimal, ("0.1", "0.1", "0.7", "0.1")))),
            "99.95 100 121",
            [("take_profit_1", "121.00", 75), ("take_profit_2", "121.00", 75), ("take_profit_3", "121.00", 75)],
            id="of three lots the third tier wants two and gets the one that is left",
        ),
        pytest.param(ONE_LOT, "99.95 100 105", [("take_profit_1", "105.00", 75)], id="one lot ends at the first tier"),
        pytest.param(
            bare(tp_points=(Decimal(5),), tp_percents=(Decimal("0.1"),)),
            "99.95 100 105",
            [("take_profit_1", "105.00", 750)],
            id="the last tier sells all that is left, whatever its share",
        ),
        pytest.param(BARE, "99.95 100 85.05 85.10", [], id="above the stop"),
        pytest.param(BARE, "99.95 100 85.05 85.00", [("stop_loss", "85.00", 750)], id="at the stop"),
        pytest.param(BARE, "99.95 100 70", [("stop_loss", "70.00", 750)], id="a gap exits at the gapped price"),
        pytest.param(
            TRAILING,
            "99.95 100 104.95 99 104.95 105 100.05 108 103.05 103",
            [("take_profit_1", "105.00", 300), ("trailing_stop", "103.00", 450)],
            id="trailing turns on at 105 with 100, then follows the high",
        ),
        pytest.param(
            TRAILING,
            "99.95 100 108 104 103",
            [("take_profit_1", "108.00", 300), ("trailing_stop", "103.00", 450)],
            id="trailing turns on below the price that turned it on, and never falls",
        ),
        pytest.param(
            TRAILING,
            "99.95 100 105 84",
            [("take_profit_1", "105.00", 300), ("stop_loss", "84.00", 450)],
            id="the stop comes before the trailing stop",
        ),
        pytest.param(
            bare(trail_activation_points=Decimal(0), trail_distance_points=Decimal(0), use_trail_stop=True),
            "99.95 100 106",
            [("trailing_stop", "106.00", 750)],
            id="the trailing stop comes before the tiers",
        ),
    ],
)
def test_exits(settings: ModelSettings, prices: str, expected: list[tuple[str, str, int]]) -> None:
    assert exits(play(prices, settings)) == expected


def test_a_tick_that_found_a_position_open_does_not_enter() -> None:
    result = play("99.95 100 105 105.05", ONE_LOT)
    (open_position,) = result.open_positions
    assert open_position.entry_time_ns == at("10:00:03")  # 105 rose and sold, 105.05 bought
    assert open_position.position_id == 2
    assert result.gates == {"green": 1}


@pytest.mark.parametrize(
    ("prices", "entry_second"),
    [
        pytest.param("99.95 100 85 86 87 88 89 90", 6, id="four green ticks after a stop"),
        pytest.param("99.95 100 105 100 101 102", 4, id="one green tick after a trailing stop"),
        pytest.param("99.95 100 85 86 87 88 89 94 89 90", 9, id="an entry clears it"),
    ],
)
def test_control_base_sl(prices: str, entry_second: int) -> None:
    settings = bare(control_base_sl=True, use_trail_stop=True, initial_capital=Decimal(52_000))
    (open_position,) = play(prices, settings).open_positions
    assert open_position.entry_time_ns == at("10:00") + entry_second * SECOND_NS


def test_control_base_sl_outlives_the_day() -> None:
    days = [make_day(), make_day(1)]
    stream = ticks("99.95 100 85") + ticks("86 87 88 89", day_number=1)
    result = run(stream, bare(control_base_sl=True), [days])
    assert result.gates == {"green": 4}
    assert result.open_positions[0].entry_time_ns == at("10:00:03", 1)


def test_tick_50_may_enter() -> None:
    rising = " ".join(str(100 + i) for i in range(51))
    result = play(rising, bare(min_warmup_ticks=50))
    assert result.gates == {"warm_up": 49}
    assert result.open_positions[0].entry_price == 14_900


def test_rejected_ticks_change_nothing_and_do_not_count() -> None:
    start = at("10:00")
    stream = [
        ModelTick(start + SECOND_NS, 9_995, 75),
        ModelTick(start + SECOND_NS, 0, 75),
        ModelTick(start, 20_000, 75),
        ModelTick(start - SECOND_NS, -5, 75),
        ModelTick(start + SECOND_NS, 10_001, 75),
    ]
    result = run(stream, bare(min_warmup_ticks=2), [[DAY]])
    assert result.rejected == {"bad_price": 2, "time_backwards": 1}
    assert result.gates == {"warm_up": 1}
    assert result.open_positions[0].entry_price == 10_001
    assert (result.accepted, result.off_grid) == (2, 1)


@pytest.mark.parametrize(
    ("settings", "clock", "enters"),
    [
        (BARE, "09:19:59", False),
        (BARE, "09:20:00", True),
        (bare(no_trade_start_minutes=10), "09:24:59", False),
        (bare(no_trade_start_minutes=10), "09:25:00", True),
        (BARE, "15:09:59", True),
        (BARE, "15:10:00", False),  # inside both bounds of the window, but the end buffer has begun
        (bare(end_buffer_minutes=5), "15:20:00", True),
        (bare(end_buffer_minutes=5), "15:20:01", False),
        (bare(end_buffer_minutes=0, no_trade_end_minutes=0), "15:30:00", False),
    ],
)
def test_entry_window(settings: ModelSettings, clock: str, *, enters: bool) -> None:
    result = run([*ticks("99.95", "09:00"), *ticks("100", clock)], settings, [[DAY]])
    assert bool(result.open_positions) == enters
    assert result.gates == ({"outside_hours": 1} if enters else {"outside_hours": 2})


def test_no_entry_on_a_day_without_a_session() -> None:
    result = play("99.95 100", BARE, make_day(is_open=False))
    assert result.gates == {"outside_hours": 2}


def test_session_end_comes_before_the_stop() -> None:
    stream = ticks("99.95 100 101") + ticks("101", "15:09:59") + ticks("70", "15:10:00")
    assert exits(run(stream, BARE, [[DAY]])) == [("session_end", "70.00", 750)]


@pytest.mark.parametrize("next_day_is_open", [True, False])
def test_a_position_from_an_earlier_day_ends_on_the_first_tick(*, next_day_is_open: bool) -> None:
    stream = ticks("99.95 100") + ticks("101", "08:00", day_number=1)
    result = run(stream, BARE, [[DAY, make_day(1, is_open=next_day_is_open)]])
    assert exits(result) == [("session_end", "101.00", 750)]
    assert (result.trades[0].entry_time_ns, result.trades[0].exit_time_ns) == (at("10:00:01"), at("08:00", 1))


def test_a_new_day_resets_the_entries_and_keeps_the_green_count() -> None:
    settings = bare(max_positions_per_day=1, consecutive_green_bars=3)
    stream = ticks("97 98 99 100 105 85 86 87 88") + ticks("89", day_number=1)
    result = run(stream, settings, [[DAY, make_day(1)]])
    assert result.gates == {"green": 3, "max_positions": 3}
    assert result.open_positions[0].entry_price == 8_900


def test_reset_daily_makes_the_first_tick_of_a_day_a_first_tick() -> None:
    settings = bare(reset_daily=True, min_warmup_ticks=2, consecutive_green_bars=2)
    stream = ticks("97 98") + ticks("99 100 101", day_number=1)
    result = run(stream, settings, [[DAY, make_day(1)]])
    assert result.gates == {"warm_up": 2, "green": 2}
    assert result.open_positions[0].entry_price == 10_100


def test_warm_up_decides_no_exit() -> None:
    settings = bare(reset_daily=True, min_warmup_ticks=3)
    stream = ticks("98 99 100") + ticks("60 140 104", day_number=1)
    assert exits(run(stream, settings, [[DAY, make_day(1)]])) == [("session_end", "104.00", 750)]


def test_an_unknown_day_and_contradictory_tiers_are_errors() -> None:
    with pytest.raises(ValueError, match="no ModelDay holds"):
        run(ticks("100", day_number=1), BARE, [[DAY]])
    with pytest.raises(ValueError, match="must rise"):
        bare(tp_points=(Decimal(5), Decimal(5)), tp_percents=(Decimal("0.5"), Decimal("0.5")))
    with pytest.raises(ValueError, match="as many as"):
        bare(tp_percents=(Decimal(1),))
