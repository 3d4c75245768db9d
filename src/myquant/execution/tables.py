"""A report as JSON: rupees, seconds, times in UTC; null: not known."""

from typing import Any

from myquant.execution.figures import Cost, Slippage, Spread, Totals, points_of
from myquant.execution.life import Fill, Stamp
from myquant.execution.report import ExecutionReport, ForeignRow, OrderRow, utc_text

_RUPEE = 100
_SECOND_NS = 10**9


def table_of(report: ExecutionReport) -> dict[str, Any]:
    """Return the whole report."""
    return {
        "schema_version": report.schema_version,
        "session": report.session,
        "kind": report.kind,
        "broker": report.broker,
        "day": report.day,
        "days": list(report.days),
        "timezone": report.zone,
        "ended": report.ended,
        "shadow": report.shadow,
        "records": report.records,
        "troubles": list(report.troubles),
        "totals": totals_table(report.totals),
        "by_role": {name: totals_table(each) for name, each in report.by_role.items()},
        "by_instrument": {name: totals_table(each) for name, each in report.by_instrument.items()},
        "exit_reasons": dict(report.exit_reasons),
        "orders": [order_table(row) for row in report.orders],
        "foreign": [_foreign(row) for row in report.foreign],
        "checks": [
            {"name": check.name, "found": check.found, "due": check.due, "met": check.is_met} for check in report.checks
        ],
    }


def totals_table(totals: Totals) -> dict[str, Any]:
    """Return totals."""
    counts = {name: value for name, value in totals._asdict().items() if isinstance(value, int)}
    slippage = {name: _cost(cost) for name, cost in totals.slippage.items()}
    delays = {f"{name}_s": _spread(each, 1 / _SECOND_NS) for name, each in totals.delays.items()}
    return counts | {"value": _rupees(totals.value), "slippage": slippage, "delays": delays}


def order_table(row: OrderRow) -> dict[str, Any]:
    """Return an order."""
    life = row.life
    decision = life.decision
    return {
        "order_id": life.order_id,
        "symbol": life.symbol,
        "role": life.role,
        "reason": life.reason or None,
        "side": "buy" if life.side > 0 else "sell",
        "quantity": life.quantity,
        "limit_basis": _rupees(life.price),
        "trigger": _rupees(life.trigger),
        "state": life.state,
        "refusal": life.refusal or None,
        "decision_price": _rupees(life.decision_price),
        "last_price": None if decision is None else _rupees(decision.price),
        "bid": None if decision is None else _rupees(decision.bid),
        "ask": None if decision is None else _rupees(decision.ask),
        "decided": _stamp(None if decision is None else decision.at),
        "sent": _stamp(life.sent),
        "sent_last": _stamp(life.sent_last),
        "waited_s": _seconds(life.waited_ns),
        "slices": life.slices,
        "acknowledged": _stamp(life.acknowledged),
        "ended": _stamp(life.ended),
        "filled": life.filled,
        "value": _rupees(life.value),
        "average_price": round(life.value / life.filled / _RUPEE, 4) if life.filled else None,
        "fills": [_fill(fill) for fill in life.fills],
        "changes": {"asked": life.changes_asked, "made": life.changes_made, "refused": life.changes_refused},
        "cancels_asked": life.cancels_asked,
        "slippage": _slippage(row.slippage, life.filled),
        "delays": {f"{name}_s": _seconds(value) for name, value in row.delays._asdict().items()},
        "time_in_state_s": {name: _seconds(value) for name, value in row.in_states.items()},
    }


def _slippage(slippage: Slippage, units: int) -> dict[str, Any]:
    return {
        name: None if paise is None else {"rupees": _rupees(paise), "points": points_of(paise, units)}
        for name, paise in slippage._asdict().items()
    }


def _cost(cost: Cost) -> dict[str, Any]:
    return {"n": cost.n, "units": cost.units, "rupees": _rupees(cost.paise), "points": _spread(cost.points)}


def _spread(spread: Spread, scale: float = 1.0) -> dict[str, Any]:
    names = {"median": spread.median, "p95": spread.p95, "max": spread.maximum}
    return {"n": spread.n, **{name: None if v is None else round(v * scale, 9) for name, v in names.items()}}


def _fill(fill: Fill) -> dict[str, Any]:
    return {"units": fill.units, "value": _rupees(fill.value), "at": _stamp(fill.at)}


def _foreign(row: ForeignRow) -> dict[str, Any]:
    return {
        "time": utc_text(row.wall_ns),
        "source": row.source,
        "what": row.what,
        "symbol": row.symbol or None,
        "units": row.units,
        "value": _rupees(row.value),
        "price": round(row.value / abs(row.units) / _RUPEE, 4) if row.value is not None and row.units else None,
        "order": row.order or None,
    }


def _stamp(stamp: Stamp | None) -> dict[str, Any] | None:
    if stamp is None:
        return None
    return {"exchange": utc_text(stamp.time_ns), "machine": utc_text(stamp.wall_ns), "monotonic_ns": stamp.mono_ns}


def _rupees(paise: int | None) -> float | None:
    return None if paise is None else paise / _RUPEE


def _seconds(value_ns: int | None) -> float | None:
    return None if value_ns is None else value_ns / _SECOND_NS
