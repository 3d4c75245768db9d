"""Columns of Arrow arrays (from Parquet files and frames) as integers."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.types as kind
from numpy.typing import NDArray

from myquant.errors import DataError
from myquant.ticks.batch import EMPTY, NO_TIME, PRICE_NOT_FINITE, PRICE_UNPARSABLE, VOLUME_UNPARSABLE, Ints
from myquant.ticks.columns import Column
from myquant.ticks.parse import MAX_PRICE, MAX_WHOLE, parse_prices, parse_volumes
from myquant.ticks.parse_time import EPOCH_MAX_NS, epoch_to_ns, parse_dates_and_clocks, parse_times
from myquant.ticks.rows import Labels
from myquant.ticks.zone import utc_from_local, utc_of

UTC_NS: Final = pa.timestamp("ns", "UTC")
NS_PER: Final = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
# How far a float's product with a power of ten may lie from the product of the decimal that it stands for.
RELATIVE_ERROR: Final = {"float32": 2.0**-22, "float64": 2.0**-50}


class ArrowFields:
    """The columns of one record batch (see `rows.Fields`). Raises DataError for a column of a type that can't be read."""

    def __init__(self, batch: pa.RecordBatch, zone: ZoneInfo, where: str, *, ours: bool = False) -> None:
        """Take the columns by name; naive times are local ones of `zone`; errors begin with `where`.

        `ours`: nobody else holds the batch's memory, so that a column which is as it should be needs no copy.
        """
        self._ours = ours
        names = [name.strip().lower() for name in batch.schema.names]
        self._arrays = dict(zip(names, batch.columns, strict=True))
        self._zone = zone
        self._where = where

    def prices(self, column: Column) -> Ints:
        """Return paise, or the codes of `TickBatch.price`; a float stands for its shortest decimal."""
        array = self._array(column)
        scale = 10**column.decimals
        if scale == 1 and (values := self._as_it_is(array, MAX_PRICE)) is not None:
            return values
        out = _new(len(array))
        if kind.is_integer(array.type):
            values, unreadable = _integers(array, MAX_PRICE // scale)
            np.maximum(values, 0, out=out)
            if scale > 1:
                out *= scale
            out[unreadable] = PRICE_UNPARSABLE
        elif kind.is_float32(array.type) or kind.is_float64(array.type):
            _round_floats(_floats(array), column.decimals, out)
            out[_nulls(array)] = PRICE_UNPARSABLE
        else:
            parse_prices(*self._text(column, array), column.decimals, out)
        return out

    def volumes(self, column: Column) -> Ints:
        """Return units, or VOLUME_UNPARSABLE."""
        array = self._array(column)
        if (values := self._as_it_is(array, MAX_WHOLE)) is not None:
            return values
        out = _new(len(array))
        if kind.is_integer(array.type) or kind.is_float32(array.type) or kind.is_float64(array.type):
            values, unreadable = _integers(array, MAX_WHOLE)
            np.maximum(values, VOLUME_UNPARSABLE, out=out)
            out[unreadable] = VOLUME_UNPARSABLE
        else:
            parse_volumes(*self._text(column, array), out)
        return out

    def times(self, column: Column, clock: Column | None, unit_ns: Ints) -> Ints:
        """Return UTC nanoseconds, or NO_TIME."""
        array = self._array(column)
        if self._ours and clock is None and array.type == UTC_NS and not array.null_count:
            return _memory_of(array)
        out = _new(len(array))
        if clock is not None:
            naive = np.zeros(len(out), np.bool_)
            dates = array.cast(pa.date32()) if kind.is_timestamp(array.type) else array
            parse_dates_and_clocks(*self._text(column, dates), *self._text(clock, self._array(clock)), out, naive)
            return utc_of(out, naive, self._zone)
        if kind.is_timestamp(array.type):
            _copy_timestamps(array, out)
            return out if array.type.tz is not None else utc_from_local(out, self._zone)
        if kind.is_integer(array.type) or kind.is_float32(array.type) or kind.is_float64(array.type):
            values, unreadable = _integers(array, EPOCH_MAX_NS)
            values = values.copy()
            values[unreadable] = -1
            epoch_to_ns(values, unit_ns, out)
            return out
        naive = np.zeros(len(out), np.bool_)
        if kind.is_date(array.type) or kind.is_time(array.type):
            raise self._unreadable(column, array.type)
        parse_times(*self._text(column, array), unit_ns, out, naive)
        return utc_of(out, naive, self._zone)

    def labels(self, column: Column) -> Labels:
        """Return texts without the space around them."""
        array = self._arrays[column.name]
        if not kind.is_dictionary(array.type):
            array = self._cast(column, array, pa.large_string()).dictionary_encode()
        texts = self._cast(
            column, self._cast(column, array.dictionary, pa.large_string()), pa.large_binary()
        ).to_pylist()
        codes = array.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
        return Labels(codes, [(text or b"").decode(errors="replace").strip() for text in texts])

    def _array(self, column: Column) -> Any:
        array = self._arrays[column.name]
        return array.dictionary_decode() if kind.is_dictionary(array.type) else array

    def _as_it_is(self, array: Any, largest: int) -> Ints | None:
        """Return a column's own memory if it holds int64 from 0 to `largest` and nothing else."""
        if not self._ours or array.type != pa.int64() or array.null_count or not len(array):
            return None
        values = _memory_of(array)
        return values if values.min() >= 0 and values.max() <= largest else None

    def _text(self, column: Column, array: Any) -> tuple[NDArray[np.uint8], Ints, Ints]:
        """Return the texts of an array as (bytes, starts, ends); a null is an empty one."""
        if kind.is_boolean(array.type) or kind.is_nested(array.type) or kind.is_duration(array.type):
            raise self._unreadable(column, array.type)
        array = self._cast(column, array, pa.large_string())
        _, offsets, content = array.buffers()
        text = np.frombuffer(content or b"", np.uint8).copy()
        # Arrow may leave out the offsets of an array without rows.
        bounds = np.frombuffer(offsets or bytes(8), np.int64)[array.offset : array.offset + len(array) + 1]
        starts, ends = bounds[:-1].copy(), bounds[1:].copy()
        nulls = _nulls(array)
        ends[nulls] = starts[nulls]
        return text, starts, ends

    def _cast(self, column: Column, array: Any, wanted: pa.DataType) -> Any:
        try:
            return array.cast(wanted)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise self._unreadable(column, array.type) from error

    def _unreadable(self, column: Column, found: pa.DataType) -> DataError:
        return DataError(
            f"{self._where}: column {column.name!r} holds {found}, which can't be read as what its name says;"
            " convert it to numbers, text or (a time) to timestamps"
        )


def _new(count: int) -> Ints:
    """Return an uninitialised column. From Arrow's pool: a fresh page from the system costs more than the decoding."""
    return np.frombuffer(pa.allocate_buffer(8 * count), np.int64)


class _Memory:
    """The values of an Arrow array of 64 bits each as NumPy may take them over, alive as long as NumPy holds on to it."""

    def __init__(self, array: Any) -> None:
        self._array = array
        start = array.buffers()[1].address + 8 * array.offset
        self.__array_interface__ = {"data": (start, False), "shape": (len(array),), "typestr": "<i8", "version": 3}


def _memory_of(array: Any) -> Ints:
    return np.asarray(_Memory(array))


def _nulls(array: Any) -> Ints:
    """Return the rows that are null."""
    return np.flatnonzero(array.is_null()) if array.null_count else EMPTY


def _filled(array: Any, value: float) -> Any:
    return array.fill_null(value) if array.null_count else array  # without a null it would copy


def _floats(array: Any) -> NDArray[Any]:
    floats: NDArray[Any] = _filled(array, 0.0).to_numpy(zero_copy_only=False)
    return floats


def _integers(array: Any, largest: int) -> tuple[Ints, Ints]:
    """Return the values of an array of integers or floats, and the rows that are null, not whole or too large."""
    values: NDArray[Any] = _filled(array, 0).to_numpy(zero_copy_only=False)
    nulls = _nulls(array)
    if values.dtype.kind == "f":
        bad = ~((np.floor(values) == values) & (np.abs(values) <= largest))
    elif values.max(initial=0) <= largest:
        return values.astype(np.int64, copy=False), nulls
    else:
        bad = values > largest
    bad[nulls] = True
    return np.where(bad, 0, values).astype(np.int64), np.flatnonzero(bad)


def _round_floats(floats: NDArray[Any], decimals: int, out: Ints) -> None:
    """Write floats times 10**decimals, half up, into `out`, each float being the shortest decimal that stands for it."""
    finite = np.isfinite(floats)
    scaled = np.where(finite, floats, 0.0).astype(np.float64) * 10**decimals
    fits = finite & (scaled <= 2 * MAX_PRICE)
    scaled = np.clip(scaled, 0.0, 2 * MAX_PRICE)
    down = np.floor(scaled)
    above_half = scaled - down - 0.5
    out[:] = down
    out += above_half >= 0
    doubtful = np.abs(above_half) <= np.maximum(1e-6, scaled * RELATIVE_ERROR[floats.dtype.name])
    for row in np.flatnonzero(doubtful & fits):
        exact = Decimal(str(floats[row])).scaleb(decimals)
        out[row] = max(0, int(exact.to_integral_value(ROUND_HALF_UP)))
    out[~fits | (out > MAX_PRICE)] = PRICE_UNPARSABLE
    out[~finite] = PRICE_NOT_FINITE


def _copy_timestamps(array: Any, out: Ints) -> None:
    """Write Arrow timestamps of any unit as nanoseconds into `out`; NO_TIME: null, or beyond what nanoseconds hold."""
    counts = _filled(array.view(pa.int64()), 0).to_numpy(zero_copy_only=False)
    unit_ns = NS_PER[array.type.unit]
    np.copyto(out, counts)
    if unit_ns > 1:
        limit = EPOCH_MAX_NS // unit_ns
        beyond = (counts > limit) | (counts < -limit)
        out *= unit_ns
        out[beyond] = NO_TIME
    out[_nulls(array)] = NO_TIME
