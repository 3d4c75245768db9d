"""Alerting for tests: findings by hand, and a courier that takes equal messages once, as the real one does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from monitor.made_views import NOON, SECOND, loaded
from myquant.monitor.alerting import ALL_ASKED, Alerting
from myquant.monitor.book import Book
from myquant.monitor.faults import Unasked
from myquant.monitor.finding import CRITICAL, INFO, WARNING, Finding
from myquant.monitor.message import Message
from myquant.monitor.view import News

IST = ZoneInfo("Asia/Kolkata")
ALL = {"alerts__info": '["chat"]', "alerts__warning": '["chat", "mail"]', "alerts__critical": '["mail", "phone"]'}


def fault(
    rule: str = "feed_stale", severity: str = WARNING, session: str = "monday", subject: str = "", **more: str
) -> Finding:
    return Finding(rule, session, subject, severity, f"{rule} of {session}", "look at it", NOON, **more)


def news(kind: str = "entry", at_s: float = 0, text: str = "bought 75 NIFTY at 100.00") -> News:
    return News(kind, "monday", NOON + round(at_s * SECOND), text, "paper")


class Killed(BaseException):
    """The process is gone."""


class Told:
    """Alerting over a book in a folder; what it tells is kept in the order in which it came."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.settings = loaded(**{**ALL, **settings}).config.alerts
        self.messages: list[Message] = []
        self.kills = 0
        self.steps_left: int | None = None  # until the process is killed
        self.book = Book(folder)
        self.alerting = Alerting(self.settings, IST, self.book, self.post)

    def restart(self) -> None:
        """Begin again from the disk."""
        self.book.close()
        self.book = Book(self.folder)
        self.alerting = Alerting(self.settings, IST, self.book, self.post)

    def step(self) -> None:
        """Count what the process does that lasts; it is killed when its time has come."""
        if self.steps_left is not None:
            if self.steps_left == 0:
                self.kills += 1
                raise Killed
            self.steps_left -= 1

    def post(self, message: Message) -> None:
        """Take a message, once."""
        self.step()
        if message not in self.messages:
            self.messages.append(message)
        self.step()

    def take(
        self,
        at_s: float,
        *found: Finding,
        happened: tuple[News, ...] = (),
        unasked: Mapping[tuple[str, str], Unasked] | None = ALL_ASKED,
        watched: frozenset[str] | None = None,
    ) -> list[Message]:
        """Return what a look led to."""
        before = len(self.messages)
        self.alerting.take(found, happened, NOON + round(at_s * SECOND), unasked, watched)
        return self.messages[before:]


def channels(messages: list[Message]) -> list[str]:
    return [each.channel for each in messages]


SEVERITIES = (INFO, WARNING, CRITICAL)
