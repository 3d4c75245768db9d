"""A fault drill: sessions on a lab, a monitor that watches them, and channels on which it tells of what goes wrong.

The benchmark of the drills (`bench.monitor_drills`) plays on the same stage.
"""

import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from monitor.sinks import Arrival, Sinks
from myquant.monitor.alert import RAISED, RESOLVED, Alert, alert_of
from myquant.monitor.ask import ask_monitor
from myquant.monitor.book import ALERT, Book
from myquant.monitor.spool import FILE, WAITING
from myquant.monitor.state import CARD
from myquant.ticks.batch import TickBatch
from myquant.ticks.write import write_ticks
from session.forks import Child
from session.stage import OPENS_NS, SECOND_NS, ZONE, Stage, on_stage

WAIT_S: Final = 30.0
LOOK_S: Final = 0.01
TICKS_A_SECOND: Final = 10  # of the day
CLIMB: Final = 40  # ticks, so that a session enters; then the price falls back, by less than any stop
VOLUME: Final = 75 * 40
HOLDING: Final = {  # once entered, a position is held
    "strategy__control_base_sl": "false",
    "risk__base_sl_points": 30,
    "risk__tp_points": "[150]",
    "risk__tp_percents": "[1]",
    "risk__trail_activation_points": 100,
}
FLAT: Final = {"strategy__min_warmup_ticks": 1_000_000}
# What is quick enough for a test; nothing that takes a processor from those who trade.
QUICK: Final[dict[str, Any]] = {
    "monitor.look_s": "0.1",
    "monitor.silence_s": "1.5",
    "monitor.feed_age_s": 1,
    "monitor.feed_stale_s": "0.5",
    "monitor.order_channel_s": "0.5",
    "monitor.bare_s": 1,
    "monitor.unknown_s": 1,
    "monitor.disk_free_mib": 1,
    "monitor.drift": "false",
    "monitor.replay": "false",
    "alerts.off": '["log_errors"]',  # which lasts a minute
    "alerts.group_s": "0.2",
    "alerts.attempt_s": 2,
    "alerts.retry_s": "0.2",
    "alerts.retry_max_s": "0.5",
    "alerts.down_after": 2,
}

Found = TypeVar("Found")


def prices(count: int) -> np.ndarray:
    """Return prices that climb by two rupees and fall back, again and again, in paise."""
    number = np.arange(count, dtype=np.int64) % (2 * CLIMB)
    return 20_000 + 5 * np.minimum(number, 2 * CLIMB - number)


def write_waves(path: Path, *, count: int = 36_000) -> Path:
    """Write an hour of waves: whoever comes to it enters with the next, and goes on holding."""
    price = prices(count)
    time_ns = OPENS_NS + np.arange(count, dtype=np.int64) * (SECOND_NS // TICKS_A_SECOND)
    volume = np.full(count, VOLUME, np.int64)
    write_ticks(
        path, [TickBatch(time_ns=time_ns, price=price, volume=volume, bid=price - 5, ask=price + 5)], time_zone=ZONE
    )
    return path


def wait(what: str, found: Callable[[], Found | None], timeout_s: float = WAIT_S) -> Found:
    """Return what is found, once it is."""
    deadline = time.monotonic() + timeout_s
    while not (there := found()):
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(LOOK_S)
    return there


@dataclass(frozen=True)
class Report:
    """How an alert was told of: as it stands in the book, and how it arrived, by channel."""

    alert: Alert
    arrivals: dict[str, Arrival]

    def after_s(self, fault_ns: int) -> dict[str, float]:
        """Return how long after the fault it was found, and arrived at each channel, seconds."""
        found_ns = {"found": self.alert.raised_ns, **{name: each.wall_ns for name, each in self.arrivals.items()}}
        return {name: (at_ns - fault_ns) / SECOND_NS for name, at_ns in found_ns.items()}


@dataclass
class Drill:
    """A stage with a monitor. `settings`: of the monitor; `serves_pages`: whether it begins them."""

    stage: Stage
    sinks: Sinks
    settings: Mapping[str, Any]
    folder: str = "state"
    directories: tuple[str, ...] = ("runs",)
    serves_pages: bool = False
    monitor: Child = field(init=False)

    @property
    def state(self) -> Path:
        """The monitor's own folder."""
        return self.stage.folder / self.folder / "monitor"

    def begin(self) -> Child:
        """Start the monitor, or start it again."""
        values = {**self.settings, **self.sinks.settings()}
        options = [part for name, value in values.items() for part in ("--set", f"{name}={value}")]
        folders = [part for name in self.directories for part in ("--directory", name)]
        environ = {"MYQUANT_STATE": str(self.stage.folder / self.folder), **self.sinks.environ()}
        (self.state / CARD).unlink(missing_ok=True)  # one that was killed leaves it
        pages = () if self.serves_pages else ("--no-dashboard",)
        words = ("--debug", "monitor", "--port", "0", *pages, *folders, *options)
        self.monitor = self.stage.start(f"{self.folder}.said", *words, environ=environ)
        return self.monitor

    def watch(self) -> Child:
        """Start the monitor, or start it again, and wait until it is reached."""
        child = self.begin()
        wait("the monitor listens", lambda: (self.state / CARD).exists() or child.poll() is not None)
        assert child.poll() is None, self.stage.said(self.folder)
        return child

    def alerts(self) -> list[Alert]:
        """Return all alerts of the book."""
        with Book(self.state) as book:
            return [alert_of(text) for text in book.rows(ALERT).values()]

    def alert(self, rule: str, session: str = "", subject: str | None = None) -> Alert | None:
        """Return an alert of the book; None: there is none."""
        for each in self.alerts():
            if (each.rule, each.session) == (rule, session) and subject in (None, each.subject):
                return each
        return None

    def firing(self) -> list[Alert]:
        """Return the alerts that last."""
        return [each for each in self.alerts() if each.is_firing]

    def is_firing(self, rule: str, session: str, severity: str) -> bool:
        """Return whether an alert lasts, and is so severe."""
        return any((each.rule, each.session, each.severity) == (rule, session, severity) for each in self.firing())

    def raised(
        self, rule: str, session: str = "", *, subject: str | None = None, channels: Sequence[str] = ()
    ) -> Report:
        """Wait until an alert is in the book and has arrived on some channels (all); return how."""
        who = " ".join(filter(None, (rule, session, subject)))
        alert = wait(f"{who} in the book", lambda: self.alert(rule, session, subject))
        return Report(alert, self.told(alert, RAISED, channels))

    def resolved(self, raised: Report, *, channels: Sequence[str] = ()) -> Report:
        """Wait until the end of an alert has arrived on some channels (all); return how."""
        arrivals = self.told(raised.alert, RESOLVED, channels)
        (alert,) = (each for each in self.alerts() if each.number == raised.alert.number)
        return Report(alert, arrivals)

    def told(self, alert: Alert, what: str, channels: Sequence[str] = ()) -> dict[str, Arrival]:
        """Wait until something of an alert has arrived on some channels (all)."""
        return {name: self._arrived(name, alert, what) for name in channels or self.sinks.of}

    def _arrived(self, name: str, alert: Alert, what: str) -> Arrival:
        said = f"{alert.rule} {alert.session} {alert.subject} {what} on {name}"
        return wait(said, lambda: self.sinks.told(name, alert.number, what))

    def has_receipts(self) -> bool:
        """Return whether nothing waits: of what was sent and not noted yet a monitor that is killed sends again, as is said."""
        with closing(sqlite3.connect(f"file:{self.state / FILE}?mode=ro", uri=True)) as base:
            rows = base.execute("select count(*), sum(state = ?) from deliveries", (WAITING,)).fetchone()
        return bool(rows[0] > 0 and rows[1] == 0)

    def looks(self) -> int:
        """Return how often the monitor that runs has looked."""
        report = ask_monitor(self.state)
        about = report["monitor"] if report is not None else None
        return 0 if about is None else int(about["looks"])

    def holds(self, name: str) -> None:
        """Wait until a session holds something."""
        wait(f"{name} holds something", lambda: any(each["position"] for each in self._instruments(name)))

    def is_fed(self, name: str) -> None:
        """Wait until a session takes ticks."""
        wait(f"{name} takes ticks", lambda: any(each["ticks"] > 5 for each in self._instruments(name)))

    def _instruments(self, name: str) -> list[dict[str, Any]]:
        status = self.stage.status(name)
        return [] if status is None else status["instruments"]


@contextmanager
def on_drill(
    folder: Path, *channels: str, settings: Mapping[str, Any] = QUICK, write: Callable[[Path], Path] = write_waves
) -> Iterator[Drill]:
    """Give a stage and its sinks; the monitor is started by `watch`."""
    with on_stage(folder, write) as stage, Sinks(*(channels or ("hook", "mail"))) as sinks:
        yield Drill(stage, sinks, settings)


@contextmanager
def stopped(child: Child) -> Iterator[int]:
    """Let a process stand still; yields when (the machine's clock, ns) it was stopped."""
    child.send(signal.SIGSTOP)
    try:
        yield time.time_ns()
    finally:
        child.send(signal.SIGCONT)


def kill(child: Child) -> int:
    """Kill a process; return when (the machine's clock, ns)."""
    at_ns = time.time_ns()
    child.send(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    return at_ns
