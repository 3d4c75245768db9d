"""Whether a feed is of use: packets may come, and none of them be any good."""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from myquant.brokers.packets import DUPLICATE, HEARTBEATS, PRICE_JUMP, QUOTES, REASON_NAMES
from myquant.core import codes
from myquant.session.engine import Engine

USELESS_S: Final = 5  # seconds with refusals, since anything was used
FORGOTTEN_S: Final = 30  # after which a tick that the engine refused says nothing of the quotes any more
_FEED: Final = np.array([*range(1, DUPLICATE), PRICE_JUMP])  # reasons that are not everyday ones
_ENGINE: Final = np.array(list(codes.REJECTION_NAMES))
_NAMES: Final = (*(REASON_NAMES[reason] for reason in _FEED.tolist()), *codes.REJECTION_NAMES.values())


@dataclass
class Feed:
    """What is known of the feed's connections."""

    healthy: dict[int, bool] = field(default_factory=dict)
    reason: str = "not connected yet"
    stale: bool = True
    since_ns: int = 0


class FeedUse:
    """Looks, once a second, at what became of the feed's packets.

    What is everyday for a quiet instrument (duplicates, packets without news, no packet) speaks neither for nor against the
    feed. Ticks that the engine takes speak for it; while it refuses none, so do quotes, which it takes whatever their time
    is, and packets of what is not traded, where they are more than what is refused. A refused tick is forgotten in time.
    """

    def __init__(self, engine: Engine, counts: np.ndarray[Any, Any]) -> None:
        self._engine = engine
        self._useless_s = 0
        self._refused_ago_s = FORGOTTEN_S  # since the engine refused a tick
        self._used, self._refused = self._counted(counts)
        self._when_used = self._refused

    def look(self, counts: np.ndarray[Any, Any]) -> str:
        """Return why the feed is of no use; empty: nothing speaks against it. `counts`: the feed's own."""
        used_before, refused_before = self._used, self._refused
        self._used, self._refused = self._counted(counts)
        (ticks, quotes, alive), refused = self._used - used_before, self._refused - refused_before
        self._refused_ago_s = 0 if refused[len(_FEED) :].any() else self._refused_ago_s + 1
        are_ticks_refused = not ticks and self._refused_ago_s < FORGOTTEN_S
        if ticks or ((quotes or alive > refused.sum()) and not are_ticks_refused):
            self._useless_s, self._when_used = 0, self._refused
        elif refused.any():
            self._useless_s += 1
        if self._useless_s < USELESS_S:
            return ""
        return f"nothing of it is used: packets are refused, mostly {_NAMES[int((self._refused - self._when_used).argmax())]}"

    def _counted(self, counts: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return so far: the ticks that the engine took, quotes and packets of what is not traded; the refusals by reason."""
        engine = self._engine.instruments["counts"].sum(axis=0)
        used = np.array([engine[codes.COUNT_TICKS], counts[QUOTES], counts[HEARTBEATS]])
        return used, np.concatenate([counts[_FEED], engine[codes.COUNT_REJECTED + _ENGINE]])
