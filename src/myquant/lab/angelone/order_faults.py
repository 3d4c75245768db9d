"""The faults of the order side: what befalls requests, orders, updates and the account, drawn by the seed."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from myquant.lab.angelone.fault import Fault

if TYPE_CHECKING:
    from myquant.lab.angelone.faults import Faults


@dataclass(frozen=True)
class OrderTimeout(Fault):
    """A request to place, modify or cancel is done, and never answered: its connection hangs."""

    share: float = 0.01


@dataclass(frozen=True)
class OrderLate(Fault):
    """A request to place, modify or cancel is done up to so many seconds later, and never answered."""

    share: float = 0.01
    seconds: float = 30.0


@dataclass(frozen=True)
class OrderLost(Fault):
    """A request to place, modify or cancel is taken by the connection, never done and never answered."""

    share: float = 0.01


@dataclass(frozen=True)
class AckLost(Fault):
    """A request to place, modify or cancel is done, and its connection cut instead of an answer."""

    share: float = 0.01


@dataclass(frozen=True)
class Order429(Fault):
    """A request to place, modify or cancel is not done, and answered with 429 and plain text."""

    share: float = 0.01


@dataclass(frozen=True)
class Order5xx(Fault):
    """A request to place, modify or cancel is answered with 500, 502, 503 or 504; `taken` is the share that is done."""

    share: float = 0.01
    taken: float = 0.5


@dataclass(frozen=True)
class OrderGarbage(Fault):
    """A request to place, modify or cancel is done, and answered with 200 and half a JSON text."""

    share: float = 0.01


@dataclass(frozen=True)
class RejectLate(Fault):
    """An order is taken with success, and rejected when it gets to the exchange."""

    share: float = 0.01


@dataclass(frozen=True)
class FillThenSilence(Fault):
    """An order's first fill is a lot, where it is larger; after that nothing is pushed about it. The books tell."""

    share: float = 0.01


@dataclass(frozen=True)
class UpdateDuplicate(Fault):
    """An order update comes twice."""

    share: float = 0.01


@dataclass(frozen=True)
class UpdateReorder(Fault):
    """An order update comes after the one that follows it, or a second later."""

    share: float = 0.01


@dataclass(frozen=True)
class UpdateDelay(Fault):
    """An order update comes up to so many seconds later."""

    share: float = 0.01
    seconds: float = 5.0


@dataclass(frozen=True)
class Book5xx(Fault):
    """A look at a book or at the funds is answered with 500, 502, 503 or 504 and HTML."""

    share: float = 0.01


@dataclass(frozen=True)
class SquareOff(Fault):
    """Once, after so many fills: the broker cancels what works and closes all positions, without a tag."""

    after: int = 1


@dataclass(frozen=True)
class ManualTrade(Fault):
    """Once, after so many fills: the user buys lots (or sells, negative) of what filled last, from the phone, no tag."""

    after: int = 1
    lots: int = -1

    signed = ("lots",)


OF_REQUESTS: Final = (
    "order_timeout",
    "order_late",
    "order_lost",
    "ack_lost",
    "order_429",
    "order_5xx",
    "order_garbage",
)
STATUSES: Final = (500, 502, 503, 504)


class Chance:
    """Draws faults, each from a generator of its own: one does not change which requests another befalls."""

    def __init__(self, faults: "Faults", seed: int, counts: Counter[str]) -> None:
        self.faults = faults
        self._seed, self._counts = seed, counts
        self._generators: dict[str, np.random.Generator] = {}

    def befalls(self, name: str) -> bool:
        """Return whether the fault happens now, and count it if so."""
        fault: Any = getattr(self.faults, name)
        if fault is None or self.number(name) >= fault.share:
            return False
        self._counts[name] += 1
        return True

    def of_request(self) -> str:
        """Return the fault of a request to place, modify or cancel; empty: none."""
        drawn = [name for name in OF_REQUESTS if getattr(self.faults, name) is not None]
        hit = [name for name in drawn if self.number(name) < getattr(self.faults, name).share]
        if not hit:
            return ""
        self._counts[hit[0]] += 1
        return hit[0]

    def number(self, name: str) -> float:
        """Return the fault's next random number in [0, 1)."""
        if name not in self._generators:
            self._generators[name] = np.random.default_rng([self._seed, *name.encode()])
        return float(self._generators[name].random())

    def status(self, name: str) -> int:
        """Return a status of a broken server."""
        return STATUSES[int(self.number(name) * len(STATUSES))]
