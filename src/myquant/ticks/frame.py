"""Ticks from a frame in memory: polars or pandas."""

import sys
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from myquant.errors import ConfigError, DataError
from myquant.ticks.columns import has_time, layout_of
from myquant.ticks.source import BATCH_ROWS, TickSource
from myquant.ticks.zone import zone_of

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

NAME = "the frame"


def source_from_frame(
    frame: "pl.DataFrame | pd.DataFrame", *, time_zone: str, symbol: str, batch_rows: int = BATCH_ROWS
) -> TickSource:
    """Return a frame as a source: the same columns, rules and errors as of a file; rows count from 1.

    A pandas frame without a time column has its DatetimeIndex for it. A missing value of pandas (NaN) is unparsable.
    Raises DataError for a frame that can't be used, ConfigError for anything that is no frame or an unknown zone.
    """
    zone = zone_of(time_zone)
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")  # who has a frame has imported its library
    if polars is not None and isinstance(frame, polars.DataFrame):
        table = frame.to_arrow()
    elif pandas is not None and isinstance(frame, pandas.DataFrame):
        table = _table_of_pandas(frame)
    else:
        raise ConfigError(
            f"ticks: expected a path, a list of paths, a polars or a pandas DataFrame, got {type(frame).__name__}"
        )
    return _source(table, zone, symbol, batch_rows)


def _source(table: "pa.Table", zone: ZoneInfo, symbol: str, batch_rows: int) -> TickSource:
    from myquant.ticks.arrow_file import TableFile  # noqa: PLC0415  (Arrow's import takes 0.15 s)

    return TickSource([TableFile(table, zone, NAME)], [symbol], batch_rows=batch_rows)


def _table_of_pandas(frame: Any) -> "pa.Table":
    import pandas as pd  # noqa: PLC0415  (only where a pandas frame was given)
    import pyarrow as pa  # noqa: PLC0415  (Arrow's import takes 0.15 s)

    names = [str(name) for name in frame.columns]
    if isinstance(frame.index, pd.DatetimeIndex) and not has_time(names):
        frame = frame.assign(timestamp=frame.index)
        names.append("timestamp")
    wanted = [column.place for column in layout_of(names, NAME).columns()]  # other columns may be of any type
    try:
        return pa.Table.from_pandas(frame.iloc[:, wanted].rename(columns=str), preserve_index=False)
    except pa.ArrowException as error:
        raise DataError(f"{NAME}: {' '.join(str(error).split())}; give each column one type") from error
