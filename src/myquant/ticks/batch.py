"""A batch of ticks: columns of integers, and where each row came from."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from myquant.core.codes import NO_TIME, PRICE_NOT_FINITE, PRICE_UNPARSABLE

__all__ = [
    "COLUMNS",
    "EMPTY",
    "NO_TIME",
    "PRICE_NOT_FINITE",
    "PRICE_UNPARSABLE",
    "VOLUME_UNPARSABLE",
    "InstrumentName",
    "Ints",
    "TickBatch",
    "joined",
]

Ints: TypeAlias = NDArray[np.int64]

VOLUME_UNPARSABLE: Final = -1
EMPTY: Final[Ints] = np.empty(0, np.int64)


class InstrumentName(NamedTuple):
    """What a source calls an instrument: its symbol, and its exchange where the data names one."""

    symbol: str
    exchange: str | None = None


def _none() -> Ints:
    return EMPTY


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TickBatch:
    """Ticks in order of arrival: C-contiguous int64 columns of shape (n,).

    A row that could not be read is still here, with the codes below, so that one guard counts and refuses them all.
    Optional columns have length 0 where the whole source has none.
    """

    time_ns: Ints  # since the epoch, UTC; NO_TIME: unparsable
    price: Ints  # paise; PRICE_UNPARSABLE (also above ten crore rupees), PRICE_NOT_FINITE, or 0 for what is negative or rounds to nothing
    volume: Ints  # units; VOLUME_UNPARSABLE: not a whole number of at least 0
    bid: Ints = field(
        default_factory=_none
    )  # paise; 0: missing or unparsable. There is a bid column where there is an ask column
    ask: Ints = field(default_factory=_none)
    receive_ns: Ints = field(default_factory=_none)  # like time_ns
    instrument: Ints = field(default_factory=_none)  # index into the source's instruments; length 0: there is only one
    lines: Ints | range = range(0)  # 1-based line or row in its file; length 0: 1, 2, 3...
    files: Ints = field(default_factory=_none)  # index into `names`; length 0: all rows are of names[0]
    names: tuple[str, ...] = ("ticks",)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.time_ns)

    def where(self, row: int) -> tuple[str, int]:
        """Return the file and the 1-based line (or row, in a Parquet file or a frame) that a row came from."""
        name = self.names[self.files[row]] if len(self.files) else self.names[0]
        return name, int(self._all_lines()[row])

    def take(self, rows: slice | Ints) -> "TickBatch":
        """Return some rows, in the order given; a slice without a step shares this batch's memory."""
        lines = self._all_lines()
        picked = lines[rows] if isinstance(rows, slice) else np.asarray(lines)[rows]
        columns = {name: column[rows] for name in (*COLUMNS, "files") if len(column := getattr(self, name))}
        return replace(self, lines=picked, **columns)

    def _all_lines(self) -> Ints | range:
        return self.lines if len(self.lines) else range(1, len(self) + 1)


COLUMNS: Final = ("time_ns", "price", "volume", "bid", "ask", "receive_ns", "instrument")


def joined(batches: Sequence[TickBatch]) -> TickBatch:
    """Return the rows of all batches, one after the other; they have the same optional columns."""
    if len(batches) == 1:
        return batches[0]
    names = tuple(dict.fromkeys(name for batch in batches for name in batch.names))
    files = EMPTY
    if len(names) > 1:
        files = np.concatenate([_renumbered(batch, names) for batch in batches])
    lines = np.concatenate([np.asarray(batch._all_lines(), np.int64) for batch in batches])  # noqa: SLF001  (same class)
    columns = {name: np.concatenate([getattr(batch, name) for batch in batches]) for name in COLUMNS}
    return TickBatch(lines=lines, files=files, names=names, **columns)


def _renumbered(batch: TickBatch, names: tuple[str, ...]) -> Ints:
    files = batch.files if len(batch.files) else np.zeros(len(batch), np.int64)
    return np.array([names.index(name) for name in batch.names], np.int64)[files]
