"""From the fields of one file to batches: what all formats share."""

from typing import NamedTuple, Protocol

import numpy as np

from myquant.errors import DataError
from myquant.ticks.batch import EMPTY, NO_TIME, PRICE_UNPARSABLE, Ints, TickBatch
from myquant.ticks.columns import Column, Layout


class Labels(NamedTuple):
    """A column of texts: shape (n,) of indexes into `texts`; -1, or a text that is empty: there is none."""

    codes: Ints
    texts: list[str]


class Fields(Protocol):
    """Some rows of one file, read column by column; each array is a new int64 one of shape (n,)."""

    def prices(self, column: Column) -> Ints:
        """Return paise, or the codes of `TickBatch.price`."""

    def volumes(self, column: Column) -> Ints:
        """Return units, or VOLUME_UNPARSABLE."""

    def times(self, column: Column, clock: Column | None, unit_ns: Ints) -> Ints:
        """Return UTC nanoseconds, or NO_TIME; `unit_ns`, shape (1,), remembers the unit of epoch numbers (0: open)."""

    def labels(self, column: Column) -> Labels:
        """Return texts without the space around them."""


class RowReader:
    """Makes the batches of one file, in order: keeps the units its numbers turned out to have, and its instruments."""

    def __init__(self, name: str, layout: Layout) -> None:
        """Read the file `name`, whose columns are those of `layout`."""
        self.symbols: list[str] = []  # in order of first appearance
        self.exchanges: list[str | None] = []  # of each symbol; of the only instrument where there is no symbol column
        self._name = name
        self._layout = layout
        self._time_unit_ns = np.array([layout.time.unit_ns], np.int64)
        self._receive_unit_ns = np.array([layout.receive_time.unit_ns if layout.receive_time else 0], np.int64)
        self._ids: dict[str, int] = {}
        self._latest = 0

    def batch(self, fields: Fields, lines: Ints | range) -> TickBatch:
        """Return the batch of the file's next rows; `instrument` counts within this file.

        A row without a symbol, in a file that has the column, is unparsable and stays with the row before it.
        Raises DataError for a symbol on two exchanges.
        """
        layout = self._layout
        time_ns = fields.times(layout.time, layout.clock, self._time_unit_ns)
        price = fields.prices(layout.price)
        instrument = EMPTY
        if layout.symbol is not None:
            instrument, missing = self._instruments(fields.labels(layout.symbol))
            time_ns[missing] = NO_TIME
            price[missing] = PRICE_UNPARSABLE
        elif layout.exchange is not None and not self.exchanges:
            self.exchanges.append(None)
        if layout.exchange is not None:
            self._note_exchanges(instrument, fields.labels(layout.exchange))
        bid = ask = receive_ns = EMPTY
        if layout.bid is not None or layout.ask is not None:
            bid, ask = (_quotes(fields, column, len(price)) for column in (layout.bid, layout.ask))
        if layout.receive_time is not None:
            receive_ns = fields.times(layout.receive_time, None, self._receive_unit_ns)
        return TickBatch(
            time_ns=time_ns,
            price=price,
            volume=fields.volumes(layout.volume),
            bid=bid,
            ask=ask,
            receive_ns=receive_ns,
            instrument=instrument,
            lines=lines,
            names=(self._name,),
        )

    def _instruments(self, labels: Labels) -> tuple[Ints, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
        """Return each row's instrument, and which rows name none."""
        unknown = [code for code, text in enumerate(labels.texts) if text and text not in self._ids]
        if unknown:
            present, first_row = np.unique(labels.codes, return_index=True)
            for code in present[np.argsort(first_row)]:
                if code in unknown and labels.texts[code] not in self._ids:
                    self._ids[labels.texts[code]] = len(self.symbols)
                    self.symbols.append(labels.texts[code])
                    self.exchanges.append(None)
        ids = np.array([self._ids.get(text, -1) for text in labels.texts] + [-1], np.int64)[labels.codes]
        missing = ids < 0
        if missing.any():
            row = np.maximum.accumulate(np.where(missing, -1, np.arange(len(ids))))
            ids = np.where(row < 0, self._latest, ids[row])
        self._latest = int(ids[-1])
        return ids, missing

    def _note_exchanges(self, instrument: Ints, labels: Labels) -> None:
        count = len(labels.texts) + 1
        rows = instrument if len(instrument) else np.zeros(len(labels.codes), np.int64)
        for pair in np.flatnonzero(np.bincount(rows * count + labels.codes + 1)).tolist():
            who, exchange = pair // count, ["", *labels.texts][pair % count]
            if not exchange or who >= len(self.exchanges):
                continue
            known = self.exchanges[who] or exchange
            if known != exchange:
                symbol = self.symbols[who] if self.symbols else "the instrument"
                raise DataError(
                    f"{self._name}: {symbol} is on two exchanges, {known} and {exchange}; give them two symbols"
                )
            self.exchanges[who] = known


def _quotes(fields: Fields, column: Column | None, count: int) -> Ints:
    return np.zeros(count, np.int64) if column is None else np.maximum(fields.prices(column), 0)
