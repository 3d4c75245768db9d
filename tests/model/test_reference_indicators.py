"""The model's indicators against hand-computed values, exact ties and TA-Lib."""

import random
from decimal import Decimal

import numpy as np
import pytest
import talib

from model.reference import run
from model.reference_indicators import Ema, Indicators, Vwap
from model.reference_types import ModelSettings, ModelTick
from model.scenario import DAY, SECOND_NS, at, bare, make_day


def fed(prices: list[int], **changes: object) -> Indicators:
    indicators = Indicators(bare(**changes))
    for price in prices:
        indicators.update(price, 5)
    return indicators


def agree(prices: list[int], **changes: object) -> bool:
    return fed(prices, **changes).signals_agree(Vwap())


def test_ema_is_seeded_with_the_first_price() -> None:
    ema = Ema(3)
    assert [ema.update(x) for x in (10.0, 12.0, 12.0)] == [10.0, 11.0, 11.5]


@pytest.mark.parametrize(
    ("prices", "noise", "green"),
    [
        pytest.param([100, 105, 110], False, 2, id="rising"),
        pytest.param([100, 105, 105], False, 0, id="an equal price resets"),
        pytest.param([100, 106, 111, 112], True, 1, id="strictly beyond one tick of 5"),
        pytest.param([100, 106, 106, 101], True, 1, id="inside the band the count stays"),
        pytest.param([100, 106, 112, 106], True, 0, id="beyond the band downwards it resets"),
        pytest.param([100, 106, 110, 114], True, 1, id="the previous price is always the last tick's"),
        pytest.param([100_000, 100_010], True, 0, id="0.0001 of 100 000 is the wider band"),
        pytest.param([100_000, 100_011], True, 1, id="and 11 is beyond it"),
    ],
)
def test_green_count(prices: list[int], *, noise: bool, green: int) -> None:
    assert fed(prices, noise_filter_enabled=noise).green == green


def test_rsi_and_atr_by_hand() -> None:
    indicators = fed([1_000, 1_100, 1_050], rsi_length=2, atr_len=2)
    assert indicators.rsi() == pytest.approx(100 * 0.5 / (0.5 + 0.25))
    assert indicators.atr() == pytest.approx(0.75)
    indicators.update(1_250, 5)  # gain (0.5 + 2) / 2, loss (0.25 + 0) / 2, range (0.75 + 2) / 2
    assert indicators.rsi() == pytest.approx(100 * 1.25 / 1.375)
    assert indicators.atr() == pytest.approx(1.375)


def test_rsi_and_atr_are_warm_after_one_tick_more_than_their_length() -> None:
    assert (fed([1_000] * 14).rsi(), fed([1_000] * 14).atr()) == (None, None)
    assert (fed([1_000] * 15).rsi(), fed([1_000] * 15).atr()) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("prices", "std", "inside"),
    [
        pytest.param([28_005] * 20, "2.0", False, id="no deviation, no room between the bands"),
        pytest.param([28_005] * 16 + [28_010] * 4, "2.0", False, id="exactly on the upper band"),
        pytest.param([28_005] * 16 + [28_010] * 4, "2.01", True, id="a little wider"),
        pytest.param([28_005, 28_010] * 10, "2.0", True, id="one deviation above"),
        pytest.param([28_005, 28_010] * 9, "2.0", False, id="18 of 20 ticks are not warm"),
    ],
)
def test_bollinger(prices: list[int], std: str, *, inside: bool) -> None:
    flags = {"use_bollinger_bands": True, "bollinger_std": Decimal(std)}
    assert agree(prices, **flags) == inside


@pytest.mark.parametrize(
    ("prices", "up"),
    [
        pytest.param([1_000, 1_100, 1_000, 1_100], True, id="%K 0 100 against %D 50"),
        pytest.param([1_100, 1_000, 1_100, 1_000], False, id="%K 100 0"),
        pytest.param([1_000, 1_000, 1_000, 1_000], False, id="flat is 0, and 0 is not above 0"),
        pytest.param([1_000, 1_000, 1_100], False, id="the window of %D is not full"),
    ],
)
def test_stochastic(prices: list[int], *, up: bool) -> None:
    assert agree(prices, use_stochastic=True, stochastic_k=3, stochastic_d=2) == up


def test_macd_is_warm_after_slow_and_signal() -> None:
    rising = [1_000 * 2**i for i in range(5)]
    changes = {"use_macd": True, "macd_fast": 2, "macd_slow": 3, "macd_signal": 3}
    assert [agree(rising[:n], **changes) for n in (4, 5)] == [False, True]


@pytest.mark.parametrize(
    ("flag", "rising", "falling"),
    [("use_ema_crossover", True, False), ("use_htf_trend", True, False), ("use_rsi_filter", False, False)],
)
def test_a_signal_is_a_state(flag: str, *, rising: bool, falling: bool) -> None:
    up = [1_000 + 10 * i for i in range(30)]
    assert agree(up, **{flag: True}) == rising
    assert agree(up[::-1], **{flag: True}) == falling


def test_with_no_signal_enabled_nothing_refuses() -> None:
    assert agree([1_000])


def test_vwap_is_a_days_own() -> None:
    settings = bare(use_vwap=True, max_position_value_percent=Decimal("0.01"))  # too little for a lot: all are denied
    day_one = [(9_000, 100), (9_500, 0), (20_000, 5)]
    day_two = [(10_000, 0), (10_005, 0), (10_010, 75), (10_015, 75)]
    stream = [
        ModelTick(at("10:00", number) + second * SECOND_NS, price, volume)
        for number, rows in enumerate((day_one, day_two))
        for second, (price, volume) in enumerate(rows)
    ]
    result = run(stream, settings, [[DAY, make_day(1)]])
    # Day one: 95.00 and 200.00 are above 90.00 and 95.24. Day two: a fall, no volume yet, at the VWAP, above it.
    assert result.gates == {"green": 2, "signal": 2}
    assert result.denied == {"size": 3}


@pytest.fixture(scope="module")
def walk() -> list[int]:
    rng = random.Random(7)
    prices = [20_000]
    while len(prices) < 600:
        prices.append(max(5_000, prices[-1] + 5 * rng.randint(-30, 30)))
    return prices


def test_indicators_agree_with_talib(walk: list[int]) -> None:
    x = np.array(walk, dtype=np.float64) / 100.0
    settings = ModelSettings()
    indicators = Indicators(settings)
    rows = []
    for price in walk:
        indicators.update(price, 5)
        rows.append(
            (indicators.rsi(), indicators.atr(), indicators.fast.value, indicators.macd, indicators.stochastic_d())
        )
    mine = np.array(rows, dtype=np.float64)
    assert mine[14:, 0] == pytest.approx(talib.RSI(x, 14)[14:], abs=1e-9)
    assert mine[14:, 1] == pytest.approx(talib.ATR(x, x, x, 14)[14:], abs=1e-9)
    assert mine[420:, 2] == pytest.approx(talib.EMA(x, 18)[420:], abs=1e-6)
    assert mine[420:, 3] == pytest.approx(talib.MACD(x, 12, 26, 9)[0][420:], abs=1e-6)
    _, percent_d = talib.STOCHF(x, x, x, fastk_period=14, fastd_period=3)
    assert mine[15:, 4] == pytest.approx(percent_d[15:], abs=1e-9)


def test_bollinger_agrees_with_talib(walk: list[int]) -> None:
    x = np.array(walk, dtype=np.float64) / 100.0
    upper, _, lower = talib.BBANDS(x, timeperiod=20, nbdevup=1.3, nbdevdn=1.3)
    changes = {"use_bollinger_bands": True, "bollinger_std": Decimal("1.3")}
    mine = [agree(walk[n - 20 : n], **changes) for n in range(20, len(walk) + 1)]
    theirs = [bool(low < price < high) for low, price, high in zip(lower, x, upper, strict=True)][19:]
    assert mine == theirs
    assert set(mine) == {True, False}
