"""How sessions do, in one word each and why: for people, cron jobs and services that ask now and then."""

import os
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypedDict

import myquant
from myquant.monitor.finding import DEGRADED, OK, VERDICT_OF, VERDICTS, Finding
from myquant.monitor.loop import Monitor
from myquant.monitor.metrics import PAISE, SECOND_NS, channel_up, feed_age_s, heartbeat_age_s, journal_lag_s
from myquant.monitor.view import SessionView
from myquant.session.log import utc_text

NO_MONITOR: Final = "no monitor runs: nobody is told when something happens; start `myquant monitor`"
LATE: Final = "the monitor's looks come late"
ENGINE_FROZEN: Final = "engine_frozen"  # the rule
OF_MONITOR: Final = "of the monitor itself"

# How a session stands.
RUNNING, FROZEN, DEAD, LEFT, ENDED, NOT_BEGUN = "running", "frozen", "dead", "left", "ended", "not begun"


class HealthReport(TypedDict):
    """What `/health` answers. Times are UTC; what is not known is null."""

    verdict: str
    reasons: list[str]
    looked_at: str
    monitor: dict[str, Any] | None  # None: none runs
    sessions: dict[str, dict[str, Any]]


def verdict_of(findings: Iterable[Finding]) -> str:
    """Return the worst that findings do to health."""
    return worst(VERDICT_OF[each.severity] for each in findings)


def worst(verdicts: Iterable[str]) -> str:
    """Return the worst of some verdicts; of none: ok."""
    return max(verdicts, key=VERDICTS.index, default=OK)


def health_of(monitor: Monitor, wall_ns: int, mono_ns: int, *, runs: bool, why_alone: str = NO_MONITOR) -> HealthReport:
    """Return how all sessions stand; `runs`: a monitor is at work, and not a single look of somebody who asks, `why_alone`."""
    findings = monitor.findings
    faults = [each for each in findings if VERDICT_OF[each.severity] != OK]
    reasons = [f"{each.session}: {each.text}" if each.session else each.text for each in faults]
    verdict = verdict_of(findings)
    is_late = runs and monitor.is_late()
    for is_so, reason in ((not runs, why_alone), (is_late, LATE), *((True, each) for each in monitor.shortfalls)):
        if is_so:
            reasons.append(reason)
            verdict = worst((verdict, DEGRADED))
    about = {
        "pid": os.getpid(),
        "version": myquant.__version__,
        "looks": monitor.looks.count,
        "errors": dict(monitor.looks.errors),
        "sessions": dict(monitor.discovery.counts),
        "is_late": is_late,
    }
    return HealthReport(
        verdict=verdict,
        reasons=reasons,
        looked_at=utc_text(wall_ns),
        monitor=about if runs else None,
        sessions={name: _session(view, findings, wall_ns, mono_ns) for name, view in monitor.views.items()},
    )


def state_of(view: SessionView) -> str:
    """Return how a session stands, in a word or two."""
    if view.runs:
        return RUNNING
    if view.is_dead:
        return DEAD
    if view.ended_code is not None:
        return ENDED
    return NOT_BEGUN if view.process is None else LEFT


def _session(view: SessionView, findings: Iterable[Finding], wall_ns: int, mono_ns: int) -> dict[str, Any]:
    own = [each for each in findings if each.session == view.name]
    error = view.last_error
    state = state_of(view)
    if state == RUNNING and any(each.rule == ENGINE_FROZEN for each in own):
        state = FROZEN
    is_awake = state == RUNNING  # else what was known of its connections is not known any more
    return {
        "verdict": verdict_of(own),
        "findings": [_finding(each) for each in own],
        "state": state,
        "kind": view.kind,
        "pid": None if view.process is None else view.process.pid,
        "heartbeat_age_s": _rounded(heartbeat_age_s(view, wall_ns, mono_ns)),
        "feed": {
            "stale": view.feed_stale if is_awake else None,
            "age_s": _rounded(feed_age_s(view, mono_ns)),
            "connections": {str(number): healthy for number, healthy in sorted(view.connections.items()) if is_awake},
            "market_open": view.is_market_open,
        },
        "order_channel_up": channel_up(view) if is_awake else None,
        "journal": {
            "records": view.records,
            "lag_s": _rounded(journal_lag_s(view, wall_ns)),
            "free_records": view.records_left,
            "damage": view.damage or None,
        },
        "disk_free_bytes": view.disk_free_bytes,
        "clock_offset_s": None if view.delay_min_ns is None else _rounded(view.delay_min_ns / SECOND_NS),
        "last_error": None if error is None else {"time": utc_text(error.wall_ns), "event": error.event},
        "halted": view.halt or None,
        "positions": view.holds,
        "day_pnl_rupees": None if view.ledger is None else view.ledger.day_pnl / PAISE,
        "trades": view.trades,
    }


def _finding(each: Finding) -> dict[str, str]:
    fields: Mapping[str, str] = {
        "rule": each.rule,
        "subject": each.subject,
        "severity": each.severity,
        "text": each.text,
        "remedy": each.remedy,
        "since": utc_text(each.since_ns),
    }
    return dict(fields)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
