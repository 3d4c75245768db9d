"""What is known of a session by what was read of it: what is not known yet, or not any more, is not shown as if it were."""

from myquant.journal.record import Ledger
from myquant.monitor.view import SessionView


def is_being_read(view: SessionView) -> bool:
    """Return whether a session's journal was not read to its end yet since the pages began: it may have ended long ago."""
    return view.unread_since_ns is not None if view.process is None else view.process.is_unseen


def known_ledger(view: SessionView) -> Ledger | None:
    """Return how a session's account stands; None: not known, as where its journal is damaged (it has gone on since) or being read."""
    return None if view.damage or is_being_read(view) else view.ledger


def stands_still(view: SessionView) -> bool:
    """Return whether a session's process was stopped by a signal."""
    return view.process is not None and view.runs and view.process.is_stopped
