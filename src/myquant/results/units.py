"""From the core's integers to what a reader sees: rupees, percentages, ISO 8601. Undefined is None, never NaN."""

from collections.abc import Sequence
from datetime import date, datetime, time, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

SECOND_NS = 1_000_000_000


def rupees(paise: int) -> float:
    """Return the double nearest to an amount of paise; its shortest text has at most two decimals."""
    return int(paise) / 100


def quotient(part: int, whole: int, *, digits: int = 4) -> float | None:
    """Return part / whole, rounded half up (away from zero) to `digits` decimals; None where whole is 0."""
    if whole == 0:
        return None
    step = Decimal(1).scaleb(-digits)
    # Adding zero makes of a negative zero a plain one.
    return float((Decimal(int(part)) / Decimal(int(whole))).quantize(step, ROUND_HALF_UP)) + 0.0


def percent(part: int, whole: int) -> float | None:
    """Return part as a percentage of whole, four decimals; None where whole is 0."""
    return quotient(100 * int(part), whole)


def mean_rupees(paise: int, count: int) -> float | None:
    """Return the mean of `count` amounts that sum to `paise`, rupees to the paisa; None of none."""
    return quotient(paise, 100 * count, digits=2)


def iso_time(time_ns: int, zone: tzinfo) -> str:
    """Return a time as `2025-10-03T09:21:07+05:30`; 3, 6 or 9 decimals only where the second is not whole."""
    seconds, rest_ns = divmod(int(time_ns), SECOND_NS)
    text = datetime.fromtimestamp(seconds, zone).isoformat()
    if rest_ns == 0:
        return text
    digits = f"{rest_ns:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{text[:19]}.{digits}{text[19:]}"


def day_numbers(times_ns: np.ndarray[Any, Any], days: Sequence[date], time_zone: str) -> np.ndarray[Any, Any]:
    """Return for each time the place in `days` (ascending) of its calendar day, or of the last one before it."""
    zone = ZoneInfo(time_zone)
    starts = [int(datetime.combine(day, time(), zone).timestamp()) * SECOND_NS for day in days]
    return np.searchsorted(np.array(starts, dtype=np.int64), times_ns, side="right") - 1
