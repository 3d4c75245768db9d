"""The book of alerts for those who are not the monitor: what is in it, and saying that somebody sees to an alert."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from myquant.errors import ConfigError
from myquant.monitor.alert import Alert, alert_of
from myquant.monitor.book import ACK, ALERT, FILE, Book

NOTE_MAX: Final = 200
NOTE_RULE: Final = f"must be at most {NOTE_MAX} printable characters on one line"


def is_note(text: str) -> bool:
    """Return whether a text may be kept with an alert."""
    return len(text) <= NOTE_MAX and text.isprintable()


def alerts_of(folder: Path) -> list[Alert]:
    """Return all alerts of a monitor's folder, the oldest first, with what was acknowledged and not yet taken by the monitor.

    Raises MyquantError where the book can't be read.
    """
    if not (folder / FILE).exists():
        return []
    with Book(folder) as book:
        alerts = sorted(map(alert_of, book.rows(ALERT).values()), key=lambda alert: alert.number)
        acks = {key: json.loads(text) for key, text in book.rows(ACK).items()}
    for alert in alerts:
        if (found := acks.get(str(alert.number))) is not None and alert.resolved_ns is None:
            alert.acknowledged_ns, alert.note = found["at_ns"], found["note"]
    return alerts


def acknowledge(folder: Path, alerts: Sequence[Alert], note: str, now_ns: int) -> None:
    """Say that somebody sees to some alerts; without a note each keeps its own. Raises ConfigError where it can't be noted."""
    with Book(folder) as book:
        entries = {
            (ACK, str(alert.number)): json.dumps({"at_ns": now_ns, "note": note or alert.note}, ensure_ascii=False)
            for alert in alerts
        }
        if not book.write(entries, now_ns) and book.trouble:
            raise ConfigError(f"alerts ack: could not be noted ({book.trouble[1]}); try again")


def state_of_alert(alert: Alert) -> str:
    """Return how an alert stands: firing, acknowledged, ended or resolved."""
    if alert.resolved_ns is not None and not alert.end:
        return "resolved"
    if not alert.is_firing:  # lately, and it may come back; or nobody has resolved it
        return "ended"
    return "firing" if alert.acknowledged_ns is None else "acknowledged"
