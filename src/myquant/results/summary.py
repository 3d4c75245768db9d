"""The summary of a run: every figure of `summary.json`. docs/outputs.md says what each key means."""

import json
from datetime import tzinfo
from itertools import groupby
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from myquant.core import codes
from myquant.results.curve import Curve, equity_curve
from myquant.results.note import billed_charges
from myquant.results.record import RunRecord
from myquant.results.units import day_numbers, iso_time, mean_rupees, percent, quotient, rupees

SCHEMA_VERSION: Final = 1


def summary(record: RunRecord) -> dict[str, Any]:
    """Return the figures of a run, ready for JSON: rupees with two decimals, None where a figure is undefined.

    The same record gives the same bytes; nothing else enters.
    """
    zone = ZoneInfo(record.time_zone)
    curve = equity_curve(record)
    return {
        "schema_version": SCHEMA_VERSION,
        "strategy": record.strategy,
        "symbols": list(record.symbols),
        "time_zone": record.time_zone,
        "first_tick": iso_time(record.first_ns, zone),
        "last_tick": iso_time(record.last_ns, zone),
        **_results(record),
        **_wins_and_losses(record),
        **_risk(record),
        "charges_paid": _charges_paid(record),
        "contract_notes": _contract_notes(record),
        "exits": _by_code(record.trades, "reason", codes.EXIT_NAMES),
        "by_symbol": _by_code(record.trades, "instrument", dict(enumerate(record.symbols))),
        "days": _days(record, curve),
        "open_positions": _open_positions(record, zone),
        "halts": _halts(record, zone),
        "ticks": _ticks(record),
        "orders": _orders(record),
        "gates": _counted(record, codes.COUNT_GATES, codes.GATE_NAMES),
        "denied_entries": _counted(record, codes.COUNT_DENIED, codes.DENIAL_NAMES),
        "notices": list(record.notices),
        "config_hash": record.config_hash,
        "input_hash": record.input_hash,
        "engine_hash": record.engine_hash,
        "versions": dict(sorted(record.versions.items())),
    }


def summary_json(figures: dict[str, Any]) -> str:
    """Return a summary as the text of `summary.json`."""
    return json.dumps(figures, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _sum(rows: np.ndarray[Any, Any], name: str) -> int:
    return int(rows[name].sum())


def _group(rows: np.ndarray[Any, Any]) -> dict[str, Any]:
    return {
        "trades": len(rows),
        "gross_pnl": rupees(_sum(rows, "gross")),
        "charges": rupees(_sum(rows, "charges")),
        "net_pnl": rupees(_sum(rows, "net")),
    }


def _by_code(rows: np.ndarray[Any, Any], field: str, names: dict[int, str]) -> dict[str, Any]:
    present = np.unique(rows[field]).tolist()
    return {names[code]: _group(rows[rows[field] == code]) for code in present}


def _results(record: RunRecord) -> dict[str, Any]:
    account, start = record.account, record.initial_capital
    final = account.cash + account.open_value
    return {
        **_group(record.trades),
        "positions": account.positions,
        "initial_cash": rupees(start),
        "final_cash": rupees(account.cash),
        "initial_equity": rupees(start),
        "final_equity": rupees(final),
        "return_percent": percent(final - start, start),
    }


def _wins_and_losses(record: RunRecord) -> dict[str, Any]:
    rows = record.trades
    net = rows["net"]
    won, lost = net[net > 0], net[net < 0]
    wins, losses = int(won.sum()), int(lost.sum())
    of_positions = _closed_positions(record)
    charges, quantity = _sum(rows, "charges"), _sum(rows, "quantity")
    return {
        "winning_trades": len(won),
        "losing_trades": len(lost),
        "win_rate_percent": percent(len(won), len(rows)),
        "winning_positions": int((of_positions > 0).sum()),
        "losing_positions": int((of_positions < 0).sum()),
        "position_win_rate_percent": percent(int((of_positions > 0).sum()), len(of_positions)),
        "profit_factor": quotient(wins, -losses),
        "average_win": mean_rupees(wins, len(won)),
        "average_loss": mean_rupees(losses, len(lost)),
        "largest_win": rupees(won.max()) if len(won) else None,
        "largest_loss": rupees(lost.min()) if len(lost) else None,
        "expectancy": mean_rupees(int(net.sum()), len(rows)),
        "longest_losing_run": max((len(list(run)) for losing, run in groupby((net < 0).tolist()) if losing), default=0),
        "cost_per_trade": mean_rupees(charges, len(rows)),
        # A point of slippage a side takes two rupees from every unit sold.
        "break_even_slippage_points": quotient(int(net.sum()), 200 * quantity),
    }


def _closed_positions(record: RunRecord) -> np.ndarray[Any, Any]:
    """Return the net P&L of every position that has been closed wholly, paise."""
    still_open = [position.position_id for position in record.open_positions]
    rows = record.trades[~np.isin(record.trades["position_id"], still_open)]
    ids, place = np.unique(rows["position_id"], return_inverse=True)
    net = np.zeros(len(ids), dtype=np.int64)
    np.add.at(net, place, rows["net"])
    return net


def _risk(record: RunRecord) -> dict[str, Any]:
    account = record.account
    ticks, held = (int(record.counts[:, place].sum()) for place in (codes.COUNT_TICKS, codes.COUNT_OPEN_TICKS))
    return {
        "max_drawdown": rupees(account.max_drawdown),
        "max_drawdown_percent": percent(account.max_drawdown, account.drawdown_peak or record.initial_capital),
        "exposure_percent": percent(held, ticks),
    }


def _charges_paid(record: RunRecord) -> dict[str, Any]:
    account = record.account
    parts = {
        "brokerage": account.brokerage,
        "exchange": account.exchange_charges,
        "sebi": account.sebi_fees,
        "stt": account.stt,
        "stamp": account.stamp_duty,
        "gst": account.gst,
    }
    return {name: rupees(amount) for name, amount in (parts | {"total": sum(parts.values())}).items()}


def _contract_notes(record: RunRecord) -> dict[str, Any] | None:
    billed = billed_charges(record)
    if billed is None:
        return None
    account = record.account
    booked = account.brokerage + account.exchange_charges + account.sebi_fees
    booked += account.stt + account.stamp_duty + account.gst
    return {"charges": rupees(billed), "difference": rupees(billed - booked)}


def _days(record: RunRecord, curve: Curve) -> list[dict[str, Any]]:
    exits, entries, points = (
        day_numbers(times, record.days, record.time_zone)
        for times in (record.trades["time_ns"], record.openings["time_ns"], curve.time_ns)
    )
    rows = []
    equity = record.initial_capital
    for number, day in enumerate(record.days):
        seen = np.concatenate([[equity], curve.equity[points == number]])
        equity = int(seen[-1])
        rows.append(
            {
                "date": day.isoformat(),
                **_group(record.trades[exits == number]),
                "positions": int((entries == number).sum()),
                "final_equity": rupees(equity),
                "max_drawdown": rupees((np.maximum.accumulate(seen) - seen).max()),
            }
        )
    return rows


def _open_positions(record: RunRecord, zone: tzinfo) -> list[dict[str, Any]]:
    return [
        {
            "position_id": position.position_id,
            "symbol": position.symbol,
            "quantity": position.quantity,
            "entry_time": iso_time(position.entry_time_ns, zone),
            "entry_price": rupees(position.entry_price),
            "last_price": rupees(position.last_price),
            "open_pnl": rupees(position.open_pnl),
        }
        for position in record.open_positions
    ]


def _halts(record: RunRecord, zone: tzinfo) -> list[dict[str, Any]]:
    columns = (record.halts[name].tolist() for name in ("time_ns", "instrument", "reason"))
    return [
        {
            "time": iso_time(time_ns, zone),
            "symbol": record.symbols[instrument] if instrument >= 0 else None,
            "reason": codes.HALT_NAMES[reason],
        }
        for time_ns, instrument, reason in zip(*columns, strict=True)
    ]


def _counted(record: RunRecord, first: int, names: dict[int, str]) -> dict[str, int]:
    return {name: int(record.counts[:, first + code].sum()) for code, name in names.items()}


def _ticks(record: RunRecord) -> dict[str, Any]:
    rejected = _counted(record, codes.COUNT_REJECTED, codes.REJECTION_NAMES)
    total = record.counts.sum(axis=0)
    return {
        "used": int(total[codes.COUNT_TICKS]),
        "rejected": sum(rejected.values()),
        "off_grid": int(total[codes.COUNT_OFF_GRID]),
        "quote_fallbacks": int(total[codes.COUNT_QUOTE_FALLBACK]),
        "rejected_by_reason": {
            reason: {
                "count": count,
                "examples": [
                    {"file": example.file, "line": example.line} for example in record.rejected_examples.get(reason, ())
                ],
            }
            for reason, count in rejected.items()
        },
    }


def _orders(record: RunRecord) -> dict[str, int]:
    total = record.counts.sum(axis=0)
    return {
        "sent": record.account.orders - int(total[codes.COUNT_NOT_SENT]),
        "rejected": int(total[codes.COUNT_ORDER_REJECTS]),
        "not_sent": int(total[codes.COUNT_NOT_SENT]),
        "stale_answers": int(total[codes.COUNT_STALE_ORDER_EVENT]),
    }
