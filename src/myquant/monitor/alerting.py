"""From findings and news to messages: an alert is raised once, told again while it lasts, and resolved to those who know.

All of it is on the disk before a message is handed to the courier, and a message stays in the book until the courier has it:
a monitor that is killed anywhere tells nothing twice, as the courier takes equal messages once, and loses nothing.
"""

import json
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import asdict
from datetime import tzinfo
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final, TypeVar

from myquant.config.watching import AlertSettings
from myquant.errors import ConfigError, MyquantError
from myquant.monitor import book as books
from myquant.monitor.alert import (
    ENDED,
    OVER,
    RAISED,
    REPEATED,
    RESOLVED,
    RISEN,
    Alert,
    Notice,
    Outbox,
    alert_of,
    as_text,
    message_of,
    outbox_of,
)
from myquant.monitor.book import Book, Row
from myquant.monitor.faults import Unasked
from myquant.monitor.finding import INFO, SEVERITIES, Finding
from myquant.monitor.message import Message
from myquant.monitor.outgoing import Outgoing
from myquant.monitor.rules import RULES
from myquant.monitor.view import News

CALM_NS: Final = 60 * 10**9  # a fault that comes back within this is the same alert
KEPT_NS: Final = 30 * 86_400 * 10**9  # an alert that is over stands in the book for so long
KEPT_MAX: Final = 5_000  # and so many
REWRITE_NS: Final = 10 * 10**9  # an alert's text has figures: so old they may be in the book
NEWS_MAX: Final = 500  # of which it is known that they were told
STATES_MAX: Final = 100  # of an alert, likewise
SWITCHES: Final = {"entry": "entries", "exit": "exits", "day_start": "days", "day_end": "days"}

CHANNEL_DOWN: Final = "channel_down"  # a rule, of which each subject is a channel
ASKED: Final = Unasked()
GONE: Final = Unasked(end="it is watched no more: its folder is gone, or old")
OFF: Final = Unasked(end="the rule is switched off")
REMOVED: Final = Unasked(end="the channel is configured no more")
ALL_ASKED: Final[Mapping[tuple[str, str], Unasked]] = MappingProxyType({})

T = TypeVar("T")
Post = Callable[[Message], object]


class Alerting:
    """Takes what was found at each look; hands messages to `post`.

    Args:
        settings: whom to tell of what.
        zone: of times that people read, and of the quiet hours.
        book: where all of it is kept; what is in it is taken up.
        post: takes a message for good; one that it has taken before, it leaves alone.

    Attributes:
        not_understood: kinds and keys of rows in the book that could not be.

    Raises:
        ConfigError: `alerts.off` names no rule, or quiet hours lack a beginning or an end.
    """

    def __init__(self, settings: AlertSettings, zone: tzinfo, book: Book, post: Post) -> None:
        for name in settings.off:
            refuse_unknown(name)
        self._settings = settings
        self._outgoing = Outgoing(settings, zone)
        self._book = book
        self._post = post
        self.not_understood: list[str] = []
        self._alerts = {alert.number: alert for alert in self._understood(books.ALERT, alert_of).values()}
        self._open = {alert.key: alert for alert in self._alerts.values() if alert.resolved_ns is None}
        self._boxes = self._understood(books.WAITING, outbox_of)
        self._ready = self._understood(books.READY, message_of)
        state: dict[str, Any] = self._understood(books.STATE, json.loads)
        self._last = max((int(state.get("last_number", 0)), *self._alerts))
        self._news: list[str] = state.get("news", [])
        self._has_news = False
        self._changes: dict[Row, str | None] = {}
        self._touched: set[int] = set()
        self._written_ns: dict[int, int] = {}  # when the text of an alert was, by its number
        self._filled: set[str] = set()  # channels whose box has changed
        self._routing = json.dumps([getattr(settings, severity) for severity in SEVERITIES])
        self._known = {channel for severity in SEVERITIES for channel in getattr(settings, severity)}
        self._forget_channels()

    def take(
        self,
        findings: Iterable[Finding],
        news: Iterable[News],
        now_ns: int,
        unasked: Mapping[tuple[str, str], Unasked] | None = ALL_ASKED,
        watched: Container[str] | None = None,
    ) -> None:
        """Take all that is wrong at this look, and what has happened since the last one; `now_ns`: the machine's clock.

        `unasked`: of which rules and sessions nothing is known now (None: of none); what was found of them is not over.
        `watched`: the sessions that are looked at; None: all that there are.
        """
        off = self._settings.off
        found = {each.key: each for each in findings if each.rule not in off}
        self._take_acks(now_ns)
        for finding in found.values():
            self._follow(finding, now_ns)
        for alert in [alert for key, alert in self._open.items() if key not in found]:
            self._miss(alert, self._unasked(alert, unasked, watched), now_ns)
        for each in news:
            self._tell_news(each, now_ns)
        self._gather(now_ns)
        self._save(now_ns)
        self._hand_over(now_ns)

    def firing(self) -> Counter[str]:
        """Return how many alerts there are now, by severity."""
        return Counter(
            {
                severity: sum(alert.is_firing and alert.severity == severity for alert in self._open.values())
                for severity in SEVERITIES
            }
        )

    def _kept(self, kind: str) -> dict[str, str]:
        """Return rows of the book; none where it can't be read, which the next write tells as `trouble`."""
        try:
            return self._book.rows(kind)
        except MyquantError:
            return {}

    def _understood(self, kind: str, parse: Callable[[str], T]) -> dict[str, T]:
        """Return rows of the book as they are meant; those that can't be understood, as of another version, are left out."""
        found: dict[str, T] = {}
        for key, text in self._kept(kind).items():
            try:
                found[key] = parse(text)
            except (ValueError, TypeError, KeyError, AttributeError):
                self.not_understood.append(f"{kind} {key}")
        return found

    def _forget_channels(self) -> None:
        """Forget that channels know of alerts that the settings have no more: one that is there again is told anew."""
        for alert in self._open.values():
            told = [channel for channel in alert.told if channel in self._known]
            if told != alert.told:
                alert.told = told
                self._touched.add(alert.number)

    def _unasked(
        self, alert: Alert, unasked: Mapping[tuple[str, str], Unasked] | None, watched: Container[str] | None
    ) -> Unasked | None:
        """Return why an alert is not found, where that is not that its fault is gone; None: nobody knows."""
        if alert.rule in self._settings.off:
            return OFF
        if alert.rule == CHANNEL_DOWN and alert.subject not in self._known:
            return REMOVED
        if unasked is None:
            return None
        return unasked.get((alert.rule, alert.session), GONE if _is_gone(alert, watched) else ASKED)

    def _follow(self, found: Finding, now_ns: int) -> None:
        """Raise an alert, or bring the one that there is up to date."""
        alert = self._open.get(found.key)
        if alert is None:
            self._last += 1
            alert = self._alerts[self._last] = self._open[found.key] = Alert.of(self._last, found, now_ns)
            alert.routing = self._routing
            self._put((books.STATE, "last_number"), str(self._last))
            self._tell(alert, RAISED, now_ns)
            return
        what = alert.what_is_new(found)
        self._renew(alert, found, now_ns)
        if alert.severity != found.severity:
            alert.severity = found.severity
            self._touched.add(alert.number)
        if not alert.is_firing:
            alert.ended_ns, alert.end = None, ""
            alert.comebacks += 1
            self._touched.add(alert.number)
        if what:
            told = [each for each in alert.states if each != found.state]
            alert.states = [*told, found.state][-STATES_MAX:]
            alert.acknowledged_ns, alert.is_over_told = None, False
            self._tell(alert, what, now_ns)
        else:
            self._repeat(alert, now_ns)

    def _renew(self, alert: Alert, found: Finding, now_ns: int) -> None:
        """Take what a fault is like now; whoever reads the book sees it a little later."""
        is_new = (alert.text, alert.stand) != (found.text, found.stand)
        alert.text, alert.remedy, alert.stand, alert.kind = found.text, found.remedy, found.stand, found.kind
        if is_new and not 0 <= now_ns - self._written_ns.get(alert.number, alert.raised_ns) < REWRITE_NS:
            self._written_ns[alert.number] = now_ns
            self._touched.add(alert.number)

    def _repeat(self, alert: Alert, now_ns: int) -> None:
        """Tell an alert again when it is time; and those of its channels that know nothing of it, as they are new."""
        if alert.told_ns is not None and alert.told_ns > now_ns:  # the clock was set back: the wait begins anew
            alert.told_ns = now_ns
            self._touched.add(alert.number)
        if alert.acknowledged_ns is not None:
            return
        is_due = self._is_to_repeat(alert, now_ns)
        strangers = [channel for channel in self._whom(alert) if channel not in alert.told]
        if is_due:
            alert.repeats += 1
            self._tell(alert, REPEATED, now_ns)
        if is_due or alert.routing != self._routing:
            alert.routing = self._routing
            alert.told += strangers
            self._touched.add(alert.number)
            self._send(alert, RAISED, now_ns, strangers)

    def _is_to_repeat(self, alert: Alert, now_ns: int) -> bool:
        spacing_ns = int(self._settings.repeat_s * 10**9)
        if not spacing_ns or alert.severity == INFO or alert.told_ns is None:
            return False
        return now_ns - alert.told_ns >= spacing_ns

    def _miss(self, alert: Alert, unasked: Unasked | None, now_ns: int) -> None:
        """Take that a fault was not found: it is over, or nothing is known of it now and it holds on."""
        if alert.is_firing and (unasked is None or unasked.holds(alert.severity)):
            self._repeat(alert, now_ns)
        elif unasked is not None:
            self._end(alert, unasked.end, now_ns)

    def _end(self, alert: Alert, why: str, now_ns: int) -> None:
        """Note that a fault is gone. The first end is told at once; after a comeback only one that has lasted."""
        if alert.is_firing:
            alert.ended_ns, alert.end = now_ns, why
            self._touched.add(alert.number)
        calm_ns = now_ns - (alert.ended_ns or now_ns)
        if calm_ns < 0:  # the clock was set back: the wait begins anew
            alert.ended_ns = now_ns
            self._touched.add(alert.number)
        elif calm_ns >= CALM_NS:
            alert.resolved_ns = now_ns
            del self._open[alert.key]
            self._written_ns.pop(alert.number, None)
            self._touched.add(alert.number)
        if not alert.is_over_told and (alert.comebacks == 0 or alert.resolved_ns is not None):
            alert.is_over_told = True
            self._tell(alert, ENDED if alert.end else RESOLVED, now_ns)

    def _tell(self, alert: Alert, what: str, now_ns: int) -> None:
        """Let a notice wait: a raise on the channels of its severity, all else on those that know of the alert."""
        self._touched.add(alert.number)
        if what in {RAISED, RISEN}:
            alert.told = list(dict.fromkeys([*alert.told, *self._whom(alert)]))
        if what not in OVER:
            alert.told_ns = now_ns
        self._send(alert, what, now_ns, alert.told)

    def _send(self, alert: Alert, what: str, now_ns: int, channels: Iterable[str]) -> None:
        over = alert.end or RULES[alert.rule].over if alert.rule in RULES else alert.end
        text = alert.text if what not in OVER else f"it was: {alert.text}{f'; {over}' if over else ''}"
        notice = (alert.number, alert.rule, alert.session, alert.severity, text, alert.remedy, alert.since_ns, now_ns)
        for channel in channels:
            self._wait(channel, Notice(what, *notice, kind=alert.kind, stand=alert.stand))

    def _tell_news(self, news: News, now_ns: int) -> None:
        """Let a message wait that is no fault, unless it is switched off or was told."""
        mark = json.dumps([news.kind, news.session, news.wall_ns, news.text])
        if mark in self._news or not getattr(self._settings, SWITCHES[news.kind]):
            return
        self._news = [*self._news, mark][-NEWS_MAX:]
        self._has_news = True
        for channel in self._channels(INFO):
            told = (0, "", news.session, INFO, news.text, "", news.wall_ns, now_ns)
            self._wait(channel, Notice(news.kind, *told, kind=news.of))

    def _whom(self, alert: Alert) -> list[str]:
        """Return the channels of an alert; one that is down is told of on the others."""
        down = alert.subject if alert.rule == CHANNEL_DOWN else ""
        return [channel for channel in self._channels(alert.severity) if channel != down]

    def _channels(self, severity: str) -> tuple[str, ...]:
        """Return whom to tell: where a severity has no channel, those of the next lower one, so that nothing grave goes nowhere."""
        for each in reversed(SEVERITIES[: SEVERITIES.index(severity) + 1]):
            if channels := getattr(self._settings, each):
                return tuple(channels)
        return ()

    def _wait(self, channel: str, notice: Notice) -> None:
        box = self._boxes.setdefault(channel, Outbox())
        self._outgoing.put(box, notice)
        self._filled.add(channel)

    def _gather(self, now_ns: int) -> None:
        """Make messages of what is due."""
        for channel in self._boxes.keys() - self._known:  # the settings have it no more
            del self._boxes[channel]
            self._filled.discard(channel)
            self._put((books.WAITING, channel), None)
        for channel, box in sorted(self._boxes.items()):
            if not box.waiting:
                continue
            for message in self._outgoing.due(channel, box, now_ns):
                key = f"{now_ns}-{channel}-{len(self._ready)}"
                self._ready[key] = message
                self._put((books.READY, key), json.dumps(message._asdict(), ensure_ascii=False))
                self._filled.add(channel)

    def _take_acks(self, now_ns: int) -> None:
        """Take up what people have acknowledged meanwhile."""
        for key, text in self._kept(books.ACK).items():
            self._put((books.ACK, key), None)
            try:
                alert, ack = self._alerts.get(int(key)), dict(json.loads(text))
            except (ValueError, TypeError):  # of another version: it is acknowledged anew, or told again
                continue
            if alert is not None and alert.resolved_ns is None:
                alert.acknowledged_ns, alert.note = ack.get("at_ns", now_ns), ack.get("note", "")
                self._touched.add(alert.number)

    def _put(self, row: Row, value: str | None) -> None:
        self._changes[row] = value

    def _save(self, now_ns: int) -> None:
        """Write what has changed; old alerts go."""
        for number in self._touched:
            self._put((books.ALERT, str(number)), json.dumps(asdict(self._alerts[number]), ensure_ascii=False))
        if self._touched:
            self._touched.clear()
            over = [alert for alert in self._alerts.values() if alert.resolved_ns is not None]
            kept = over[-KEPT_MAX:]
            for alert in over[: len(over) - len(kept)] + [each for each in kept if self._is_old(each, now_ns)]:
                del self._alerts[alert.number]
                self._put((books.ALERT, str(alert.number)), None)
        for channel in self._filled:
            self._put((books.WAITING, channel), as_text(self._boxes[channel]))
        self._filled.clear()
        if self._has_news:
            self._put((books.STATE, "news"), json.dumps(self._news))
            self._has_news = False
        self._book.write(self._changes, now_ns)  # and what it could not write before
        self._changes = {}

    def _is_old(self, alert: Alert, now_ns: int) -> bool:
        return now_ns - (alert.resolved_ns or now_ns) > KEPT_NS

    def _hand_over(self, now_ns: int) -> None:
        """Hand what is ready to the courier; each leaves the book once it is there. One that fails keeps no other."""
        failure: Exception | None = None
        for key in list(self._ready):
            try:
                self._post(self._ready[key])
            except Exception as error:  # noqa: BLE001  (raised below, once the others are there)
                failure = error
                continue
            del self._ready[key]
            self._book.write({(books.READY, key): None}, now_ns)
        if failure is not None:
            raise failure


def refuse_unknown(name: str) -> None:
    """Raise ConfigError for a name in `alerts.off` that is no rule's."""
    if name not in RULES:
        near = get_close_matches(name, RULES, 1)
        hint = f"did you mean {near[0]}?" if near else f"the rules are {', '.join(RULES)}"
        raise ConfigError(f"alerts.off: there is no rule {name}; {hint}")


def _is_gone(alert: Alert, watched: Container[str] | None) -> bool:
    """Whether an alert is of a session that nobody looks at any more; a session that is missing has no folder to look at."""
    rule = RULES.get(alert.rule)
    return watched is not None and rule is not None and rule.of_session is not None and alert.session not in watched
