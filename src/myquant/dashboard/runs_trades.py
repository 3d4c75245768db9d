"""The trades of two runs, matched: the same entry of the same symbol, then its exits in their order."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any, Final

from myquant.dashboard.runs_read import RunTrade

ROWS_MAX: Final = 200  # pairs that are kept: counts tell of the others

SAME: Final = "same"
DIFFERENT: Final = "different"
ONLY_A: Final = "only in A"
ONLY_B: Final = "only in B"

_COMPARED: Final = ("exit_ns", "quantity", "entry_price", "exit_price", "net", "reason")


@dataclass(frozen=True)
class TradePair:
    """A trade that is not the same in both. `differs`: in which fields; none where a side has no such trade."""

    what: str
    a: RunTrade | None
    b: RunTrade | None
    differs: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        sides = {name: None if side is None else side._asdict() for name, side in (("a", self.a), ("b", self.b))}
        return {"what": self.what, **sides, "differs": list(self.differs)}


@dataclass(frozen=True)
class TradesCompared:
    """How many trades are the same, and the first `ROWS_MAX` of those that are not, by their entries."""

    same: int
    different: int
    only_a: int
    only_b: int
    pairs: tuple[TradePair, ...]

    @property
    def unequal(self) -> int:
        """How many pairs are not the same."""
        return self.different + self.only_a + self.only_b

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "pairs": [pair.as_dict() for pair in self.pairs]}


def match_trades(a: Sequence[RunTrade], b: Sequence[RunTrade]) -> TradesCompared:
    """Match the trades of two runs: those of an entry at the same time in the same symbol, the first exit with the first."""
    entries: dict[tuple[int, str], tuple[list[RunTrade], list[RunTrade]]] = defaultdict(lambda: ([], []))
    for place, trades in enumerate((a, b)):
        for trade in trades:
            entries[trade.entry_ns, trade.symbol][place].append(trade)
    pairs = [
        _pair(one, other)
        for entry in sorted(entries)
        for one, other in zip_longest(*(sorted(side) for side in entries[entry]))
    ]
    counts = {what: sum(pair.what == what for pair in pairs) for what in (SAME, DIFFERENT, ONLY_A, ONLY_B)}
    unequal = [pair for pair in pairs if pair.what != SAME]
    return TradesCompared(counts[SAME], counts[DIFFERENT], counts[ONLY_A], counts[ONLY_B], tuple(unequal[:ROWS_MAX]))


def _pair(a: RunTrade | None, b: RunTrade | None) -> TradePair:
    if a is None or b is None:
        return TradePair(ONLY_B if a is None else ONLY_A, a, b)
    differs = tuple(name for name in _COMPARED if getattr(a, name) != getattr(b, name))
    return TradePair(DIFFERENT if differs else SAME, a, b, differs)
