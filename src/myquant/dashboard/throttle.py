"""How often a password may be tried: after a few wrong ones in a row a wait that doubles, for an address and for all of them."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from myquant.dashboard.access import steady_s

WRONG_MAX: Final = 5  # in a row, from one address; from then on each is followed by a wait
WRONG_IN_ALL_MAX: Final = 20  # likewise, whoever they come from
FIRST_WAIT_S: Final = 1.0
WAIT_MAX_S: Final = 300.0
FORGET_S: Final = 3600.0  # wrong ones that are older count no more
ADDRESSES_MAX: Final = 1024  # beyond it the one that was quiet for longest is forgotten; what is counted in all is not
NETWORK_BITS: Final = 64  # one IPv6 host has as many addresses as it likes below this
_ALL: Final = ""


@dataclass
class _Row:
    wrong: int = 0
    last_s: float = 0.0
    until_s: float = 0.0


class Throttle:
    """Counts wrong passwords, and says how long the next try has to wait.

    Args:
        now_s: a clock, seconds.
    """

    def __init__(self, now_s: Callable[[], float] = steady_s) -> None:
        self._now_s = now_s
        self._rows: dict[str, _Row] = {}  # the one that was quiet for longest first

    def wait_s(self, address: str) -> float:
        """Return how long an address has to wait before its next try, seconds; 0: it may try."""
        now_s = self._now_s()
        rows = (self._rows.get(key) for key in (_ALL, network_of(address)))
        return max([0.0, *(row.until_s - now_s for row in rows if row is not None)])

    def note_wrong(self, address: str) -> None:
        """Count a wrong password."""
        for key, most in ((network_of(address), WRONG_MAX), (_ALL, WRONG_IN_ALL_MAX)):
            self._count(key, most)

    def note_right(self, address: str) -> None:
        """Begin to count anew. Not for a viewer's password: with it nobody gets more tries for the operator's."""
        self._rows.pop(network_of(address), None)
        self._rows.pop(_ALL, None)

    def _count(self, key: str, most: int) -> None:
        now_s = self._now_s()
        row = self._rows.pop(key, None)
        if row is None or now_s - row.last_s >= FORGET_S:
            row = _Row()
        row.wrong, row.last_s = row.wrong + 1, now_s
        if row.wrong >= most:
            row.until_s = now_s + min(WAIT_MAX_S, FIRST_WAIT_S * 2 ** min(row.wrong - most, 30))
        while len(self._rows) >= ADDRESSES_MAX:
            del self._rows[next(key for key in self._rows if key != _ALL)]
        self._rows[key] = row


def network_of(address: str) -> str:
    """Return what is counted for an address: itself, of IPv6 the network that one host may have."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address or "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, NETWORK_BITS), strict=False))
    return str(found)
