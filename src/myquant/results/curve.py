"""The equity curve of a run, in paise."""

from typing import Any, NamedTuple

import numpy as np

from myquant.results.record import RunRecord


class Curve(NamedTuple):
    """The account over time, int64 columns of one length: times in ns since the epoch (never going back), paise."""

    time_ns: np.ndarray[Any, Any]
    cash: np.ndarray[Any, Any]
    equity: np.ndarray[Any, Any]
    drawdown: np.ndarray[Any, Any]  # below the highest equity of the rows so far


def equity_curve(record: RunRecord) -> Curve:
    """Return the account at the start, at every mark, entry and exit, and at the end; no row twice in a row.

    The order is that of the commands' sequence. A mark bears the time of its own instrument's last tick, while another
    may have traded since: a row never bears a time before that of the row above it.
    """
    sources = (record.openings, record.trades, record.marks)
    order = np.argsort(np.concatenate([source["sequence"] for source in sources]))

    def column(name: str, first: int, last: int) -> np.ndarray[Any, Any]:
        between = np.concatenate([source[name] for source in sources])[order]
        return np.concatenate([[first], between, [last]]).astype(np.int64)

    account = record.account
    time_ns = np.maximum.accumulate(column("time_ns", record.first_ns, record.last_ns))
    cash = column("cash", record.initial_capital, account.cash)
    equity = column("equity", record.initial_capital, account.cash + account.open_value)
    moved = (np.diff(time_ns) != 0) | (np.diff(cash) != 0) | (np.diff(equity) != 0)
    keep = np.concatenate([[True], moved])
    equity = equity[keep]
    return Curve(time_ns[keep], cash[keep], equity, np.maximum.accumulate(equity) - equity)
