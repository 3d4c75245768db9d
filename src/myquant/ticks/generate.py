"""Seeded days of option ticks that look like recorded ones, for demonstrations, tests and benchmarks.

A day is a row of snapshots, about 0.6 s apart, as a broker's feed takes them. At each the fair price has walked on; a
snapshot is sent or skipped, and what is sent is either a new trade, at the bid or the ask around the fair price, or
the last trade once more. `LIQUID` is fitted to a recorded day (34,086 ticks of a NIFTY option near the money,
2025-10-03); the tests show its statistics beside that day's.

Only NumPy's generator and elementary float operations are used, and no clock: the same profile, day and seed give the
same bytes (with the same NumPy, which may improve a distribution's method from one version to the next).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from myquant.errors import ConfigError

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]

SECOND_NS: Final = 1_000_000_000
RUPEE_PAISE: Final = 100


class Hours(NamedTuple):
    """Continuous trading of one day in local time; both ends may carry a tick."""

    opens: time
    closes: time
    zone: ZoneInfo


# Equity derivatives until 2 August 2026; for later days pass the calendar's hours.
NSE_HOURS: Final = Hours(time(9, 15), time(15, 30), ZoneInfo("Asia/Kolkata"))

# How many trades of the recorded day were of 1, 2, 3... lots; 24 lots of 75 are the freeze quantity of that day.
TRADES_BY_LOTS: Final = (
    *(17963, 3062, 976, 534, 163, 73, 42, 67, 41, 68, 18, 35),
    *(15, 22, 12, 21, 10, 6, 4, 18, 3, 1, 4, 8),
)
# One snapshot in thirty moves 2.2 times as far as the others: the tails of the recorded moves.
FAR_SHARE: Final = 0.033
FAR_FACTOR: Final = 2.2
# Each minute's variance is drawn anew about its mean (gamma of this shape): calm and lively minutes alternate.
MINUTE_SHAPE: Final = 8.0
# A new day opens a quarter of the way back to the profile's price, as if the strike were rolled to one near the money;
# otherwise a run of many days would wander off to nothing.
ROLL_SHARE: Final = 0.25
# How far the row before the open lies from the open: the recorded one by 5 %.
PRE_OPEN: Final = 0.05
POSITIVE: Final = ("start_price_paise", "tick_paise", "lot_size", "snapshot_s")


class GeneratedDay(NamedTuple):
    """Ticks in order of time; int64, shape (n,). Prices and quotes in paise, volumes in units."""

    time_ns: Ints
    price: Ints
    volume: Ints
    bid: Ints  # 0 where quotes were not asked for, and so is ask
    ask: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class DayProfile:
    """What kind of day to generate. Shares are of 0..1; relative sizes are parts of the price.

    Arrival: a snapshot comes every `snapshot_s`, late by up to `delay_s`; the share that is skipped rises to
    `skipped_share` as the day calms, and a `steady` feed never skips two in a row. `silences` per day, of `silence_s`
    on average, cut the feed. One row comes `pre_open_s` before the open (0: none).

    Price: `step` is the fair price's standard deviation per snapshot when the day is calm, `storm` how many times more
    the first seconds have, `drift` its trend over the day; `jumps` per day have a standard deviation of `jump`, the one
    over night of `overnight`. `spread` is the mean distance of bid and ask when calm. `whole_rupee_share` of the trades
    are done at a whole rupee. Up to `repeated_share` of the ticks show the trade before once more.

    Raises ConfigError for a value outside its range.
    """

    start_price_paise: int
    tick_paise: int = 5
    lot_size: int = 75
    snapshot_s: float = 0.612
    delay_s: float
    skipped_share: float
    steady: bool
    silences: float = 0.0
    silence_s: float = 0.0
    pre_open_s: int = 300
    repeated_share: float
    step: float
    drift: float = 0.0
    storm: float
    jumps: float
    jump: float
    spread: float
    whole_rupee_share: float
    overnight: float = 0.04

    def __post_init__(self) -> None:
        """Refuse what no day can have; nothing later looks again."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_share") and not 0.0 <= value <= 1.0:
                raise ConfigError(f"profile.{field.name} = {value}: must be from 0 to 1")
            if field.name in POSITIVE and not value > 0:
                raise ConfigError(f"profile.{field.name} = {value}: must be above 0")
            least = -1 if field.name == "drift" else 0
            if not least <= value < np.inf:
                raise ConfigError(f"profile.{field.name} = {value}: must be a number of at least {least}")
        if RUPEE_PAISE % self.tick_paise:
            raise ConfigError(f"profile.tick_paise = {self.tick_paise}: must divide a rupee, {RUPEE_PAISE} paise")


LIQUID: Final = DayProfile(
    start_price_paise=270_00,
    delay_s=0.65,
    skipped_share=0.21,
    steady=True,
    repeated_share=0.64,
    step=0.00111,
    storm=20.0,
    jumps=3.0,
    jump=0.01,
    spread=0.00085,
    whole_rupee_share=0.1,
)
PROFILES: Final = {
    "liquid": LIQUID,
    "trending": replace(LIQUID, drift=0.6, jumps=6.0, jump=0.02),
    "interrupted": replace(LIQUID, silences=12.0, silence_s=60.0, jumps=8.0, jump=0.03),
    "illiquid": DayProfile(
        start_price_paise=5_00,
        delay_s=0.65,
        skipped_share=0.8,
        steady=False,
        silences=3000.0,
        silence_s=15.0,
        pre_open_s=0,
        repeated_share=1.0,
        step=0.001,
        storm=2.0,
        jumps=3.0,
        jump=0.05,
        spread=0.02,
        whole_rupee_share=0.0,
    ),
}


def profile_named(name: str) -> DayProfile:
    """Return the profile of that name, or raise ConfigError with the names there are."""
    if name not in PROFILES:
        raise ConfigError(f"profile {name!r}: must be one of {', '.join(PROFILES)}")
    return PROFILES[name]


def generate_day(
    profile: DayProfile,
    *,
    day: date,
    seed: int,
    hours: Hours = NSE_HOURS,
    previous_close_paise: int | None = None,
    quotes: bool = False,
) -> GeneratedDay:
    """Return one day's ticks in whole seconds, from the row before the open to the close; at least one tick.

    The draws depend on (seed, day) only: `quotes` adds bid and ask to the same ticks, and `previous_close_paise` shifts
    the same day to start near that price. Raises ConfigError for a negative seed or hours that do not end after they
    begin.
    """
    open_s, close_s = _session_s(day, hours)
    if seed < 0:
        raise ConfigError(f"seed = {seed}: must be at least 0")
    rng = np.random.Generator(np.random.PCG64([seed, day.toordinal()]))
    start_price = _start_price(rng, profile, previous_close_paise)
    early = _row_before_open(rng, profile, start_price)
    clock = _snapshots(rng, profile, close_s - open_s)
    fair_price = start_price * np.cumprod(1.0 + _returns(rng, profile, clock), dtype=np.float64)
    sent = _sent(rng, profile, clock)
    second = clock.since_open_s[sent].astype(np.int64)
    trades = _trades(rng, profile, fair_price[sent], clock.volatility[sent])
    shown = _latest_trade(rng, profile, second, clock.calm[sent])
    columns = (second, *(column[shown] for column in trades))
    second, price, volume, bid, ask = (np.concatenate(parts) for parts in zip(early, columns, strict=True))
    return GeneratedDay((open_s + second) * SECOND_NS, price, volume, bid * quotes, ask * quotes)


def generate_days(
    profile: DayProfile, days: Iterable[date], *, seed: int, hours: Hours = NSE_HOURS, quotes: bool = False
) -> Iterator[GeneratedDay]:
    """Yield the given days one by one (a year fits through little memory), each carrying on the price of the last."""
    close_paise, last_day = None, date.min
    for day in days:
        if day <= last_day:
            raise ConfigError(f"day {day} after {last_day}: give the days in rising order")
        last_day = day
        ticks = generate_day(profile, day=day, seed=seed, hours=hours, previous_close_paise=close_paise, quotes=quotes)
        close_paise = int(ticks.price[-1])
        yield ticks


def generate_ticks(
    count: int, *, seed: int, profile: DayProfile = LIQUID, first_day: date = date(2025, 10, 3), quotes: bool = False
) -> GeneratedDay:
    """Return `count` ticks of consecutive days, Monday to Friday; for benchmarks: holidays are not left out.

    Raises ConfigError for a count below 1. For more ticks than memory holds, take `generate_days` day by day.
    """
    if count < 1:
        raise ConfigError(f"count = {count}: must be at least 1")
    days: list[GeneratedDay] = []
    have = 0
    for ticks in generate_days(profile, weekdays(first_day), seed=seed, quotes=quotes):
        days.append(ticks)
        have += len(ticks.price)
        if have >= count:
            break
    return GeneratedDay(*(np.concatenate(columns)[:count] for columns in zip(*days, strict=True)))


def weekdays(first: date) -> Iterator[date]:
    """Yield the days from `first` on, without Saturdays and Sundays."""
    day = first
    while True:
        if day.weekday() < 5:
            yield day
        day += timedelta(days=1)


class _Clock(NamedTuple):
    """The snapshots of a day, shape (n,): when they are stamped, how calm the day then is (0..1), how volatile."""

    since_open_s: Floats
    calm: Floats
    volatility: Floats


def _session_s(day: date, hours: Hours) -> tuple[int, int]:
    open_s, close_s = (
        int(datetime.combine(day, local, hours.zone).timestamp()) for local in (hours.opens, hours.closes)
    )
    if close_s <= open_s:
        raise ConfigError(f"hours {hours.opens} to {hours.closes}: must end after they begin")
    return open_s, close_s


def _start_price(rng: np.random.Generator, profile: DayProfile, previous_close_paise: int | None) -> float:
    jump = max(0.2, 1.0 + profile.overnight * rng.standard_normal())
    if previous_close_paise is None:
        return float(profile.start_price_paise)
    return jump * (previous_close_paise + ROLL_SHARE * (profile.start_price_paise - previous_close_paise))


def _row_before_open(rng: np.random.Generator, profile: DayProfile, start_price: float) -> tuple[Ints, ...]:
    """Return (second since the open, price, volume, bid, ask), each of one row, or of none if the profile has none."""
    price = np.array([start_price * max(0.2, 1.0 + PRE_OPEN * rng.standard_normal())], dtype=np.float64)
    second = np.array([-profile.pre_open_s])
    rows = 1 if profile.pre_open_s else 0
    return (second[:rows], *(column[:rows] for column in _trades(rng, profile, price, np.ones(1))))


def _snapshots(rng: np.random.Generator, profile: DayProfile, length_s: int) -> _Clock:
    """Stamp a steady beat, each snapshot a little late, over a U-shaped day: a storm, a calm, a stir before the close."""
    count = int(length_s / profile.snapshot_s) + 1
    due_s = (np.arange(count) + rng.random()) * profile.snapshot_s
    late = rng.random(count)
    stamped_s = np.maximum.accumulate(np.minimum(due_s + profile.delay_s * late * late * late, length_s))
    progress = stamped_s / length_s
    half_way = progress * progress * progress
    towards_close = half_way * half_way  # the sixth power, by multiplication alone
    storm = profile.storm / (1.0 + stamped_s * stamped_s / 16.0)
    volatility = 1.0 + storm + 2.0 / (1.0 + 16.0 * progress) + 0.25 * towards_close
    return _Clock(stamped_s, progress / (progress + 0.2) - 0.3 * towards_close, volatility)


def _returns(rng: np.random.Generator, profile: DayProfile, clock: _Clock) -> Floats:
    """Draw the fair price's relative steps: fat tails, livelier and calmer minutes, and jumps."""
    count = len(clock.since_open_s)
    minute = (clock.since_open_s / 60.0).astype(np.int64)
    liveliness = np.sqrt(rng.standard_gamma(MINUTE_SHAPE, int(minute[-1]) + 1) / MINUTE_SHAPE)[minute]
    reach = np.where(rng.random(count) < FAR_SHARE, FAR_FACTOR, 1.0)
    steps = profile.step * clock.volatility * liveliness * reach * rng.standard_normal(count) + profile.drift / count
    jumps = rng.poisson(profile.jumps)
    np.add.at(steps, rng.integers(0, count, jumps), profile.jump * rng.standard_normal(jumps))
    return np.clip(steps, -0.5, 0.5)


def _sent(rng: np.random.Generator, profile: DayProfile, clock: _Clock) -> Mask:
    """Tell which snapshots reach the file: not the skipped ones, none in a silence, and always the first."""
    skipped = rng.random(len(clock.calm)) < profile.skipped_share * clock.calm * clock.calm
    if profile.steady:
        skipped[1:] &= ~skipped[:-1].copy()
    silences = rng.poisson(profile.silences)
    lead_s = 4.0 * profile.silence_s  # the open may fall into a silence too
    begins_s = (clock.since_open_s[-1] + lead_s) * rng.beta(1.2, 1.2, silences) - lead_s  # fewer at the day's ends
    ends_s = begins_s + profile.silence_s * rng.standard_exponential(silences)
    begun = np.searchsorted(np.sort(begins_s), clock.since_open_s)
    ended = np.searchsorted(np.sort(ends_s), clock.since_open_s)
    sent: Mask = ~skipped & (begun == ended)
    sent[0] = True
    return sent


def _trades(rng: np.random.Generator, profile: DayProfile, fair_price: Floats, volatility: Floats) -> tuple[Ints, ...]:
    """Trade at the bid or the ask around each fair price: (price, volume, bid, ask), each int64 of that shape."""
    count = len(fair_price)
    tick = profile.tick_paise
    mean_spread = profile.spread * fair_price * volatility
    spread = np.maximum(tick, _on_grid(mean_spread * rng.standard_exponential(count), tick))
    buys = rng.random(count) < 0.5
    traded = fair_price + np.where(buys, 0.5, -0.5) * spread
    whole_rupee = rng.random(count) < profile.whole_rupee_share
    price = np.maximum(tick, np.where(whole_rupee, _on_grid(traded, RUPEE_PAISE), _on_grid(traded, tick)))
    bid = np.maximum(tick, np.where(buys, price - spread, price))
    trades_up_to = np.cumsum(TRADES_BY_LOTS)
    lots = 1 + np.searchsorted(trades_up_to, rng.integers(0, trades_up_to[-1], count), side="right")
    return price, lots * profile.lot_size, bid, bid + spread


def _latest_trade(rng: np.random.Generator, profile: DayProfile, second: Ints, calm: Floats) -> Ints:
    """Give for each tick the index of the trade it shows: its own, or an earlier one that it repeats."""
    # The exchange's own stream renews itself about once a second, so a second look within one often shows no change.
    same_second = np.diff(second, prepend=-1) == 0
    repeat_share = profile.repeated_share * (0.25 + 0.75 * calm) * np.where(same_second, 1.0, 0.5)
    repeats = rng.random(len(second)) < repeat_share
    repeats[0] = False
    return np.maximum.accumulate(np.where(repeats, 0, np.arange(len(second))))


def _on_grid(price: Floats, step_paise: int) -> Ints:
    return np.rint(price / step_paise).astype(np.int64) * step_paise
