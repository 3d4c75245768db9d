"""How the pages write figures: rupees grouped as in India, ages, times in the session's zone; a dash for what is not known."""

from datetime import tzinfo
from typing import Final

from myquant.results.text import NOTHING, clock_time, date_time, grouped, signed, whole

SECOND_NS: Final = 1_000_000_000
MINUTE_S: Final = 60
HOUR_S: Final = 3600


def rupees(paise: int | None) -> str:
    """Return an amount or a price of paise in rupees."""
    return grouped(None if paise is None else paise / 100)


def gain(paise: int | None) -> str:
    """Return a profit or loss of paise in rupees, with its sign: it is known by that, not by a colour."""
    return signed(None if paise is None else paise / 100)


def count(number: int | None) -> str:
    """Return a count."""
    return NOTHING if number is None else whole(number)


def age(seconds: float | None) -> str:
    """Return how long ago something was."""
    if seconds is None:
        return NOTHING
    if seconds < MINUTE_S:
        return f"{seconds:.1f} s"
    if seconds < HOUR_S:
        return f"{seconds / MINUTE_S:.0f} min"
    return f"{seconds / HOUR_S:.1f} h"


def clock(time_ns: int | None, zone: tzinfo) -> str:
    """Return the time of the day; a time that is not known is a dash."""
    return NOTHING if not time_ns else clock_time(time_ns, zone)


def moment(time_ns: int | None, zone: tzinfo, *, is_dated: bool) -> str:
    """Return the time of the day, with its date where there may be several; a time that is not known is a dash."""
    return date_time(time_ns, zone) if time_ns and is_dated else clock(time_ns, zone)


def duration(delay_ns: float | None) -> str:
    """Return how long something took."""
    if delay_ns is None:
        return NOTHING
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if abs(delay_ns) >= size:
            return f"{delay_ns / size:.3g} {unit}"
    return f"{delay_ns:.0f} ns"
