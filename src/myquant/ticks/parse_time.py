"""Compiled parsing of times written as text or as epoch numbers, exact to the nanosecond.

Accepted are YYYY-MM-DD, DD-MM-YYYY (the day first, as in India), both also with slashes, and YYYYMMDD; then T or space;
then HH:MM, HH:MM:SS or HH:MM:SS.f (1 to 9 digits); then nothing, Z, +HH:MM, +HHMM or +HH. Or a whole number of s, ms, us
or ns since the epoch.
"""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from myquant.core.codes import NO_TIME
from myquant.core.compiled import inlined
from myquant.ticks.compiled import kept

Bytes: TypeAlias = NDArray[np.uint8]
Ints: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

SPACE, PLUS, MINUS, POINT, SLASH, ZERO, COLON = 32, 43, 45, 46, 47, 48, 58
LOWER_T, LOWER_Z = 116, 122

SECOND_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60 * SECOND_NS
HOUR_NS: Final = 60 * MINUTE_NS
DAY_NS: Final = 24 * HOUR_NS
MIN_YEAR, MAX_YEAR = 1678, 2261  # what int64 nanoseconds hold
NO_DAY: Final = -(2**31)
_SHORT: Final = (4, 6, 9, 11)  # months of 30 days

EPOCH_MIN: Final = 10**8  # as seconds: March 1973; fewer digits are a date, a time of day or nothing
EPOCH_MAX_NS: Final = 92 * 10**17
BEFORE_OVERFLOW: Final = (2**63 - 10) // 10  # ten times this, and a digit, is an int64


@kept
def parse_times(text: Bytes, starts: Ints, ends: Ints, unit_ns: Ints, out: Ints, naive: Flags) -> None:
    """Write each field's nanoseconds into `out` (NO_TIME: none), and into `naive` whether they are local ones.

    `unit_ns`, shape (1,), is the unit of epoch numbers; 0: the first one that is read decides it, for all that follow.
    """
    for i in range(out.shape[0]):
        at, end = starts[i], ends[i]
        number = _whole_number(text, at, end)
        if number >= 0:
            out[i], naive[i] = _from_epoch(number, unit_ns), False
            continue
        day, at = _date(text, at, end)
        begin = at
        while at < end and (text[at] == SPACE or (at == begin and (int(text[at]) | SPACE) == LOWER_T)):
            at += 1
        out[i], naive[i] = _instant(day if at > begin else NO_DAY, text, at, end)


@kept
def parse_dates_and_clocks(
    dates: Bytes,
    date_starts: Ints,
    date_ends: Ints,
    clocks: Bytes,
    clock_starts: Ints,
    clock_ends: Ints,
    out: Ints,
    naive: Flags,
) -> None:
    """Like `parse_times`, of a date and a time of day that stand in two columns."""
    for i in range(out.shape[0]):
        day, at = _date(dates, date_starts[i], date_ends[i])
        out[i], naive[i] = _instant(day if at == date_ends[i] else NO_DAY, clocks, clock_starts[i], clock_ends[i])


@kept
def epoch_to_ns(numbers: Ints, unit_ns: Ints, out: Ints) -> None:
    """Write epoch numbers as nanoseconds into `out`, by the rules of `parse_times`."""
    for i in range(out.shape[0]):
        out[i] = _from_epoch(numbers[i], unit_ns) if numbers[i] >= 0 else NO_TIME


@inlined
def _whole_number(text: Bytes, at: int, end: int) -> int:
    """Return the value of digits, perhaps with a point and zeros after them; -1: anything else, or too large."""
    value = 0
    begin = at
    while at < end and 0 <= int(text[at]) - ZERO <= 9:
        if value > BEFORE_OVERFLOW:
            return -1
        value = value * 10 + int(text[at]) - ZERO
        at += 1
    if at == begin:
        return -1
    if at < end and text[at] == POINT:
        at += 1
        while at < end and text[at] == ZERO:
            at += 1
    return value if at == end else -1


@inlined
def _from_epoch(number: int, unit_ns: Ints) -> int:
    if unit_ns[0] == 0:
        if number < EPOCH_MIN:
            return NO_TIME
        unit_ns[0] = SECOND_NS
        while unit_ns[0] > 1 and number >= EPOCH_MIN * 1000 * (SECOND_NS // unit_ns[0]):
            unit_ns[0] //= 1000
    return number * unit_ns[0] if number <= EPOCH_MAX_NS // unit_ns[0] else NO_TIME


@inlined
def _date(text: Bytes, at: int, end: int) -> tuple[int, int]:
    """Return the day that text[at:] begins with, counted from the epoch (NO_DAY: none), and where it ends."""
    first, after = _digits(text, at, end, 8)
    if after - at == 8:
        return _day(first // 10_000, first // 100 % 100, first % 100), after
    if after >= end or (text[after] != MINUS and text[after] != SLASH):
        return NO_DAY, at
    separator = text[after]
    second, middle = _digits(text, after + 1, end, 2)
    if middle - after != 3 or middle >= end or text[middle] != separator:
        return NO_DAY, at
    if after - at == 4:
        third, last = _digits(text, middle + 1, end, 2)
        return (_day(first, second, third) if last - middle == 3 else NO_DAY), last
    third, last = _digits(text, middle + 1, end, 4)
    return (_day(third, second, first) if after - at == 2 and last - middle == 5 else NO_DAY), last


@inlined
def _instant(day: int, text: Bytes, at: int, end: int) -> tuple[int, bool]:
    """Return the nanoseconds of a day and the time of day in text[at:end], and whether they are local ones."""
    hour, after = _digits(text, at, end, 2)
    minute, last = _digits(text, after + 1, end, 2)
    if day == NO_DAY or after - at != 2 or last - after != 3 or text[after] != COLON or hour > 23 or minute > 59:
        return NO_TIME, False
    time_ns = day * DAY_NS + hour * HOUR_NS + minute * MINUTE_NS
    if last < end and text[last] == COLON:
        at = last
        second, last = _digits(text, at + 1, end, 2)
        if last - at != 3 or second > 59:
            return NO_TIME, False
        time_ns += second * SECOND_NS
        if last < end and text[last] == POINT:
            at = last
            fraction, last = _digits(text, at + 1, end, 9)
            if last - at == 1:
                return NO_TIME, False
            for _ in range(10 - (last - at)):
                fraction *= 10
            time_ns += fraction
    while last < end and text[last] == SPACE:
        last += 1
    if last == end:
        return time_ns, True
    offset_ns = _offset(text, last, end)
    return (NO_TIME if offset_ns == NO_TIME else time_ns - offset_ns), False


@inlined
def _offset(text: Bytes, at: int, end: int) -> int:
    """Return the offset from UTC that is all of text[at:end], in nanoseconds; NO_TIME: it is none."""
    if end - at == 1 and (int(text[at]) | SPACE) == LOWER_Z:
        return 0
    if text[at] != PLUS and text[at] != MINUS:
        return NO_TIME
    hour, after = _digits(text, at + 1, end, 2)
    if after - at != 3:
        return NO_TIME
    minute, last = 0, after
    if after < end:
        after += text[after] == COLON
        minute, last = _digits(text, after, end, 2)
        if last - after != 2:
            return NO_TIME
    if last != end or hour > 23 or minute > 59:
        return NO_TIME
    offset_ns = hour * HOUR_NS + minute * MINUTE_NS
    return -offset_ns if text[at] == MINUS else offset_ns


@inlined
def _digits(text: Bytes, at: int, end: int, most: int) -> tuple[int, int]:
    """Return the value of at most `most` digits, and where they end."""
    value = 0
    stop = min(at + most, end)
    while at < stop and 0 <= int(text[at]) - ZERO <= 9:
        value = value * 10 + int(text[at]) - ZERO
        at += 1
    return value, at


@inlined
def _day(year: int, month: int, day: int) -> int:
    """Return the days from the epoch to a date of the Gregorian calendar; NO_DAY: there is no such date."""
    if not (MIN_YEAR <= year <= MAX_YEAR and 1 <= month <= 12 and 1 <= day <= 31):
        return NO_DAY
    leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
    if (month == 2 and day > 28 + leap) or (day == 31 and month in _SHORT):
        return NO_DAY
    # Counted in years that begin in March, so that the leap day comes last and five months have 153 days.
    years = year - (month <= 2)
    months = (month + 9) % 12
    return years * 365 + years // 4 - years // 100 + years // 400 + (153 * months + 2) // 5 + day - 719_469
