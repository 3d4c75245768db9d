"""All rules on all sessions: what is wrong now."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Final

from myquant.config.watching import MonitorSettings
from myquant.monitor.faults import (
    HELD,
    SECOND_NS,
    Around,
    Fault,
    Look,
    Memory,
    Unasked,
    is_beginning,
    is_cut_off,
    is_silent,
    is_simulated,
)
from myquant.monitor.finding import CRITICAL, SEVERITIES, WARNING, Finding, plain
from myquant.monitor.rules import ALL, HEARD, RULE_FAILED, RULES, RUNNING, Rule
from myquant.monitor.standing import standing
from myquant.monitor.view import SessionView

LAG: Final = "journal_lag"
ALONE: Final = Around()
BEHIND_NS: Final = 30 * SECOND_NS  # so long what was found of a session holds on, while its journal is read
GRAVE: Final = ("books_differ", "order_unknown", "halted")  # matter to a person after the session has left, too
LEFT: Final = "the session has left"
DAY_OVER: Final = "its day is over"
# Where fills are simulated, no money is at stake: a warning at most. An engine that dies is critical all the same: it is what a
# session with real orders would do, and nobody is to learn only then that he is told.
OF_MONEY: Final = frozenset(("position_bare", "order_channel_down", "feed_stale", "feed_age", "day_loss"))
OF_PROCESS: Final = frozenset(("engine_dead", "engine_frozen", "session_failed"))
FLATTEN: Final = "in doubt `myquant flatten`"
BY_HAND: Final = "in doubt close in the broker's own app"


def judge(
    views: Mapping[str, SessionView],
    settings: MonitorSettings,
    now_wall_ns: int,
    now_mono_ns: int,
    *,
    memory: Memory | None = None,
    around: Around = ALONE,
    rules: Mapping[str, Rule] = RULES,
) -> list[Finding]:
    """Return what is wrong, the worst first.

    `memory` is kept from look to look: without it nothing is known to last, and looks never come late. A rule that fails is a
    finding of its own, and keeps no other from being asked. What is known of a session whose journal is being read is old, and
    no fault of today: what was found of it before holds on meanwhile. `memory.unasked` says of what nothing can be known now.
    """
    memory = Memory() if memory is None else memory
    memory.forget(view.name for view in views.values())
    memory.began_mono_ns = now_mono_ns if memory.began_mono_ns is None else memory.began_mono_ns
    look = Look(settings, now_wall_ns, now_mono_ns, memory, around, views)
    found: dict[tuple[str, str, str], Finding] = {}
    memory.unasked = {
        (name, view.name): unasked
        for name, rule in rules.items()
        if rule.of_session is not None
        for view in views.values()
        if (unasked := _unasked(name, rule, view, look)) is not None
    }
    for name, rule in rules.items():
        for session, faults in _questions(rule, look):
            for finding in _findings(name, rule, session, faults, look):
                found.setdefault(finding.key, finding)
    for view in views.values():
        if is_behind(view, look):
            found |= {each.key: each for each in memory.found.get(view.name, []) if each.rule != LAG}
    memory.first_ns = {key: finding.since_ns for key, finding in found.items()}
    memory.found = {}
    for finding in found.values():
        memory.found.setdefault(finding.session, []).append(finding)
    return sorted(found.values(), key=lambda each: (-SEVERITIES.index(each.severity), each.since_ns, each.key))


def is_behind(view: SessionView, look: Look) -> bool:
    """Whether a session's journal has not been read to its end, and that has not lasted for long yet."""
    return view.unread_since_ns is not None and 0 <= look.wall_ns - view.unread_since_ns < BEHIND_NS


def _questions(rule: Rule, look: Look) -> Iterator[tuple[str, Callable[[], Iterable[Fault]]]]:
    """Yield what a rule is to be asked: a session's name and the question."""
    if rule.of_monitor is not None:
        yield "", partial(rule.of_monitor, look)
    if rule.of_session is not None:
        for view in look.views.values():
            if (rule is RULES[LAG] or not is_behind(view, look)) and _is_asked(rule, view, look):
                yield view.name, partial(rule.of_session, view, look)


def _is_asked(rule: Rule, view: SessionView, look: Look) -> bool:
    if rule.asked_of == ALL:
        return True
    if rule.asked_of == HEARD and view.stopped_code is not None:
        return True
    runs = view.runs and view.process is not None and not view.process.is_unseen  # else it may be dead for long
    return runs and (rule.asked_of == RUNNING or not is_silent(view, look))


def _unasked(name: str, rule: Rule, view: SessionView, look: Look) -> Unasked | None:
    """Return what becomes of a rule's alerts of which nothing can be known now; None: all is known."""
    if rule is not RULES[LAG] and is_behind(view, look):
        return HELD
    if _is_asked(rule, view, look):
        return HELD if rule.asked_of != ALL and is_beginning(view, look) else None
    is_gone = view.ended_code is not None or view.stopped_code is not None
    if view.process is None or not (is_gone or view.is_dead):  # it is frozen, or was not looked at
        return HELD
    if not (look.is_of_today(view) or (view.is_dead and view.holds)):
        return Unasked(end=f"{LEFT}, and {DAY_OVER}" if is_gone else DAY_OVER)
    if not is_gone:
        return HELD
    return Unasked(CRITICAL if name in GRAVE else "", LEFT)


def _findings(
    name: str, rule: Rule, session: str, question: Callable[[], Iterable[Fault]], look: Look
) -> Iterator[Finding]:
    view, under_way = look.views.get(session), None
    try:
        for fault in question():
            under_way = _finding(name, rule, session, fault, look)
            yield under_way if view is None else _of_session(under_way, view)
            under_way = None
    except Exception as error:  # noqa: BLE001  (a defect in one rule must not blind the others)
        look.memory.unasked[name, session] = HELD
        if under_way is not None:  # what the session holds can't be said; the fault is told all the same
            yield under_way
        failed = Fault(f"rule {name} failed: {type(error).__name__}", subject=name)
        yield _finding(RULE_FAILED, RULES[RULE_FAILED], session, failed, look)


def _finding(name: str, rule: Rule, session: str, fault: Fault, look: Look) -> Finding:
    key = name, session, fault.subject
    since_ns = look.memory.first_ns.get(key, look.wall_ns) if fault.since_ns is None else fault.since_ns
    severity, remedy = fault.severity or rule.severity, fault.remedy or rule.remedy
    kind = look.views[session].kind if session in look.views else ""
    return Finding(
        name, session, fault.subject, severity, fault.text, remedy, since_ns, kind, state=fault.state
    ).made_plain()


def _of_session(found: Finding, view: SessionView) -> Finding:
    """Return a finding as it is for its session: what is at stake, what it holds, what can be done there."""
    severity, remedy = found.severity, found.remedy
    if is_simulated(view) and found.rule in OF_MONEY | OF_PROCESS:
        severity = WARNING if severity == CRITICAL and found.rule in OF_MONEY else severity
        remedy = remedy.split("; in doubt")[0]
    elif is_cut_off(view):
        remedy = remedy.replace(FLATTEN, BY_HAND)
    stand = standing(view) if severity == CRITICAL or view.holds else ""
    return found._replace(severity=severity, remedy=remedy, stand=plain(stand))
