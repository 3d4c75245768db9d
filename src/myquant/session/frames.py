"""The ticks of a running session as a frame, for analysis of one's own. Nothing of the engine's reads it.

Columns: `time` (Datetime ns in the session's zone), `symbol`, `price`, `volume`, `bid`, `ask`; prices in rupees, null where
there is no quote. The ticks that an earlier process of the session took come first. A day's ticks are its bound: 600,000
take some 40 MB.
"""

from collections.abc import Sequence
from struct import Struct
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from myquant.session.tick_row import TickRow

_COLUMNS: Final = 6  # time_ns, instrument, price, volume, bid, ask
_PUT: Final = Struct(f"={_COLUMNS}q").pack_into
_ROW_BYTES: Final = 8 * _COLUMNS


class Frames(Protocol):
    """Keeps ticks as a frame."""

    def recall(self, rows: Sequence[TickRow]) -> None:
        """Take ticks of an earlier process, before any other."""

    def take(self, row: TickRow) -> None:
        """Take a tick."""

    def frame(self) -> pl.DataFrame:
        """Return what there is; it does not change any more."""

    def close(self) -> None:
        """Make the last frame: of all ticks."""


class _Kept:
    """The frame, and how ticks become one."""

    def __init__(self, symbols: Sequence[str], zone: ZoneInfo) -> None:
        self._symbols = pl.Series("symbol", symbols, pl.String)
        self._names = tuple(symbols)
        self._zone = zone.key
        self._schema: dict[str, pl.DataType | type[pl.DataType]] = {
            "time": pl.Datetime("ns", zone.key),
            "symbol": pl.String,
            "price": pl.Float64,
            "volume": pl.Int64,
            "bid": pl.Float64,
            "ask": pl.Float64,
        }
        self._frame = pl.DataFrame(schema=self._schema)

    def recall(self, rows: Sequence[TickRow]) -> None:
        """Take ticks of an earlier process, before any other."""
        if rows:
            table = np.array([(row[3], row[1], *row[5:]) for row in rows], np.int64)
            self._frame = pl.concat([self._frame, self._made(table)], rechunk=True)

    def frame(self) -> pl.DataFrame:
        """Return what there is; it does not change any more."""
        return self._frame.clone()

    def _made(self, table: np.ndarray[Any, Any]) -> pl.DataFrame:
        """Return ticks as a frame: int64 of shape (n, `_COLUMNS`), copied."""
        time_ns, who, price, volume, bid, ask = np.ascontiguousarray(table.T)
        time = pl.Series("time", time_ns).cast(pl.Datetime("ns", "UTC")).dt.convert_time_zone(self._zone)
        traded = [pl.Series("price", price / 100), pl.Series("volume", volume)]
        return pl.DataFrame([time, self._symbols.gather(who), *traded, _quotes("bid", bid), _quotes("ask", ask)])


def _quotes(name: str, paise: np.ndarray[Any, Any]) -> pl.Series:
    return pl.Series(name, paise / 100).set(pl.Series(paise == 0), None)


class AppendedFrame(_Kept):
    """Grown by each tick: a frame of one row, put behind the others."""

    def take(self, row: TickRow) -> None:
        """Take a tick."""
        _, who, _, time_ns, _, price, volume, bid, ask = row
        values = (
            time_ns,
            self._names[who],
            price / 100,
            volume,
            bid / 100 if bid else None,
            ask / 100 if ask else None,
        )
        self._frame.extend(pl.DataFrame([values], schema=self._schema, orient="row"))

    def close(self) -> None:
        """Make the last frame: it is there."""


class BatchedFrame(_Kept):
    """Kept in column buffers, of which a frame is made every `every` ticks: `frame` returns the last one."""

    def __init__(self, symbols: Sequence[str], zone: ZoneInfo, every: int) -> None:
        super().__init__(symbols, zone)
        self._every = every
        self._count = 0
        self._table = np.zeros((every, _COLUMNS), np.int64)
        self._bytes = self._table.data.cast("B")

    def take(self, row: TickRow) -> None:
        """Take a tick."""
        _PUT(self._bytes, self._count * _ROW_BYTES, row[3], row[1], row[5], row[6], row[7], row[8])
        self._count += 1
        if self._count == self._every:
            self._make()

    def close(self) -> None:
        """Make the last frame: of all ticks."""
        if self._count:
            self._make()

    def _make(self) -> None:
        self._frame.vstack(self._made(self._table[: self._count]), in_place=True)
        self._count = 0
