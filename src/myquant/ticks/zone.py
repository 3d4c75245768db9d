"""Local times to UTC."""

from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from myquant.core.codes import NO_TIME
from myquant.errors import ConfigError
from myquant.ticks.batch import Ints

Flags: TypeAlias = NDArray[np.bool_]

SECOND_NS: Final = 1_000_000_000
DAY_NS: Final = 86_400 * SECOND_NS
LIMIT_NS: Final = 2**63 - 2 * DAY_NS  # beyond this (April 2262, September 1677) an offset could overflow
EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  (the epoch as a local time, of no zone yet)


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone of an IANA name. Raises ConfigError when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(f"time zone {name!r} is not known; take an IANA name such as Asia/Kolkata") from error


def utc_of(time_ns: Ints, naive: Flags, zone: ZoneInfo) -> Ints:
    """Return times of which the naive ones are local ones of a zone as `utc_from_local` does; shapes (n,)."""
    return np.where(naive, utc_from_local(time_ns, zone), time_ns) if naive.any() else time_ns


def utc_from_local(local_ns: Ints, zone: ZoneInfo) -> Ints:
    """Return local nanoseconds of a zone, shape (n,), as nanoseconds since the epoch, UTC; NO_TIME stays.

    Where clocks were set back, a time that occurred twice is the earlier one; where they were set forward, a time that
    never occurred is as far behind the change as it claims (02:30 of a missing hour is 03:30), as PEP 495's fold=0.
    """
    known = (local_ns > -LIMIT_NS) & (local_ns < LIMIT_NS)
    days, place = np.unique(np.where(known, local_ns // DAY_NS, 0), return_inverse=True)
    begins_ns = np.array([_offset_ns(int(day) * DAY_NS, zone) for day in days], np.int64)
    ends_ns = np.array([_offset_ns((int(day) + 1) * DAY_NS, zone) for day in days], np.int64)
    offsets_ns = begins_ns[place]
    changing = known & (begins_ns != ends_ns)[place]
    if changing.any():
        offsets_ns[changing] = _offsets_one_by_one(local_ns[changing], zone)
    return np.where(known, local_ns - offsets_ns, NO_TIME)


def _offsets_one_by_one(local_ns: Ints, zone: ZoneInfo) -> Ints:
    seconds, place = np.unique(local_ns // SECOND_NS, return_inverse=True)
    return np.array([_offset_ns(int(second) * SECOND_NS, zone) for second in seconds], np.int64)[place]


def _offset_ns(local_ns: int, zone: ZoneInfo) -> int:
    local = EPOCH + timedelta(seconds=local_ns // SECOND_NS)
    utc = local.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)
    return (local - utc) // timedelta(seconds=1) * SECOND_NS
