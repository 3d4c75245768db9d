"""What tests of the courier share: settings, messages, logs and channels that need no process."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from myquant.brokers.secrets import Redactor
from myquant.config.loading import load_config
from myquant.config.watching import AlertSettings
from myquant.monitor.channels import Channel
from myquant.monitor.courier import Courier
from myquant.monitor.message import Message
from myquant.monitor.spool import Spool
from myquant.monitor.worker import Answer, Parcel

HOUR_NS = 3600 * 1_000_000_000
QUICK = {"alerts.retry_s": "0.001", "alerts.retry_max_s": "0.01"}
DEADLINE_S = 30.0


def settings_of(**values: object) -> AlertSettings:
    """Return the settings of [alerts], quick to try again."""
    given = {**QUICK, **{f"alerts.{name}": value for name, value in values.items()}}
    return load_config(assignments=[f"{name}={value}" for name, value in given.items()]).config.alerts


def message_of(title: str, channel: str = "mail", severity: str = "warning", created_ns: int = 1) -> Message:
    return Message(channel, severity, title, f"Body of {title}.", ("7",), created_ns)


class Lines:
    """A log that keeps its lines: (level, event, fields)."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, object]]] = []

    def info(self, event: str, **fields: object) -> None:
        self.lines.append(("info", event, fields))

    def warning(self, event: str, **fields: object) -> None:
        self.lines.append(("warning", event, fields))

    def error(self, event: str, **fields: object) -> None:
        self.lines.append(("error", event, fields))

    def events(self) -> list[str]:
        return [event for _, event, _ in self.lines]


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000 * HOUR_NS
        self.set_ns = 0

    def steady(self) -> int:
        """Return the monotonic clock, which nobody sets."""
        return self.now_ns - self.set_ns

    def set_by(self, step_ns: int) -> None:
        """Set the machine's clock."""
        self.now_ns += step_ns
        self.set_ns += step_ns

    def __call__(self) -> int:
        return self.now_ns


class Post:
    """A channel in memory. `refuse(parcel)`: what goes wrong with a message, "" for nothing."""

    def __init__(self, refuse: Callable[[Parcel], str] = lambda _: "", problem: str = "") -> None:
        self.refuse = refuse
        self.problem = problem
        self.tried: list[str] = []
        self.got: list[str] = []
        self.bodies: list[str] = []
        self.open = asyncio.Event()
        self.open.set()

    async def ready(self) -> str:
        return self.problem

    async def deliver(self, parcel: Parcel) -> Answer:
        self.tried.append(parcel.title)
        await self.open.wait()
        await asyncio.sleep(0)
        if said := self.refuse(parcel):
            return Answer(delivered=False, said=said)
        self.got.append(parcel.title)
        self.bodies.append(parcel.body)
        return Answer(delivered=True, said="fine")

    async def close(self) -> None:
        """Nothing to end."""


class Office:
    """A courier with channels in memory, in a folder."""

    def __init__(self, folder: Path, posts: Mapping[str, Post], clock: Clock | None = None, **values: Any) -> None:
        self.log = Lines()
        self.clock = Clock() if clock is None else clock
        self.spool = Spool(folder, self.clock)
        self.posts = posts

        def worker(channel: Channel, _redactor: Redactor, _attempt_s: float, _environ: Mapping[str, str]) -> Post:
            return posts[channel.name]

        channels = [Channel(name, f"json://h{name}.example") for name in posts]
        settings = settings_of(**values)
        self.courier = Courier(
            *(channels, settings, self.spool, self.log, {}),
            clock_ns=self.clock,
            mono_ns=self.clock.steady,
            worker=worker,
        )

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self.courier.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        self.spool.close()


async def until(condition: Callable[[], object]) -> None:
    """Wait until something holds, for a bounded time."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110  (what is waited for may be in another process)
            await asyncio.sleep(0.002)
