"""What goes out on a channel, and when: gathered, held back in quiet hours, limited by the hour. Time is an argument."""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from typing import Final

from myquant.config.watching import AlertSettings
from myquant.errors import ConfigError
from myquant.monitor import wording
from myquant.monitor.alert import REPEATED, Notice, Outbox
from myquant.monitor.finding import CRITICAL, SEVERITIES
from myquant.monitor.message import Message

HOUR_NS: Final = 3_600 * 10**9
TOGETHER_S: Final = 1  # one cause has several faults, which are found within this
WAITING_MAX: Final = 500  # notices of a channel; of more only the number is told
QUIET: Final = "they were held back in the quiet hours"
LIMITED: Final = "alerts.per_hour was reached"


@dataclass(frozen=True)
class Outgoing:
    """When notices become messages. Raises ConfigError for quiet hours without a beginning or an end."""

    settings: AlertSettings
    zone: tzinfo

    def __post_init__(self) -> None:
        """Refuse half of quiet hours."""
        if bool(self.settings.quiet_from) != bool(self.settings.quiet_to):
            raise ConfigError(
                f"alerts.quiet_from = {self.settings.quiet_from!r} and alerts.quiet_to = {self.settings.quiet_to!r}:"
                " quiet hours need both; set both or none"
            )

    def is_quiet(self, now_ns: int) -> bool:
        """Whether these are quiet hours; a beginning that is the end means the whole day."""
        if not self.settings.quiet_from:
            return False
        begin, end = time.fromisoformat(self.settings.quiet_from), time.fromisoformat(self.settings.quiet_to)
        now = _furthest(now_ns // 10**9, self.zone).time()
        return begin <= now < end if begin < end else now >= begin or now < end

    def waits_for_morning(self, notice: Notice, now_ns: int) -> bool:
        """Whether quiet hours hold a notice back."""
        is_below = SEVERITIES.index(notice.severity) < SEVERITIES.index(self.settings.quiet_below)
        return is_below and self.is_quiet(now_ns)

    def put(self, box: Outbox, notice: Notice) -> None:
        """Let a notice wait; where too many do, the oldest of the least severe is only counted.

        That a fault is still there is nothing new where its raise waits as well.
        """
        if notice.what == REPEATED and any(each.number == notice.number for each in box.waiting):
            return
        box.waiting.append(notice)
        if len(box.waiting) > WAITING_MAX:
            least = min(box.waiting, key=lambda each: (SEVERITIES.index(each.severity), each.at_ns))
            box.waiting.remove(least)
            box.dropped += 1

    def due(self, channel: str, box: Outbox, now_ns: int) -> list[Message]:
        """Return the messages that are due on a channel, and take what they tell out of its box.

        Faults that are critical go once the oldest has waited for `TOGETHER_S`, whatever the limit, with what else is wrong
        with their sessions. All else waits until the oldest has waited for `group_s`; of what quiet hours or the limit held
        back, the message says so.
        """
        box.sent_ns = [sent_ns for sent_ns in box.sent_ns if 0 <= now_ns - sent_ns < HOUR_NS]
        free = [each for each in box.waiting if not self.waits_for_morning(each, now_ns)]
        urgent = [each for each in free if _is_urgent(each)]
        is_due = any(self._is_ripe(each, now_ns, TOGETHER_S) for each in urgent)
        sessions = {each.session for each in urgent}
        urgent = _with_their_own([each for each in free if each.is_fault and each.session in sessions], box)
        messages = [self._message(channel, box, urgent, "", 0, now_ns)] if is_due else []
        rest = [each for each in free if each.number == 0 or each.number not in {one.number for one in urgent}]
        if len(box.sent_ns) >= self.settings.per_hour:
            rest = [each for each in rest if each.severity == CRITICAL]
        if any(self._is_ripe(each, now_ns) for each in rest):
            rest = _with_their_own(rest, box)
            messages.append(self._message(channel, box, rest, self._why_late(rest, now_ns), box.dropped, now_ns))
            box.dropped = 0
        return messages

    def _is_ripe(self, notice: Notice, now_ns: int, most_s: int = 3_600) -> bool:
        age_ns, spacing_ns = now_ns - notice.at_ns, int(float(self.settings.group_s) * 10**9)
        return age_ns < 0 or age_ns >= min(spacing_ns, most_s * 10**9)  # below 0: the clock was set back

    def _why_late(self, notices: list[Notice], now_ns: int) -> str:
        """Return why a message comes late; "": it does not."""
        oldest = min(notices, key=lambda each: each.at_ns)
        if now_ns - oldest.at_ns < int(self.settings.group_s * 10**9) + HOUR_NS // 60:
            return ""
        return QUIET if any(self.waits_for_morning(each, each.at_ns) for each in notices) else LIMITED

    def _message(
        self, channel: str, box: Outbox, notices: list[Notice], held_back: str, dropped: int, now_ns: int
    ) -> Message:
        told = [id(each) for each in notices]
        box.waiting = [each for each in box.waiting if id(each) not in told]
        box.sent_ns.append(now_ns)
        numbers = dict.fromkeys(str(each.number) for each in notices if each.number)
        text = wording.body(notices, self.zone, held_back=held_back, dropped=dropped)
        return Message(channel, wording.severity_of(notices), wording.title(notices), text, tuple(numbers), now_ns)


def _furthest(now_s: int, zone: tzinfo) -> datetime:
    """Return how far the clock on the wall has come: it stands still while it shows an hour for the second time.

    Else quiet hours that began within the first of the two would break off in the second, or begin anew.
    """
    now = datetime.fromtimestamp(now_s, zone)
    if not now.fold:
        return now
    first = now.replace(fold=0).utcoffset() or timedelta()
    repeated_s = round((first - (now.utcoffset() or timedelta())).total_seconds())
    seconds = range(now_s - repeated_s, now_s + 1)  # within them it was set back
    back_s = seconds[bisect_left(seconds, 1, key=lambda each: datetime.fromtimestamp(each, zone).fold)]
    return datetime.fromtimestamp(back_s - 1, zone)


def _with_their_own(notices: list[Notice], box: Outbox) -> list[Notice]:
    """Return notices with all that waits of the same alerts, in time's order: none of it may arrive later than these."""
    numbers = {each.number for each in notices if each.number}
    chosen = {id(each) for each in notices}
    return [each for each in box.waiting if id(each) in chosen or each.number in numbers]


def _is_urgent(notice: Notice) -> bool:
    return notice.is_fault and notice.severity == CRITICAL
