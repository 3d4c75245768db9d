"""What is known of a session's account, and how much of its limits it has used."""

from myquant.dashboard.figures import rupees
from myquant.journal.record import Ledger
from myquant.monitor.view import SessionView

PAISE = 100


def is_being_read(view: SessionView) -> bool:
    """Return whether a session's journal was not read to its end yet since the pages began: it may have ended long ago."""
    return view.unread_since_ns is not None if view.process is None else view.process.is_unseen


def known_ledger(view: SessionView) -> Ledger | None:
    """Return how a session's account stands; None: not known, as where its journal is damaged (it has gone on since) or being read."""
    return None if view.damage or is_being_read(view) else view.ledger


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
