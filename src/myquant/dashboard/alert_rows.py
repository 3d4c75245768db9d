"""Alerts and messages as rows of tables, and which of the alerts that are over somebody wants to see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from myquant.dashboard.components import Cell, Row, light
from myquant.dashboard.figures import count
from myquant.dashboard.frame import session_url
from myquant.monitor.alert import Alert
from myquant.monitor.alert_list import ChannelState, Sent, outcome_of, state_of
from myquant.monitor.finding import SEVERITIES
from myquant.monitor.spool import DELIVERED, GIVEN_UP
from myquant.results.text import NOTHING, date_time

ACTIVE_COLUMNS: Final = ("Severity", "#Number", "State", "Since", "Of", "What", "What to do", "#Came back")
SEEN_COLUMNS: Final = (*ACTIVE_COLUMNS, "Acknowledged", "Note")
HISTORY_COLUMNS: Final = ("Severity", "#Number", "Since", "Over", "How", "Of", "What", "#Came back", "Note")
CHANNEL_COLUMNS: Final = ("Channel", "#Waiting", "#Delivered", "#Given up", "Last delivered", "Last failure")
SENT_COLUMNS: Final = ("When", "Channel", "Severity", "Message", "What became of it", "#Attempts", "Answer")
PAGE_ROWS: Final = 50
SHOWN_MAX: Final = 100  # rows of a table that lasts
ANY: Final = ""
FIELD_MAX: Final = 100


@dataclass(frozen=True)
class HistoryQuery:
    """Which alerts that are over are wanted; "": any. `page`: from 1."""

    text: str = ANY
    severity: str = ANY
    session: str = ANY
    page: int = 1

    @classmethod
    def of(cls, params: Mapping[str, str]) -> "HistoryQuery":
        """Return what the address asks; what it asks that can't be is any."""
        severity, page = params.get("severity", ANY), params.get("page", "1")
        is_page = page.isascii() and page.isdigit() and len(page) < len("1000000")
        return cls(
            params.get("text", ANY).strip()[:FIELD_MAX],
            severity if severity in SEVERITIES else ANY,
            params.get("session", ANY).strip()[:FIELD_MAX],
            max(1, int(page)) if is_page else 1,
        )

    def url(self, page: int) -> str:
        """Return where another page of the same is."""
        asked = {"text": self.text, "severity": self.severity, "session": self.session}
        return (
            "/alerts?" + urlencode({name: each for name, each in asked.items() if each} | {"page": page}) + "#history"
        )

    def has(self, alert: Alert) -> bool:
        """Return whether an alert is wanted."""
        words = f"{alert.rule} {alert.subject} {alert.text} {alert.note}".lower()
        return (
            self.text.lower() in words
            and self.severity in (ANY, alert.severity)
            and self.session.lower() in alert.session.lower()
        )


@dataclass(frozen=True)
class Sorted:
    """Alerts by what is to be done: those nobody has seen to, the gravest first; those that somebody sees to; those that are over."""

    active: list[Alert]
    seen: list[Alert]
    over: list[Alert]


def sorted_out(alerts: Sequence[Alert]) -> Sorted:
    """Return alerts by what is to be done; those that are over with the latest first."""
    lasting = [each for each in alerts if each.resolved_ns is None]
    grave = sorted(lasting, key=lambda each: (-_rank(each.severity), -each.since_ns))
    over = sorted((each for each in alerts if each.resolved_ns is not None), key=lambda each: -(each.resolved_ns or 0))
    return Sorted(
        [each for each in grave if each.acknowledged_ns is None],
        [each for each in grave if each.acknowledged_ns is not None],
        over,
    )


def active_row(alert: Alert, zone: ZoneInfo) -> Row:
    """Return the row of an alert that lasts."""
    state = "firing" if alert.is_firing else f"over: {alert.end or 'it may come back'}"
    return str(alert.number), (
        light(alert.severity),
        count(alert.number),
        state,
        when(alert.since_ns, zone),
        _of(alert),
        _what(alert),
        alert.remedy or NOTHING,
        count(alert.comebacks),
    )


def seen_row(alert: Alert, zone: ZoneInfo) -> Row:
    """Return the row of an alert that somebody sees to."""
    key, cells = active_row(alert, zone)
    return key, (*cells, when(alert.acknowledged_ns, zone), alert.note or NOTHING)


def over_row(alert: Alert, zone: ZoneInfo) -> Row:
    """Return the row of an alert that is over."""
    return str(alert.number), (
        light(alert.severity),
        count(alert.number),
        when(alert.since_ns, zone),
        when(alert.ended_ns or alert.resolved_ns, zone),
        f"{state_of(alert)}: {alert.end}" if alert.end else state_of(alert),
        _of(alert),
        _what(alert),
        count(alert.comebacks),
        alert.note or NOTHING,
    )


def channel_row(each: ChannelState, zone: ZoneInfo) -> Row:
    """Return the row of a channel."""
    is_failing = each.failed_ns is not None and each.failed_ns > (each.delivered_ns or 0)
    failure = NOTHING if each.failed_ns is None else f"{when(each.failed_ns, zone)}: {each.failure or 'no answer'}"
    return each.channel, (
        each.channel,
        count(each.waiting),
        count(each.delivered),
        count(each.given_up),
        when(each.delivered_ns, zone),
        Cell(failure, style="failed" if is_failing else ""),
    )


def sent_row(each: Sent, zone: ZoneInfo) -> Row:
    """Return the row of a message."""
    style = {DELIVERED: "ok", GIVEN_UP: "failed"}.get(each.state, "quiet")
    return str(each.number), (
        when(each.ended_ns or each.tried_ns or each.posted_ns, zone),
        each.channel,
        light(each.severity),
        each.title,
        Cell(outcome_of(each), style=style),
        count(each.attempts),
        each.answer or NOTHING,
    )


def when(time_ns: int | None, zone: ZoneInfo) -> str:
    """Return a time; a dash where it is not known, or is none that a calendar has."""
    try:
        return NOTHING if time_ns is None else date_time(time_ns, zone)
    except (ValueError, OverflowError, OSError):
        return NOTHING


def _of(alert: Alert) -> Cell:
    return Cell(alert.session, session_url(alert.session)) if alert.session else Cell("the machine, the monitor")


def _what(alert: Alert) -> str:
    subject = f" {alert.subject}" if alert.subject else ""
    return f"{alert.rule}{subject}: {alert.text}"


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)
