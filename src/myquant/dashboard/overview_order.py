"""The order of sessions on the overview, and what their day comes to: real money first, and apart from what is simulated."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from myquant.dashboard.components import Cell, pnl
from myquant.dashboard.figures import gain
from myquant.dashboard.known import known_ledger
from myquant.monitor.faults import is_simulated
from myquant.monitor.finding import VERDICTS
from myquant.monitor.view import SessionView
from myquant.results.text import counted

SECOND_NS: Final = 1_000_000_000
USUAL: Final = "usual"
ORDERS: Final = {
    USUAL: "running, real first",
    "name": "name",
    "pnl": "P&L, the worst first",
    "health": "health, the worst first",
}

VerdictOf = Callable[[str], str]


def in_order(views: Sequence[SessionView], order: str, verdict_of: VerdictOf) -> list[SessionView]:
    """Return sessions in an order of `ORDERS`; of another name, the usual one."""
    keys: Mapping[str, Callable[[SessionView], Any]] = {
        "name": lambda view: view.name,
        "pnl": _known_first,
        "health": lambda view: -VERDICTS.index(verdict_of(view.name)),
    }

    def usual(view: SessionView) -> tuple[Any, ...]:
        return not view.runs, is_simulated(view), -(view.began_wall_ns or 0), view.name

    return sorted(sorted(views, key=usual), key=keys.get(order, usual))


def totals(views: Sequence[SessionView], zone: ZoneInfo, now_ns: int) -> dict[str, Cell]:
    """Return the P&L of the day over sessions, those with real orders first; of neither kind where there is none.

    Of the day are those that run, and those that wrote last today by the machine's clock.
    """
    of_day = [view for view in views if view.runs or _is_of_today(view, zone, now_ns)]
    kinds = {
        "P&L of the day, REAL ORDERS": [view for view in of_day if not is_simulated(view)],
        "P&L of the day, simulated": [view for view in of_day if is_simulated(view)],
    }
    return {name: _sum(chosen) for name, chosen in kinds.items() if chosen}


def _known_first(view: SessionView) -> tuple[bool, int]:
    ledger = known_ledger(view)
    return ledger is None, 0 if ledger is None else ledger.day_pnl


def _sum(views: Sequence[SessionView]) -> Cell:
    known = [ledger.day_pnl for ledger in map(known_ledger, views) if ledger is not None]
    over = f"over {counted(len(views), 'session')}"
    missing = len(views) - len(known)
    if not known:
        return Cell(f"not known, {over}")
    sum_cell = pnl(gain(sum(known)))
    unknown = f", {missing:,} of them not known" if missing else ""
    return Cell(f"Rs {sum_cell.text} {over}{unknown}", style=sum_cell.style)


def _is_of_today(view: SessionView, zone: ZoneInfo, now_ns: int) -> bool:
    if view.written_wall_ns is None:
        return False
    written, now = (datetime.fromtimestamp(each // SECOND_NS, zone).date() for each in (view.written_wall_ns, now_ns))
    return written == now
