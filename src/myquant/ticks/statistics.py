"""What a series of ticks looks like: arrival, moves, volumes and volatility in a few numbers.

The numbers are chosen to tell real option ticks from a plain random walk. They describe; nothing is decided by them.
A measure is None where the series is too short to say.
"""

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from myquant.errors import DataError

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Row: TypeAlias = tuple[str, float | None, float | None]

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
# An Indian exchange is shut for nine hours or more over night, and no instrument worth a file is silent for four.
DAY_BREAK_NS = 4 * 3600 * SECOND_NS
# The first and the last sixth of a day of 6 h 15 min are about its first and its last hour.
PARTS_OF_DAY = 6


@dataclass(frozen=True, slots=True)
class Arrival:
    """When ticks come. Shares are of the seconds that have a tick; a silence is the time between two ticks."""

    seconds: int
    one_share: float
    two_share: float
    more_share: float
    most_per_second: int
    silence_p99_s: float | None
    silence_max_s: float | None


@dataclass(frozen=True, slots=True)
class Moves:
    """How prices move from tick to tick; sizes are quantiles of the moves other than zero, as parts of the price.

    `zero_share` is of all moves, `zero_within_second_share` of those between ticks of one second, and `repeats_share`
    of the ticks that equal the one before in price and volume. Autocorrelations are of moves at lags 1 and 2; a
    negative first one is the bounce between bid and ask.
    """

    zero_share: float | None
    zero_within_second_share: float | None
    repeats_share: float | None
    size_p50: float | None
    size_p90: float | None
    size_p99: float | None
    size_p999: float | None
    size_max: float | None
    autocorrelation_1: float | None
    autocorrelation_2: float | None


@dataclass(frozen=True, slots=True)
class Volumes:
    """How much is traded, in lots; shares are of ticks, `broken_ticks` those of no whole number of lots."""

    mean_lots: float
    max_lots: float
    one_share: float
    two_share: float
    ten_or_more_share: float
    broken_ticks: int


@dataclass(frozen=True, slots=True)
class DayShape:
    """How the day runs. Volatility is the standard deviation of returns from minute to minute (last price of each).

    `first`, `middle` and `last` put the first sixth of every day, the two sixths in its middle and its last sixth in
    relation to the whole day; `activity` is ticks per time.
    """

    volatility: float | None
    volatility_first: float | None
    volatility_middle: float | None
    volatility_last: float | None
    activity_first: float
    activity_middle: float
    activity_last: float


@dataclass(frozen=True, slots=True)
class TickStatistics:
    """The measures of one series. Prices are in paise; `whole_rupee_share` is of ticks."""

    ticks: int
    days: int
    price_min_paise: int
    price_max_paise: int
    whole_rupee_share: float
    arrival: Arrival
    moves: Moves
    volumes: Volumes
    day: DayShape


def tick_statistics(time_ns: Ints, price: Ints, volume: Ints, *, lot_size: int) -> TickStatistics:
    """Measure a series: times in ns (not decreasing), prices in paise, volumes in units; all int64, shape (n,).

    A silence of four hours divides days; nothing is measured across it. Raises DataError when there are no ticks.
    """
    if len(time_ns) == 0:
        raise DataError("statistics of no ticks: the data holds none; give a file or a range of times that has some")
    day_breaks = np.flatnonzero(np.diff(time_ns) >= DAY_BREAK_NS) + 1
    bounds = [0, *day_breaks.tolist(), len(time_ns)]
    days = [slice(first, end) for first, end in pairwise(bounds)]
    return TickStatistics(
        ticks=len(time_ns),
        days=len(days),
        price_min_paise=int(price.min()),
        price_max_paise=int(price.max()),
        whole_rupee_share=float((price % 100 == 0).mean()),
        arrival=_arrival(time_ns),
        moves=_moves(time_ns, price, volume),
        volumes=_volumes(volume, lot_size),
        day=_day_shape([(time_ns[day], price[day]) for day in days]),
    )


def side_by_side(a: TickStatistics, b: TickStatistics) -> list[Row]:
    """Return the measures of two series as rows (name, a, b) to print; names such as `moves.zero_share`."""
    return [(name, left, right) for (name, left), (_, right) in zip(_flat(a), _flat(b), strict=True)]


def _flat(statistics: object, prefix: str = "") -> list[tuple[str, float | None]]:
    rows: list[tuple[str, float | None]] = []
    for field in fields(statistics):  # type: ignore[arg-type]  # the dataclasses of this file, one in another
        value = getattr(statistics, field.name)
        scalar = value is None or isinstance(value, int | float)
        rows += [(prefix + field.name, value)] if scalar else _flat(value, f"{field.name}.")
    return rows


def _arrival(time_ns: Ints) -> Arrival:
    second = time_ns // SECOND_NS
    starts = np.flatnonzero(np.diff(second, prepend=second[0] - 1))
    count = np.diff(starts, append=len(second))
    silence_ns = np.diff(time_ns)
    silence_s = silence_ns[silence_ns < DAY_BREAK_NS] / SECOND_NS
    return Arrival(
        seconds=len(count),
        one_share=float((count == 1).mean()),
        two_share=float((count == 2).mean()),
        more_share=float((count > 2).mean()),
        most_per_second=int(count.max()),
        silence_p99_s=_quantile(silence_s, 0.99),
        silence_max_s=_quantile(silence_s, 1.0),
    )


def _moves(time_ns: Ints, price: Ints, volume: Ints) -> Moves:
    same_day = np.diff(time_ns) < DAY_BREAK_NS
    within_second = (np.diff(time_ns // SECOND_NS) == 0)[same_day]
    move = np.diff(price)[same_day]
    repeats = (move == 0) & (np.diff(volume)[same_day] == 0)
    size = np.abs(move / price[:-1][same_day])[move != 0]
    return Moves(
        zero_share=_share(move == 0),
        zero_within_second_share=_share(move[within_second] == 0),
        repeats_share=_share(repeats),
        size_p50=_quantile(size, 0.5),
        size_p90=_quantile(size, 0.9),
        size_p99=_quantile(size, 0.99),
        size_p999=_quantile(size, 0.999),
        size_max=_quantile(size, 1.0),
        autocorrelation_1=_autocorrelation(move, 1),
        autocorrelation_2=_autocorrelation(move, 2),
    )


def _volumes(volume: Ints, lot_size: int) -> Volumes:
    return Volumes(
        mean_lots=float(volume.mean() / lot_size),
        max_lots=float(volume.max() / lot_size),
        one_share=float((volume == lot_size).mean()),
        two_share=float((volume == 2 * lot_size).mean()),
        ten_or_more_share=float((volume >= 10 * lot_size).mean()),
        broken_ticks=int(np.count_nonzero(volume % lot_size)),
    )


def _day_shape(days: list[tuple[Ints, Ints]]) -> DayShape:
    returns = [np.array_split(_minute_returns(time_ns, price), PARTS_OF_DAY) for time_ns, price in days]
    sixths = [np.concatenate(parts) for parts in zip(*returns, strict=True)]
    whole = _deviation(np.concatenate(sixths))
    ticks = np.sum([_ticks_by_sixth(time_ns) for time_ns, _ in days], axis=0)
    activity = (ticks / ticks.mean()).tolist()
    return DayShape(
        volatility=whole,
        volatility_first=_ratio(_deviation(sixths[0]), whole),
        volatility_middle=_ratio(_deviation(np.concatenate(sixths[2:4])), whole),
        volatility_last=_ratio(_deviation(sixths[-1]), whole),
        activity_first=activity[0],
        activity_middle=(activity[2] + activity[3]) / 2,
        activity_last=activity[-1],
    )


def _minute_returns(time_ns: Ints, price: Ints) -> Floats:
    minute = time_ns // MINUTE_NS
    ends = np.arange(minute[0], minute[-1] + 1)
    last = price[np.searchsorted(minute, ends, side="right") - 1]
    return np.diff(last) / last[:-1]


def _ticks_by_sixth(time_ns: Ints) -> Ints:
    since_first = time_ns - time_ns[0]
    return np.bincount(since_first * PARTS_OF_DAY // (since_first[-1] + 1), minlength=PARTS_OF_DAY)


def _autocorrelation(values: Ints, lag: int) -> float | None:
    if len(values) <= lag:
        return None
    centred = values - values.mean()
    return _ratio(float((centred[:-lag] * centred[lag:]).sum()), float((centred * centred).sum()))


def _share(mask: NDArray[np.bool_]) -> float | None:
    return float(mask.mean()) if len(mask) else None


def _quantile(values: Ints | Floats, level: float) -> float | None:
    return float(np.quantile(values, level)) if len(values) else None


def _deviation(values: Floats) -> float | None:
    return float(values.std()) if len(values) > 1 else None


def _ratio(value: float | None, whole: float | None) -> float | None:
    return value / whole if value is not None and whole else None
