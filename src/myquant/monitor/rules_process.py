"""Rules on a session's process, its journal and its machine."""

from collections.abc import Iterator
from typing import Final

from myquant.core import codes
from myquant.monitor.faults import (
    CALM_NS,
    Fault,
    Look,
    beat_age_ns,
    differences_named,
    holding,
    is_lost,
    is_silent,
    is_simulated,
    last_word_ns,
    seconds_ns,
    told_s,
)
from myquant.monitor.finding import CRITICAL, INFO, WARNING
from myquant.monitor.standing import is_protected, protection
from myquant.monitor.view import LogLine, SessionView
from myquant.session.halts import HALTS, RESUME
from myquant.session.taking_up import segment_records_of

MIB: Final = 2**20
RECORDS_MIN: Final = 20_000  # a session closes its positions and leaves with 4,096
TEXT_MAX: Final = 160
_SAYS: Final = ("error", "why", "reason", "what")  # fields of a line that say what is wrong
_AT_ONCE: Final = (
    codes.BY_IMPOSSIBLE_EVENT,
    codes.BY_JOURNAL,
    codes.BY_FOREIGN_TRADE,
    codes.BY_UNPROTECTED,
    codes.BY_ORDER_CHANNEL,
    codes.BY_FENCE,
    codes.BY_BOOKS,
)
_SEVERITIES: Final = {
    **{codes.HALT_NAMES[code]: CRITICAL for code in _AT_ONCE},
    codes.HALT_NAMES[codes.BY_OPERATOR]: INFO,
    "flatten": INFO,
}
_FLATTEN: Final = ("every position is closed, and nothing is entered", RESUME)


def engine_dead(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find a process that went without a word."""
    process = view.lost_start or view.process
    if process is None or not is_lost(view, look.wall_ns):
        return
    held = holding(view)
    since_ns = last_word_ns(view)
    began = ", it died while it began" if view.lost_start is not None else ""
    if not held:
        yield Fault(f"its process {process.pid} is gone without a word{began}; it held nothing", since_ns)
        return
    if is_simulated(view):
        text = f"its process {process.pid} is gone without a word{began}; it holds {held} on paper; nothing is at the broker"
        yield Fault(text, since_ns, state=f"holds {held}")
        return
    state = f"holds {held}, {'protected' if is_protected(view) else 'not protected'}"
    cover = "; ".join(protection(view, symbol, units) for symbol, units in view.holds.items())
    yield Fault(f"its process is gone{began} and it holds {held}: {cover}".upper(), since_ns, state=state)


def engine_frozen(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find a process that lives and does nothing."""
    process = view.process
    if process is None or not is_silent(view, look):
        return
    held = _held(view)
    age_ns = beat_age_ns(view, look)
    since_ns = process.started_wall_ns if age_ns is None else view.beat_wall_ns
    if process.is_stopped:
        yield Fault(f"its process {process.pid} was stopped by a signal{held}", since_ns)
    elif age_ns is None:
        yield Fault(f"its process {process.pid} has begun and journals nothing{held}", since_ns)
    else:
        yield Fault(f"its process {process.pid} has journaled nothing for {told_s(age_ns)}{held}", since_ns)


def _held(view: SessionView) -> str:
    """Return what a session holds that does nothing, to go on a text with."""
    if not view.holds:
        return ""
    return f"; it holds {holding(view)} on paper" if is_simulated(view) else f"; IT HOLDS {holding(view)}"


def session_failed(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find a process that left with another code than 0."""
    if view.stopped_code and (view.holds or look.is_of_today(view)):
        held = _held(view)
        error = f": {_quoted(view.last_error)}" if view.last_error else ""
        yield Fault(f"it left with exit code {view.stopped_code}{error}{held}", last_word_ns(view), state=held)


def journal_damaged(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find a journal that can't be read to its end."""
    if view.damage and (view.ended_code is None or look.is_of_today(view)):
        yield Fault(_clipped(view.damage))


def journal_lag(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find records that wait to be read."""
    if view.unread_since_ns is None:
        return
    lag_ns = look.wall_ns - view.unread_since_ns
    if lag_ns >= seconds_ns(look.settings.journal_lag_s):
        yield Fault(f"what {look.around.who} knows is {told_s(lag_ns)} behind its journal", view.unread_since_ns)


def disk_low(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find a disk, or a journal, that has little room left."""
    free, least = view.disk_free_bytes, look.settings.disk_free_mib
    has_failed = view.stopped_code and look.is_of_today(view)  # perhaps for that, and it can't go on
    is_unseen = view.process is not None and view.process.is_unseen  # it may be dead for long
    if not (has_failed or (view.runs and not is_unseen and not is_silent(view, look))):
        return
    if free is not None and free < least * MIB:
        severity = CRITICAL if free * 10 < least * MIB else WARNING
        yield Fault(
            f"{free // MIB:,} MiB are free on its disk, fewer than {least:,}", subject="disk", severity=severity
        )
    left = view.records_left
    segment = segment_records_of(view.config.config.journal.segment_mib)  # so many are free once the next file is there
    if view.runs and left is not None and left < min(RECORDS_MIN, segment):
        text = f"its journal has room for {left:,} more records: the next file could not be made"
        yield Fault(text, subject="journal", severity=CRITICAL)


def queue_full(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find a hand-off that fills up."""
    each = view.telemetry
    if each is None or each.queue_room <= 0:
        return
    if 100 * each.queue_depth >= float(look.settings.queue_percent) * each.queue_room:
        percent = 100 * each.queue_depth / each.queue_room
        text = f"the hand-off from the feed is {percent:.0f} % full ({each.queue_depth:,} of {each.queue_room:,})"
        yield Fault(text, subject="handoff")


_LOST: Final = (
    ("frames", "queue_dropped", "frames of the feed found no room and were dropped", CRITICAL),
    ("log", "log_lost", "lines of its log were lost; they are in no file", WARNING),
    ("rows", "rows_lost", "rows of its files of ticks and decisions were lost; the journal has them", WARNING),
)


def ticks_dropped(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find what was lost within the last minute."""
    if view.telemetry is None:
        return
    for subject, field, text, severity in _LOST:
        if rise := look.risen(view, subject, getattr(view.telemetry, field)):
            yield Fault(f"{rise.risen:,} {text}", subject=subject, severity=severity)


def session_lost(view: SessionView, look: Look) -> Iterator[Fault]:  # noqa: ARG001  (one shape for all rules)
    """Find a session whose folder is gone though it may still hold something."""
    if view.gone_since_ns is None:
        return
    runs = f"its process {view.process.pid} runs" if view.process and view.runs else "no process of it runs"
    text = f"its folder {view.folder} is gone, or another session's; {runs}; it held {holding(view) or 'nothing'} when last seen"
    yield Fault(text, view.gone_since_ns)


def log_errors(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find new errors in its log."""
    if view.is_log_behind:  # what is read of it now may be of long ago
        look.memory.counters.pop((view.name, "errors"), None)
        return
    count = max(0, view.log_lines["error"] + view.log_lines["critical"] - view.halt_lines)  # `halted` says the others
    is_fresh = view.last_error is not None and 0 <= look.wall_ns - view.last_error.wall_ns < CALM_NS
    if rise := look.risen_in_all(view, "errors", count, count - 1 if is_fresh else count):
        last = f"; the last: {_quoted(view.last_error)}" if view.last_error else ""
        yield Fault(f"{rise.risen:,} new error line{'s' if rise.risen > 1 else ''} in its log{last}")


def latency_drift(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find a session that has become slower than its baseline."""
    if look.settings.drift and view.drift_percent is not None:
        text = f"its ticks take {view.drift_percent:.0f} % more time than the baseline's, the machine's speed taken out"
        yield Fault(text, view.drift_since_ns)


def replay_differs(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find a session whose replay decides otherwise."""
    if look.settings.replay and view.replay:
        yield Fault(_clipped(view.replay))


def halted(view: SessionView, look: Look) -> Iterator[Fault]:  # noqa: ARG001  (one shape for all rules)
    """Find entries that are halted."""
    if not view.halt:
        return
    code = next((code for code, name in codes.HALT_NAMES.items() if name == view.halt), None)
    known = HALTS.get(code) if code is not None else None
    why, remedy = known or (_FLATTEN if view.halt == "flatten" else ("", ""))
    since_ns = view.halt_since_ns
    if code is not None and since_ns is not None and (named := differences_named(view, since_ns, code)):
        why = f"{why}: {named}"
    text = f"entries are halted ({view.halt}){f': {why}' if why else ''}"
    severity = _SEVERITIES.get(view.halt, WARNING)
    yield Fault(text, since_ns, severity=severity, remedy=remedy, state=view.halt)


def _quoted(line: LogLine) -> str:
    """Return a line of the log in short, with the error that it names."""
    said = [str(line.fields[name]) for name in _SAYS if line.fields.get(name)]
    return _clipped(": ".join([line.event, *said]))


def _clipped(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= TEXT_MAX else f"{one_line[: TEXT_MAX - 3]}..."
