"""An alert: a fault that people are told of, from its raise to its end; and what is told, before it is a message."""

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, Self

from myquant.monitor.finding import CRITICAL, SEVERITIES, Finding
from myquant.monitor.message import Message

# What is told of an alert.
RAISED: Final = "raised"
AGAIN: Final = "raised again"  # it had ended, and came back
RISEN: Final = "risen"  # its severity
CHANGED: Final = "changed"  # its reason, or how far it has gone
REPEATED: Final = "still there"
RESOLVED: Final = "resolved"
ENDED: Final = "ended"  # nobody looks for it any more, as the session has left: resolved by nobody
OVER: Final = (RESOLVED, ENDED)


@dataclass
class Alert:
    """An alert. Times: the machine's clock, UTC, ns; None: not so."""

    number: int
    rule: str
    session: str
    subject: str
    severity: str
    text: str
    remedy: str
    since_ns: int
    raised_ns: int
    ended_ns: int | None = None  # when it was found no more
    resolved_ns: int | None = None  # when it was over for good
    comebacks: int = 0
    repeats: int = 0
    told_ns: int | None = None  # the last time
    told: list[str] = field(default_factory=list)  # channels that know of it
    is_over_told: bool = False  # its end was told
    acknowledged_ns: int | None = None
    note: str = ""  # of who acknowledged it
    kind: str = ""  # of the session
    stand: str = ""  # what it holds, and what protects it
    states: list[str] = field(default_factory=list)  # that were told, the last one last
    end: str = ""  # why it is over though nobody has resolved it; "": it is resolved, or there
    routing: str = ""  # the channels of the settings when it was last seen to that those of its severity know of it

    @classmethod
    def of(cls, number: int, found: Finding, now_ns: int) -> Self:
        """Return the alert of a finding that is new."""
        alert = cls(number, *found[:6], since_ns=found.since_ns, raised_ns=now_ns)
        alert.kind, alert.stand, alert.states = found.kind, found.stand, [found.state]
        return alert

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same fault."""
        return self.rule, self.session, self.subject

    @property
    def is_firing(self) -> bool:
        """Whether the fault is there."""
        return self.ended_ns is None

    def what_is_new(self, found: Finding) -> str:
        """Return what is to be told of its fault as it is found now; "": nothing.

        What is critical and comes back is told where it is otherwise than when it was told last, or somebody saw to it.
        """
        if SEVERITIES.index(found.severity) > SEVERITIES.index(self.severity):
            return RISEN
        is_grave = not self.is_firing and found.severity == CRITICAL
        if not self.is_firing and (self.is_over_told or (is_grave and self.acknowledged_ns is not None)):
            return AGAIN
        return "" if found.state in (self.states[-1:] if is_grave else self.states) else CHANGED


@dataclass
class Notice:
    """Something to tell on one channel. `number`: of the alert; 0: it is news."""

    what: str  # RAISED..., or the kind of the news
    number: int
    rule: str
    session: str
    severity: str
    text: str
    remedy: str
    since_ns: int
    at_ns: int
    kind: str = ""  # of the session
    stand: str = ""  # what it holds, and what protects it

    @property
    def is_fault(self) -> bool:
        """Whether it tells of a fault that is there."""
        return self.number > 0 and self.what not in OVER


@dataclass
class Outbox:
    """What waits for one channel, and when it was told something."""

    waiting: list[Notice] = field(default_factory=list)
    sent_ns: list[int] = field(default_factory=list)  # within the last hour
    dropped: int = 0  # notices that were too many to wait


def as_text(value: Any) -> str:
    """Return a dataclass of this file as JSON."""
    return json.dumps(asdict(value), ensure_ascii=False)


def alert_of(text: str) -> Alert:
    """Return an alert from its JSON; fields that are not known are left out."""
    table = json.loads(text)
    return Alert(**{each.name: table[each.name] for each in fields(Alert) if each.name in table})


def outbox_of(text: str) -> Outbox:
    """Return an outbox from its JSON."""
    table = json.loads(text)
    return Outbox([Notice(**each) for each in table["waiting"]], table["sent_ns"], table["dropped"])


def message_of(text: str) -> Message:
    """Return a message from its JSON. Raises ValueError, TypeError or KeyError for one that can't be told."""
    table = json.loads(text)
    if table["severity"] not in SEVERITIES:
        raise ValueError(table["severity"])
    return Message(**{**table, "alert_ids": tuple(table["alert_ids"])})
