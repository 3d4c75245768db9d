"""How much of its limits a session has used."""

from myquant.dashboard.figures import rupees
from myquant.dashboard.known import known_ledger
from myquant.monitor.view import SessionView

PAISE = 100


def limits_used(view: SessionView) -> list[str]:
    """Return each limit that is set and what is used of it, in words; what is not known yet is a dash."""
    risk, ledger = view.config.config.risk, known_ledger(view)
    used: list[str] = []
    if limit := int(risk.max_day_loss * PAISE):
        loss = None if ledger is None else max(0, -ledger.day_pnl)
        percent = "" if loss is None else f" ({100 * loss / limit:.0f} %)"
        used.append(f"loss {rupees(loss)} of {rupees(limit)}{percent}")
    counts = (
        ("entries", None if ledger is None else ledger.entries_today, risk.max_positions_per_day),
        ("orders", None if ledger is None else ledger.orders_today, risk.max_orders_per_day),
        ("rejects in a row", None if ledger is None else ledger.rejects_in_row, risk.max_rejects),
    )
    used += [f"{name} {'–' if count is None else f'{count:,}'} of {most:,}" for name, count, most in counts if most]
    return used
