"""Columns of Arrow arrays (from Parquet files and frames) as integers."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.types as kind
from numpy.typing import NDArray

from myquant.errors import DataError
from myquant.ticks.batch import NO_TIME, PRICE_NOT_FINITE, PRICE_UNPARSABLE, VOLUME_UNPARSABLE, Ints
from myquant.ticks.columns import Column
from myquant.ticks.parse import MAX_WHOLE, parse_prices, parse_volumes
from myquant.ticks.parse_time import epoch_to_ns, parse_dates_and_clocks, parse_times
from myquant.ticks.rows import Labels
from myquant.ticks.zone import utc_from_local

NS_PER: Final = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
# How far a float's product with a power of ten may lie from the product of the decimal that it stands for.
RELATIVE_ERROR: Final = {"float32": 2.0**-22, "float64": 2.0**-50}


class ArrowFields:
    """The columns of one record batch (see `rows.Fields`). Raises DataError for a column of a type that can't be read."""

    def __init__(self, batch: pa.RecordBatch, zone: ZoneInfo, where: str) -> None:
        """Take the columns by name; naive times are local ones of `zone`; errors begin with `where`."""
        names = [name.strip().lower() for name in batch.schema.names]
        self._arrays = dict(zip(names, batch.columns, strict=True))
        self._zone = zone
        self._where = where

    def prices(self, column: Column) -> Ints:
        array = self._array(column)
        if kind.is_integer(array.type):
            values, missing = _integers(array)
            limit = MAX_WHOLE // 10**column.decimals
            too_large = values.max(initial=0) > limit
            out = np.maximum(values, 0, out=_new(len(values)))
            if too_large:
                out[values > limit] = 0
            if column.decimals:
                out *= 10**column.decimals
            if too_large:
                out[values > limit] = PRICE_UNPARSABLE
            out[missing] = PRICE_UNPARSABLE
            return out
        if kind.is_float32(array.type) or kind.is_float64(array.type):
            out = _paise_of_floats(_floats(array), column.decimals)
            out[np.asarray(array.is_null())] = PRICE_UNPARSABLE
            return out
        out = _new(len(array))
        parse_prices(*self._text(column, array), column.decimals, out)
        return out

    def volumes(self, column: Column) -> Ints:
        array = self._array(column)
        if kind.is_integer(array.type) or kind.is_float32(array.type) or kind.is_float64(array.type):
            values, missing = _integers(array)
            out = np.maximum(values, VOLUME_UNPARSABLE, out=_new(len(values)))
            out[missing] = VOLUME_UNPARSABLE
            if out.max(initial=0) > MAX_WHOLE:
                out[out > MAX_WHOLE] = VOLUME_UNPARSABLE
            return out
        out = _new(len(array))
        parse_volumes(*self._text(column, array), out)
        return out
