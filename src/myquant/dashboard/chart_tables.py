"""The figures of a session's pictures as rows of tables: for those who hear a page, and for those who want the figures.

`is_dated`: they are of more than one day.
"""

from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from myquant.dashboard.components import Row
from myquant.dashboard.figures import count, duration, gain, moment, rupees
from myquant.dashboard.series import Quantiles
from myquant.dashboard.trace_rows import (
    CLOCK,
    CLOSE,
    DAY_PNL,
    DRAWDOWN,
    EQUITY,
    HIGH,
    LOW,
    OPEN,
    SECOND,
    SECOND_NS,
    TICKS,
    Words,
)

ROWS_MAX: Final = 48


def price_rows(bars: Words, zone: ZoneInfo, *, is_dated: bool = False) -> list[Row]:
    """Return the prices of seconds (n, BAR_WORDS), neighbours taken together to ROWS_MAX rows at the most."""
    rows: list[Row] = []
    for part in np.array_split(bars, min(ROWS_MAX, len(bars)) or 1):
        if len(part):
            prices = (part[0, OPEN], part[:, HIGH].max(), part[:, LOW].min(), part[-1, CLOSE])
            begins = moment(int(part[0, SECOND]) * SECOND_NS, zone, is_dated=is_dated)
            figures = (*(rupees(int(price)) for price in prices), count(int(part[:, TICKS].sum())))
            rows.append((str(part[0, SECOND]), (begins, *figures)))
    return rows


def pnl_rows(ledgers: Words, zone: ZoneInfo, *, is_dated: bool = False) -> list[Row]:
    """Return the account (n, LEDGER_WORDS) at ROWS_MAX times at the most; the last is the newest."""
    if not len(ledgers):
        return []
    places = np.unique(np.linspace(0, len(ledgers) - 1, ROWS_MAX).astype(np.int64))
    return [
        (
            str(row[CLOCK]),
            (
                moment(row[CLOCK], zone, is_dated=is_dated),
                gain(row[DAY_PNL]),
                rupees(row[DRAWDOWN]),
                rupees(row[EQUITY]),
            ),
        )
        for row in ledgers[places].tolist()
    ]


def latency_rows(quantiles: Sequence[Quantiles], zone: ZoneInfo, *, is_dated: bool = False) -> list[Row]:
    """Return the newest ROWS_MAX percentiles."""
    return [
        (
            str(each.from_ns),
            (
                moment(each.from_ns, zone, is_dated=is_dated),
                count(each.n),
                *(duration(None if value is None else float(value)) for value in (each.p50, each.p99, each.p99_9)),
            ),
        )
        for each in quantiles[-ROWS_MAX:]
    ]
