"""How often a broker may be asked: its limits per calendar second, minute and hour, whoever asks.

We do not know how the broker's seconds lie against ours, and what left 1.05 s apart may arrive 0.95 s apart: so that no
second of its clock can hold more than the limit, no stretch of ours of a second and some spare does. Pure; times are
monotonic, ns.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

SPARE_NS: Final = 100_000_000  # how much closer together requests may arrive than they left
LONG_AGO_NS: Final = -(2**62)

Item = TypeVar("Item")


class Limit(NamedTuple):
    """At most `most` requests in any stretch of `span_ns`, of which `kept` are for the urgent ones alone."""

    most: int
    span_ns: int
    kept: int


class _Window:
    """The requests of the last stretch; there is room for another one from `urgent_ns`, or `others_ns`, on."""

    __slots__ = ("_kept", "_next", "_sent", "_span_ns", "others_ns", "urgent_ns")

    def __init__(self, limit: Limit) -> None:
        self._span_ns = limit.span_ns + SPARE_NS
        self._sent = [LONG_AGO_NS] * limit.most  # a ring
        self._next = 0
        self._kept = limit.kept
        self.urgent_ns = self.others_ns = LONG_AGO_NS

    def note(self, now_ns: int) -> None:
        sent = self._sent
        sent[self._next] = now_ns
        self._next = oldest = (self._next + 1) % len(sent)
        self.urgent_ns = sent[oldest] + self._span_ns
        self.others_ns = sent[(oldest + self._kept) % len(sent)] + self._span_ns


class Budget:
    """What may be sent now: `shared` limits count all kinds together, `each` one kind alone; kinds are 0, 1, ..."""

    def __init__(self, kinds: int, shared: Sequence[Limit], each: Sequence[Limit]) -> None:
        if not all(0 <= limit.kept < limit.most and limit.span_ns > 0 for limit in (*shared, *each)):
            raise ValueError("a limit must leave something to those that are not urgent")
        common = [_Window(limit) for limit in shared]
        self._windows = [(*common, *(_Window(limit) for limit in each)) for _ in range(kinds)]
        self._held_ns = LONG_AGO_NS
        self._free_ns = [
            (LONG_AGO_NS, LONG_AGO_NS)
        ] * kinds  # of the others, of the urgent: an order is not to wait for sums

    def free_ns(self, kind: int, *, urgent: bool) -> int:
        """Return from when on another request of a kind may be sent."""
        return self._free_ns[kind][urgent]

    def note(self, kind: int, now_ns: int) -> None:
        """Count a request that is sent now."""
        for window in self._windows[kind]:
            window.note(now_ns)
        self._sum_up()

    def hold(self, until_ns: int) -> None:
        """Send nothing until then: the broker says that it was asked too often."""
        self._held_ns = max(self._held_ns, until_ns)
        self._sum_up()

    def _sum_up(self) -> None:
        held_ns = self._held_ns
        self._free_ns = [
            (max(held_ns, *[each.others_ns for each in windows]), max(held_ns, *[each.urgent_ns for each in windows]))
            for windows in self._windows
        ]


@dataclass(slots=True)
class Waiting(Generic[Item]):
    """A request that waits; `gives_up_ns`: from then on it is not sent any more."""

    item: Item
    kind: int
    urgent: bool
    gives_up_ns: int


class Queue(Generic[Item]):
    """The requests that wait for budget or a connection: urgent ones first, else in their order. Bounded."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._urgent: deque[Waiting[Item]] = deque()
        self._others: deque[Waiting[Item]] = deque()

    def __len__(self) -> int:
        return len(self._urgent) + len(self._others)

    @property
    def holds_urgent(self) -> bool:
        """Whether an urgent one waits."""
        return bool(self._urgent)

    def put(self, waiting: Waiting[Item]) -> bool:
        """Take a request; False: there is no room for it."""
        if len(self) >= self._most:
            return False
        (self._urgent if waiting.urgent else self._others).append(waiting)
        return True

    def take(self, now_ns: int, budget: Budget) -> Waiting[Item] | None:
        """Take out the first request that may be sent now; None: there is none."""
        for waiting_ones in (self._urgent, self._others):
            for at, waiting in enumerate(waiting_ones):
                if budget.free_ns(waiting.kind, urgent=waiting.urgent) <= now_ns:
                    del waiting_ones[at]
                    return waiting
        return None

    def wake_ns(self, budget: Budget) -> int:
        """Return when to look again: something may be sent then, or is given up. Not to be asked of an empty one."""
        return min(
            min(waiting.gives_up_ns, budget.free_ns(waiting.kind, urgent=waiting.urgent))
            for waiting in (*self._urgent, *self._others)
        )

    def items(self) -> list[Item]:
        """Return what waits, in order."""
        return [waiting.item for waiting in (*self._urgent, *self._others)]

    def drop(self, item: Item) -> bool:
        """Take a request out; False: it does not wait."""
        for waiting_ones in (self._urgent, self._others):
            for waiting in waiting_ones:
                if waiting.item is item:
                    waiting_ones.remove(waiting)
                    return True
        return False

    def expired(self, now_ns: int, budget: Budget) -> list[Item]:
        """Take out those that have waited too long, and those that would have to even if they were next."""
        given_up: list[Item] = []
        for waiting_ones in (self._urgent, self._others):
            for waiting in list(waiting_ones):
                free_ns = budget.free_ns(waiting.kind, urgent=waiting.urgent)
                if max(now_ns, free_ns) >= waiting.gives_up_ns:
                    waiting_ones.remove(waiting)
                    given_up.append(waiting.item)
        return given_up
