"""What rules are made of: the fault that one finds, what they look at, and what they remember between looks."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from myquant.config.watching import MonitorSettings
from myquant.monitor.expected import Expected
from myquant.monitor.finding import INFO, SEVERITIES, Finding
from myquant.monitor.view import LogLine, ProcessView, SessionView
from myquant.session.operator import COMPILING_S

SECOND_NS: Final = 10**9
CALM_NS: Final = 60 * SECOND_NS  # what has risen is a fault for so long after it rose last
READ_LATE_NS: Final = 10 * SECOND_NS  # so long after a process began its first note is read, at most


class Fault(NamedTuple):
    """What a rule finds. Empty `severity` and `remedy`: those of the rule; `since_ns` None: since it was found first."""

    text: str
    since_ns: int | None = None
    subject: str = ""
    severity: str = ""
    remedy: str = ""
    state: str = ""  # how far it has gone, or why it is so: people are told of each


class Unasked(NamedTuple):
    """What of a rule's alerts holds on though nothing is found of them, as nobody can know: of a session that is dead, say."""

    least: str = ""  # severity from which on; "": none does
    end: str = ""  # why the others are over though nobody has resolved them; "": they are resolved

    def holds(self, severity: str) -> bool:
        """Whether an alert of a severity holds on."""
        return self.least != "" and SEVERITIES.index(severity) >= SEVERITIES.index(self.least)


HELD: Final = Unasked(INFO)


class Rise(NamedTuple):
    """How far a counter has been followed, and its last rise."""

    value: int
    risen: int = 0  # by how much, since it was calm
    rose_mono_ns: int = 0
    since_ns: int = 0  # what made it rise happened after that
    process: int = 0  # whose it is: when that began; 0: of all processes of its session
    looked_ns: int = 0  # when it was followed last, by both clocks
    looked_mono_ns: int = 0


@dataclass
class Memory:
    """What rules remember from look to look. Times: `_ns` the machine's clock, `_mono_ns` the monotonic one."""

    first_ns: dict[tuple[str, str, str], int] = field(default_factory=dict)  # when a fault was found first
    counters: dict[tuple[str, str], Rise] = field(default_factory=dict)  # by session and name
    opened_mono_ns: dict[str, int | None] = field(
        default_factory=dict
    )  # when a session's market opened; None: it is closed
    so_since_mono_ns: dict[tuple[str, str], int] = field(default_factory=dict)  # by session and what is so
    found: dict[str, list[Finding]] = field(default_factory=dict)  # by session, at the last look
    watched: frozenset[str] = frozenset()  # sessions, at the last look
    unasked: dict[tuple[str, str], Unasked] = field(default_factory=dict)  # by rule and session, likewise
    reached: dict[str, Decimal] = field(default_factory=dict)  # by session: the share of its day's loss, percent
    funded: dict[str, LogLine] = field(default_factory=dict)  # by session: the last lack of funds that is over
    began_mono_ns: int | None = None  # when anybody looked first
    looked_mono_ns: int | None = None
    looked_wall_ns: int | None = None
    late_ns: int = 0  # of the last look that came late, and when that was
    was_late_mono_ns: int | None = None
    stepped_ns: int = 0  # how far the machine's clock last went beyond the monotonic one, and when that was
    has_stepped_mono_ns: int | None = None

    def forget(self, sessions: Iterable[str]) -> None:
        """Forget the sessions that are not among these."""
        kept = self.watched = frozenset(sessions)
        self.counters = {key: rise for key, rise in self.counters.items() if key[0] in kept}
        self.so_since_mono_ns = {key: since for key, since in self.so_since_mono_ns.items() if key[0] in kept}
        self.opened_mono_ns = {name: since for name, since in self.opened_mono_ns.items() if name in kept}
        self.reached = {name: share for name, share in self.reached.items() if name in kept}
        self.funded = {name: line for name, line in self.funded.items() if name in kept}


@dataclass(frozen=True)
class Around:
    """What is known besides the sessions: of the monitor itself, and of the machine.

    Attributes:
        expected: which sessions are to run; None: none.
        unreadable: why a folder can't be read, by its name.
        down: since when a channel delivers nothing (ns), and why, by its name.
        heartbeat: since when the outgoing heartbeat fails (ns), and why; None: it does not.
        spool: likewise, why messages can't be written to the disk.
        folder: likewise, what is wrong with the monitor's state folder.
        pages: likewise, why nobody serves the pages.
        who: who looks, for texts.
    """

    expected: Expected | None = None
    unreadable: Mapping[str, str] = field(default_factory=dict)
    down: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    heartbeat: tuple[int, str] | None = None
    spool: tuple[int, str] | None = None
    folder: tuple[int, str] | None = None
    pages: tuple[int, str] | None = None
    who: str = "the monitor"


@dataclass(frozen=True)
class Look:
    """One look of the monitor: the clocks at it, and what it is judged by."""

    settings: MonitorSettings
    wall_ns: int
    mono_ns: int
    memory: Memory
    around: Around
    views: Mapping[str, SessionView]

    def is_of_today(self, view: SessionView) -> bool:
        """Whether the session runs, or was heard of today."""
        return is_of_today(view, self.wall_ns)

    def age_ns(self, process: ProcessView) -> int:
        """Return for how long a process has run: a clock that is set changes nothing."""
        if process.started_mono_ns is None:
            return self.wall_ns - process.started_wall_ns
        return self.mono_ns - process.started_mono_ns

    def lasts_ns(self, view: SessionView, what: str, *, is_so: bool) -> int:
        """Return for how long something has been seen to be so, look after look; 0: it is not."""
        since, key = self.memory.so_since_mono_ns, (view.name, what)
        if not is_so:
            since.pop(key, None)
            return 0
        return self.mono_ns - since.setdefault(key, self.mono_ns)

    def risen(self, view: SessionView, name: str, value: int) -> Rise | None:
        """Follow a counter that each process of a session begins anew; return its rise, for a minute after the last one.

        That of a process that has just begun, or that began while somebody looked, counts from 0; any other from what it is when
        it is met first: what rose while nobody watched is not new.
        """
        process = view.process
        if process is None:
            return None
        key, began_ns = (view.name, name), process.started_wall_ns
        known = self.memory.counters.get(key)
        if known is None:
            is_new = view.runs and self.age_ns(process) < max(CALM_NS, self._looked_for_ns())
            known = Rise(0 if is_new else value, process=began_ns, looked_ns=began_ns)
        elif known.process != began_ns:
            is_new = self.age_ns(process) < self.mono_ns - known.looked_mono_ns + READ_LATE_NS
            known = known._replace(value=0 if is_new else value, process=began_ns)
        return self._follow(key, known, value)

    def risen_in_all(self, view: SessionView, name: str, value: int, before: int) -> Rise | None:
        """Do so with a counter of all processes of a session.

        It counts from 0 where a process has just begun, else from `before` where it is met first.
        """
        is_new = view.runs and view.process is not None and self.age_ns(view.process) < CALM_NS
        first = Rise(0 if is_new else before, looked_ns=self.wall_ns)
        return self._follow((view.name, name), self.memory.counters.get((view.name, name), first), value)

    def _looked_for_ns(self) -> int:
        """Return for how long somebody has looked."""
        began_ns = self.memory.began_mono_ns
        return 0 if began_ns is None else self.mono_ns - began_ns

    def _follow(self, key: tuple[str, str], known: Rise, value: int) -> Rise | None:
        """Follow a counter from what is known of it."""
        if value != known.value:
            step = value - known.value if value > known.value else value
            since_ns = known.since_ns if known.risen else min(known.looked_ns, self.wall_ns)
            rose_ns = self.mono_ns if step else known.rose_mono_ns
            known = known._replace(value=value, risen=known.risen + step, rose_mono_ns=rose_ns, since_ns=since_ns)
        if known.risen and self.mono_ns - known.rose_mono_ns >= CALM_NS:
            known = known._replace(risen=0)
        self.memory.counters[key] = known._replace(looked_ns=self.wall_ns, looked_mono_ns=self.mono_ns)
        return known if known.risen else None


SessionRule = Callable[[SessionView, Look], Iterable[Fault]]
MonitorRule = Callable[[Look], Iterable[Fault]]


def last_word_ns(view: SessionView) -> int | None:
    """Return when the session was last heard of, the machine's clock; None: never."""
    process = view.process
    died = process.died_wall_ns if process else None
    lost = view.lost_start.started_wall_ns if view.lost_start else None
    known = [each for each in (died, lost, view.written_wall_ns, view.beat_wall_ns) if each is not None]
    return max(known, default=process.started_wall_ns if process else None)


def is_of_today(view: SessionView, wall_ns: int) -> bool:
    """Whether the session runs, or was heard of on the same calendar day, where it trades."""
    last_ns, zone = last_word_ns(view), ZoneInfo(view.config.config.session.timezone)
    days = [datetime.fromtimestamp(each // SECOND_NS, zone).date() for each in (last_ns, wall_ns) if each is not None]
    return view.runs or (last_ns is not None and days[0] == days[-1])


def is_lost(view: SessionView, wall_ns: int) -> bool:
    """Whether a process went without a word, and that still matters: it holds something, or was heard of today."""
    if not view.is_dead or view.ended_code is not None:
        return False
    return bool(view.holds) or is_of_today(view, wall_ns)


def beat_age_ns(view: SessionView, look: Look) -> int | None:
    """Return for how long the present process had not beaten when its journal was last read; None: it has not begun to."""
    if view.process is None or view.beat_mono_ns is None:
        return None
    return (look.mono_ns if view.read_mono_ns is None else view.read_mono_ns) - view.beat_mono_ns


def is_silent(view: SessionView, look: Look) -> bool:
    """Whether a process that lives is stopped, or says nothing for too long."""
    if view.process is None or not view.runs or view.process.is_unseen:
        return False
    if view.process.is_stopped:
        return True
    age_ns = beat_age_ns(view, look)
    if view.unread_since_ns is not None:  # it may well have said something: the monitor is behind
        return False
    if age_ns is None:
        return look.age_ns(view.process) >= (DOING_NS if view.doing else FIRST_BEAT_NS)
    return age_ns >= seconds_ns(look.settings.silence_s)


def is_beginning(view: SessionView, look: Look) -> bool:
    """Whether a process has begun so lately that it has not said yet how it stands: its feed connects, say."""
    process = view.process
    if process is None or not view.runs:
        return False
    age_ns = look.age_ns(process)
    if view.telemetry is None or view.ledger is None:
        return age_ns < (DOING_NS if view.doing else FIRST_BEAT_NS)
    return age_ns < seconds_ns(look.settings.feed_age_s)


def is_simulated(view: SessionView) -> bool:
    """Whether a session's fills are simulated: nothing of it is at a broker."""
    return view.kind == SIMULATED


def is_cut_off(view: SessionView) -> bool:
    """Whether a session can't send orders, by the last that it has said."""
    if view.telemetry is None:  # a journal without telemetry: the log is all there is
        return view.order_channel_up is False
    return view.telemetry.channel_down_ns > 0


def differences_named(view: SessionView, since_ns: int, code: int | None = None) -> str:
    """Return what the broker's books have had since, or a little before; `code`: only what halts entries for that reason.

    The log says it before the journal says what came of it, and the two are read one after the other.
    """
    named = [
        each.text
        for each in view.differences
        if each.wall_ns >= since_ns - NAMED_BEFORE_NS and code in (None, each.halts_by)
    ]
    named = list(dict.fromkeys(named))
    more = f"; and {len(named) - NAMED_MAX} more" if len(named) > NAMED_MAX else ""
    return "; ".join(named[-NAMED_MAX:]) + more


NAMED_MAX: Final = 3  # in one text
NAMED_BEFORE_NS: Final = 5 * SECOND_NS
SIMULATED: Final = "paper"  # the kind of such a session
FIRST_BEAT_NS: Final = 10 * SECOND_NS  # a process has beaten once by then
DOING_NS: Final = COMPILING_S * SECOND_NS  # or by then, where it says that it is at something else


def seconds_ns(seconds: object) -> int:
    """Return a setting in seconds as ns."""
    return round(float(str(seconds)) * SECOND_NS)


def told_s(duration_ns: int) -> str:
    """Return a duration as people read it: `0.4 s`, `75 s`, `12 min`, `3.5 h`."""
    duration_s = max(duration_ns, 0) / SECOND_NS
    if duration_s < 10:
        return f"{duration_s:.1f} s"
    if duration_s < 120:
        return f"{duration_s:.0f} s"
    return f"{duration_s / 60:.0f} min" if duration_s < 7200 else f"{duration_s / 3600:.1f} h"


def holding(view: SessionView) -> str:
    """Return what a session holds: `75 NIFTY07OCT2524900CE`; "": nothing."""
    return ", ".join(f"{units:,} {symbol}" for symbol, units in view.holds.items())
