"""Ticks of several files or instruments in one order: by time, then by order of files, then of rows.

A row stands at its key: the latest time that its instrument had in its file up to that row. So a row whose own time is
unparsable or goes back stays behind the row it came after. Before an instrument's first time, the key is that of the
row before.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from myquant.core.codes import NO_TIME
from myquant.ticks.batch import Ints, TickBatch, joined
from myquant.ticks.compiled import kept


class Keyed(NamedTuple):
    """Rows of one file and their keys, shape (n,)."""

    batch: TickBatch
    keys: Ints


class Keys:
    """The keys of one file's batches, in order."""

    def __init__(self) -> None:
        """Begin before the file's first row."""
        self.in_order = True  # of all rows so far
        self._latest_ns = np.full(1, NO_TIME, np.int64)  # of each instrument
        self._previous = np.full(1, NO_TIME, np.int64)

    def of(self, batch: TickBatch) -> Ints:
        """Return the keys of the file's next rows."""
        more = int(batch.instrument.max(initial=0)) + 1 - len(self._latest_ns)
        self._latest_ns = np.pad(self._latest_ns, (0, max(more, 0)), constant_values=NO_TIME)
        keys = np.empty(len(batch), np.int64)
        before = self._previous[0]
        _fill_keys(batch.time_ns, batch.instrument, self._latest_ns, self._previous, keys)
        self.in_order = self.in_order and bool(keys[0] >= before and (keys[1:] >= keys[:-1]).all())
        return keys


@kept
def _fill_keys(time_ns: Ints, instrument: Ints, latest_ns: Ints, previous: Ints, keys: Ints) -> None:
    for i in range(time_ns.shape[0]):
        who = instrument[i] if instrument.shape[0] > 0 else 0
        latest_ns[who] = max(latest_ns[who], time_ns[i])
        if latest_ns[who] != NO_TIME:
            previous[0] = latest_ns[who]
        keys[i] = previous[0]


def in_key_order(parts: Iterator[Keyed], batch_rows: int) -> Iterator[Keyed]:
    """Yield one file's rows by key, rows of one key as they stood. Holds the whole file in memory."""
    read = list(parts)
    batch = joined([part.batch for part in read])
    keys = np.concatenate([part.keys for part in read])
    order = np.argsort(keys, kind="stable")
    for begin in range(0, len(order), batch_rows):
        rows = order[begin : begin + batch_rows]
        yield Keyed(batch.take(rows), keys[rows])


def merged(files: Sequence[Iterator[Keyed]]) -> Iterator[TickBatch]:
    """Yield the rows of files, each in order of its keys, by key, then file, then row. Holds one batch of each file."""
    heads = [next(file, None) for file in files]
    while any(head is not None for head in heads):
        # No file can bring a key below this one any more, nor, if it stands before the owner, this one.
        bound, owner = min((int(head.keys[-1]), i) for i, head in enumerate(heads) if head is not None)
        parts = []
        for i, head in enumerate(heads):
            if head is None:
                continue
            count = int(np.searchsorted(head.keys, bound, side="right" if i <= owner else "left"))
            if count:
                parts.append(_cut(head, slice(count)))
            heads[i] = _cut(head, slice(count, None)) if count < len(head.keys) else next(files[i], None)
        yield _woven(parts)


def _cut(part: Keyed, rows: slice) -> Keyed:
    return Keyed(part.batch.take(rows), part.keys[rows])


def _woven(parts: list[Keyed]) -> TickBatch:
    batch = joined([part.batch for part in parts])
    if len(parts) == 1:
        return batch
    return batch.take(np.argsort(np.concatenate([part.keys for part in parts]), kind="stable"))
