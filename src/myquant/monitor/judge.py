"""All rules on all sessions: what is wrong now."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Final

from myquant.config.watching import MonitorSettings
from myquant.monitor.faults import SECOND_NS, Around, Fault, Look, Memory, is_silent
from myquant.monitor.finding import SEVERITIES, Finding
from myquant.monitor.rules import ALL, RULE_FAILED, RULES, RUNNING, Rule
from myquant.monitor.view import SessionView

LAG: Final = "journal_lag"
ALONE: Final = Around()
BEHIND_NS: Final = 30 * SECOND_NS  # so long what was found of a session holds on, while its journal is read


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
    no fault of today: what was found of it before holds on meanwhile.
    """
    memory = Memory() if memory is None else memory
    memory.forget(view.name for view in views.values())
    look = Look(settings, now_wall_ns, now_mono_ns, memory, around, views)
    found: dict[tuple[str, str, str], Finding] = {}
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
    runs = view.runs and view.process is not None and not view.process.is_unseen  # else it may be dead for long
    return runs and (rule.asked_of == RUNNING or not is_silent(view, look))


def _findings(
    name: str, rule: Rule, session: str, question: Callable[[], Iterable[Fault]], look: Look
) -> Iterator[Finding]:
    try:
        for fault in question():
            yield _finding(name, rule, session, fault, look)
    except Exception as error:  # noqa: BLE001  (a defect in one rule must not blind the others)
        failed = Fault(f"rule {name} failed: {type(error).__name__}", subject=name)
        yield _finding(RULE_FAILED, RULES[RULE_FAILED], session, failed, look)


def _finding(name: str, rule: Rule, session: str, fault: Fault, look: Look) -> Finding:
    key = name, session, fault.subject
    since_ns = look.memory.first_ns.get(key, look.wall_ns) if fault.since_ns is None else fault.since_ns
    severity, remedy = fault.severity or rule.severity, fault.remedy or rule.remedy
    return Finding(name, session, fault.subject, severity, fault.text, remedy, since_ns).made_plain()
