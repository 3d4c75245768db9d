"""What the system knows of its own clock: whether it is kept in time, and how far it is off at the most."""

import ctypes
import sys
from dataclasses import dataclass
from typing import Final

NANO: Final = 0x2000  # status: the offset is in ns, not in us
UNSYNCHRONISED: Final = 0x0040
ERROR: Final = 5  # the clock's state: not synchronised


@dataclass(frozen=True)
class HostClock:
    """The clock against true time, as its discipline estimates it. None: the system does not say."""

    offset_ms: float | None
    is_synchronised: bool | None


class _Timex(ctypes.Structure):
    """struct timex of adjtimex(2), as far as it is read; the rest is room for the kernel."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 64),
    )


def host_clock() -> HostClock:
    """Return what adjtimex(2) says; it changes nothing."""
    if not sys.platform.startswith("linux"):
        return HostClock(None, None)
    timex = _Timex()
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return HostClock(None, None)
    if state < 0:
        return HostClock(None, None)
    is_synchronised = state != ERROR and not timex.status & UNSYNCHRONISED
    return HostClock(timex.offset / (1e6 if timex.status & NANO else 1e3), is_synchronised)
