"""Figures and times as people read them: digits grouped as in India, a true minus sign, a dash for what is undefined."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Final

SECOND_NS: Final = 10**9
MINUS: Final = "\N{MINUS SIGN}"
NOTHING: Final = "\N{EN DASH}"  # a figure that is undefined


def grouped(amount: float | None, digits: int = 2, *, unit: str = "") -> str:
    """Return an amount with its digits grouped as in India: 12,34,567.89; a sign stands before the unit."""
    if amount is None:
        return NOTHING
    integer, _, fraction = f"{abs(amount):.{digits}f}".partition(".")
    head, tail = integer[:-3], integer[-3:]
    pairs = [head[max(0, end - 2) : end] for end in range(len(head), 0, -2)][::-1]
    text = ",".join([*pairs, tail]) + (f".{fraction}" if fraction else "")
    return f"{MINUS}{unit}{text}" if amount < 0 and text.strip("0.,") else f"{unit}{text}"


def signed(amount: float | None, digits: int = 2, *, unit: str = "") -> str:
    """Return a grouped amount with its sign, a plus included."""
    text = grouped(amount, digits, unit=unit)
    return f"+{text}" if amount is not None and amount > 0 else text


def percentage(value: float | None, digits: int = 2) -> str:
    """Return a percentage for the eye; `NOTHING` where it is undefined."""
    return NOTHING if value is None else f"{grouped(value, digits)} %"


def whole(count: int) -> str:
    """Return a count with its digits grouped."""
    return grouped(count, 0)


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun: `1 tick`, `34,100 ticks`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(names: Sequence[str], most: int = 3) -> str:
    """Return the first names of a list, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def label(name: str) -> str:
    """Return a code's name as a reader's: `take_profit_1` is "Take profit 1"."""
    return name.replace("_", " ").capitalize()


def date_time(time_ns: int, zone: tzinfo) -> str:
    """Return a time as a screen shows it, with the name of its zone: `2025-10-03 09:21:07 IST`."""
    return f"{datetime.fromtimestamp(time_ns // SECOND_NS, zone):%Y-%m-%d %H:%M:%S %Z}"


def clock_time(time_ns: int, zone: tzinfo) -> str:
    """Return the time of a day that is known, likewise: `09:21:07 IST`."""
    return f"{datetime.fromtimestamp(time_ns // SECOND_NS, zone):%H:%M:%S %Z}"
