"""Which rules hold for an instrument on the day of a tick. The shell prepares each day before its first tick."""

from typing import Any

import numpy as np

from myquant.core import codes
from myquant.core.compiled import inlined
from myquant.core.guard import refuse
from myquant.core.layout import record_access
from myquant.core.records import Day, Event

_load_day = record_access(Day).load


@inlined
def lacks_day(last_ns: int, day_end_ns: int, prepared: Any, event: Event) -> bool:
    """Return whether a tick would begin a day that has not been prepared; a tick that is refused begins none."""
    if event.time_ns < day_end_ns:
        return False
    if refuse(last_ns, event.time_ns, event.price, event.volume) != codes.ACCEPTED:
        return False
    return not prepared["start_ns"] <= event.time_ns < prepared["end_ns"]


@inlined
def find_day(days: np.ndarray[Any, Any], who: int, time_ns: int) -> Day:
    """Return the prepared day of instrument `who`; `days` has one record per instrument.

    Raises KeyError where it does not hold `time_ns`: whoever feeds a tick must have prepared its day.
    """
    if not days[who]["start_ns"] <= time_ns < days[who]["end_ns"]:
        raise KeyError("the day of this tick was not prepared")
    day: Day = _load_day(days[who])
    return day
