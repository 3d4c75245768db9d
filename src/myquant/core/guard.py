"""The guard: which ticks the engine takes, and what it observes of those it takes."""

import numpy as np

from myquant.core import codes
from myquant.core.compiled import inlined
from myquant.core.money import RATE_SCALE
from myquant.core.records import Rules

_GRID_BITS = 30
_LOW = (1 << 32) - 1
_SURE_BELOW = 1 << _GRID_BITS  # paise


@inlined
def refuse(last_ns: int, time_ns: int, price: int, volume: int) -> int:
    """Return the reason why a tick can't be used, or `ACCEPTED`.

    `last_ns` is the time of the last accepted tick, `BEFORE_ALL` where there was none. Prices and volumes below zero are the reader's codes for what it
    could not parse; an unparsable time is the smallest integer.
    """
    if price > 0 and volume >= 0 and time_ns >= last_ns:
        return codes.ACCEPTED
    if time_ns == codes.NO_TIME:
        return codes.UNPARSABLE_TIME
    if price == codes.PRICE_UNPARSABLE:
        return codes.UNPARSABLE_PRICE
    if price == codes.PRICE_NOT_FINITE:
        return codes.NON_FINITE_PRICE
    if price <= 0:
        return codes.NON_POSITIVE_PRICE
    if volume < 0:
        return codes.UNPARSABLE_VOLUME
    return codes.TIME_BACKWARDS


def grid_factor(tick_size: int) -> int:
    """Return 2^30 / tick_size, rounded up: `off_grid` multiplies by it where it would divide."""
    return -(-(1 << _GRID_BITS) // tick_size)


@inlined
def off_grid(price: int, tick_size: int, grid: int) -> bool:
    """Return whether a price is not a multiple of the tick size. Exact: below 2^30 the quotient of a multiple is."""
    if price < _SURE_BELOW:
        return (price * grid >> _GRID_BITS) * tick_size != price
    return price % tick_size != 0


@inlined
def count_off_grid(price: np.ndarray, begin: int, end: int, tick_size: int, grid: int) -> int:
    """Return how many prices from `begin` up to `end`, all above 0, are off the grid; see `off_grid`.

    Without a branch in its loop, the compiler takes several at once; factors below 2^32, shown to be so, are the cheapest.
    """
    count = highest = 0
    for i in range(begin, end):
        paise = price[np.uint64(i)]  # an unsigned index is not checked for counting from the end
        highest |= paise
        steps = (paise & _LOW) * (grid & _LOW) >> _GRID_BITS
        count += (steps & _LOW) * (tick_size & _LOW) != paise
    if highest < _SURE_BELOW:
        return count
    count = 0
    for i in range(begin, end):
        count += off_grid(price[i], tick_size, grid)
    return count


@inlined
def count_green(green: int, price: int, previous: int, tick_size: int, rules: Rules) -> int:
    """Return the number of rising ticks in a row, after this one; with the noise filter a small move changes nothing."""
    if not rules.noise_filter_enabled:
        return green + 1 if price > previous else 0
    band = max(tick_size * rules.noise_ticks, previous * rules.noise_rate)
    move = (price - previous) * RATE_SCALE
    if move > band:
        return green + 1
    return 0 if move < -band else green
