"""The way to one channel: its messages one after another, again and again until they are there or given up."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final, Protocol

from myquant.brokers.secrets import Redactor
from myquant.config.watching import AlertSettings
from myquant.monitor.channels import Channel
from myquant.monitor.finding import CRITICAL
from myquant.monitor.spool import DELIVERED, GIVEN_UP, WAITING, Delivery, Spool
from myquant.monitor.worker import Answer, Parcel

FAILED: Final = "failed"  # an attempt; beside the states of a delivery
PROBE_EVERY: Final = 4  # so many failures in a row, and a message further behind is tried
PROBES: Final = 16  # so far behind at most
DOUBLINGS_MAX: Final = 32
ID_LETTERS: Final = 10


class Carrying(Protocol):
    """What a lane asks of a `worker.Worker`."""

    async def ready(self) -> str:
        """Get ready; return "" or why it can't."""

    async def deliver(self, parcel: Parcel) -> Answer:
        """Deliver one message, in bounded time."""

    async def close(self) -> None:
        """End at once."""


class Log(Protocol):
    """What the courier logs to: `session.log.SessionLog` is one."""

    def info(self, event: str, **fields: object) -> None:
        """Log what is as it should be."""

    def warning(self, event: str, **fields: object) -> None:
        """Log what a person should look at some time."""

    def error(self, event: str, **fields: object) -> None:
        """Log what a person should look at now."""


def pause_s(settings: AlertSettings, failures: int, rng: Random) -> float:
    """Return how long to wait after so many failures in a row (1 and more): doubled each time, less up to half by chance."""
    doubled = float(settings.retry_s) * 2.0 ** min(failures - 1, DOUBLINGS_MAX)
    return min(doubled, float(settings.retry_max_s)) * rng.uniform(0.5, 1.0)


@dataclass
class Lane:
    """The messages of one channel.

    Attributes:
        results: how many attempts were delivered or failed, and how many messages were given up, since the start.
        untold: how many messages were given up that no other channel was told of yet; the courier empties it.
    """

    channel: Channel
    worker: Carrying
    spool: Spool
    settings: AlertSettings
    redactor: Redactor
    log: Log
    clock_ns: Callable[[], int] = time.time_ns
    mono_ns: Callable[[], int] = time.monotonic_ns
    rng: Random = field(default_factory=Random)
    results: Counter[str] = field(default_factory=Counter)
    untold: int = 0
    _failures: int = 0  # in a row
    _failing_since_ns: int = 0
    _why: str = ""
    _unready: bool = False
    _stopping: bool = False
    _aside_until_s: dict[str, float] = field(default_factory=dict)  # by digest: what this channel alone won't take
    _overdue_mono_ns: dict[str, int] = field(default_factory=dict)  # by digest: when it is given up, if it fails then
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _is_idle: bool = False

    def down(self) -> tuple[int, str] | None:
        """Return since when (ns) the channel is down, and why; None: it is not."""
        is_down = self._unready or self._failures >= self.settings.down_after
        return (self._failing_since_ns, self._why) if is_down else None

    def wake(self, delivery: Delivery) -> None:
        """Say that a message has come: what is critical does not wait for the next attempt."""
        self._overdue_ns(delivery)
        if self._is_idle or delivery.message.severity == CRITICAL:
            self._wake.set()

    def stop(self) -> None:
        """End when what waits is delivered, or at the next failure."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Deliver what waits and what comes, until it is stopped or cancelled."""
        for each in self.spool.waiting(self.channel.name):
            self._overdue_ns(each)
        try:
            while not self._is_over():
                if problem := self.channel.problem or await self.worker.ready():
                    self._cannot_start(problem)
                    await self._wait(pause_s(self.settings, self._failures, self.rng))
                    continue
                if self._unready:
                    self._recover()
                delivery = self._pick()
                if delivery is None:
                    await self._wait(self._next_aside_s(), is_idle=True)
                elif not await self._attempt(delivery) and self._failures:
                    await self._wait(pause_s(self.settings, self._failures, self.rng))
        finally:
            await self.worker.close()

    def _is_over(self) -> bool:
        return self._stopping and (self._failures > 0 or self._pick() is None)

    async def _wait(self, timeout_s: float | None, *, is_idle: bool = False) -> None:
        if self._stopping:
            return
        self._is_idle = is_idle
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            pass
        finally:
            self._is_idle = False
            self._wake.clear()

    def _pick(self) -> Delivery | None:
        """Return the first message that waits, but for those set aside; now and then, while all fails, one behind it."""
        now_s = time.monotonic()
        waiting = [each for each in self.spool.waiting(self.channel.name) if self._aside_s(each) <= now_s]
        if not waiting:
            return None
        round_, rest = divmod(self._failures, PROBE_EVERY)
        if round_ and not rest and len(waiting) > 1 and waiting[0].attempts >= self.settings.down_after:
            return waiting[1 + (round_ - 1) % min(len(waiting) - 1, PROBES)]
        return waiting[0]

    def _aside_s(self, delivery: Delivery) -> float:
        return self._aside_until_s.get(delivery.digest, 0.0)

    def _next_aside_s(self) -> float | None:
        waiting = [self._aside_s(each) for each in self.spool.waiting(self.channel.name)]
        return max(0.0, min(waiting) - time.monotonic()) if waiting else None

    async def _attempt(self, delivery: Delivery) -> bool:
        started_ns = time.monotonic_ns()
        answer = await self.worker.deliver(self._parcel(delivery))
        delivery.attempts += 1
        delivery.tried_ns = self.clock_ns()
        delivery.answer = self.redactor.line(answer.said)
        self.results[DELIVERED if answer.delivered else FAILED] += 1
        fields: dict[str, object] = {
            "channel": self.channel.name,
            "message": delivery.digest[:ID_LETTERS],
            "title": self.redactor.line(delivery.message.title),
            "attempts": delivery.attempts,
            "took_s": round((time.monotonic_ns() - started_ns) / 1e9, 3),
            "answer": delivery.answer,
        }
        if answer.delivered:
            self._delivered(delivery)
            self.log.info("alert delivered", **fields)
        else:
            self.log.warning("alert not delivered", **fields)
            self._failed(delivery)
        return answer.delivered

    def _parcel(self, delivery: Delivery) -> Parcel:
        message = delivery.message
        body = f"{message.body}\n\nMessage {delivery.digest[:ID_LETTERS]}"
        return Parcel(delivery.digest, message.severity, self.redactor.text(message.title), self.redactor.text(body))

    def _delivered(self, delivery: Delivery) -> None:
        delivery.state, delivery.ended_ns = DELIVERED, delivery.tried_ns
        self._aside_until_s.pop(delivery.digest, None)
        self._overdue_mono_ns.pop(delivery.digest, None)
        self.spool.note(delivery)
        if (
            self._failures
        ):  # what went before it and failed may be what the channel won't take: once more, and it is known
            for each in self.spool.waiting(self.channel.name):
                if each.urgency < delivery.urgency and each.attempts >= self.settings.down_after:
                    self._aside_until_s[each.digest] = 0.0
            self._recover()

    def _failed(self, delivery: Delivery) -> None:
        if delivery.digest in self._aside_until_s:  # says nothing of the channel
            self._set_aside(delivery)
        else:
            self._count_failure(delivery.answer)
        self.spool.note(delivery)
        self._give_up_overdue(None if self.down() else delivery)

    def _set_aside(self, delivery: Delivery) -> None:
        self._aside_until_s[delivery.digest] = time.monotonic() + float(self.settings.retry_max_s)

    def _cannot_start(self, problem: str) -> None:
        why = self.redactor.line(problem)
        if not self._unready:
            self.log.error("alert channel unusable", channel=self.channel.name, why=why)
        self._unready = True
        self._count_failure(why)
        self._give_up_overdue(None)

    def _count_failure(self, why: str) -> None:
        was_down = self.down() is not None and not self._unready
        if not self._failures:
            self._failing_since_ns = self.clock_ns()
        self._failures += 1
        self._why = why
        if self.down() is not None and not was_down and not self._unready:
            self.log.error("alert channel down", channel=self.channel.name, why=why)

    def _recover(self) -> None:
        if self.down() is not None:
            self.log.info("alert channel up", channel=self.channel.name, failures=self._failures)
        self._failures, self._why, self._unready = 0, "", False

    def _give_up_overdue(self, only: Delivery | None) -> None:
        """Give up what was posted too long ago: all that waits (None), or one message."""
        now_ns = self.mono_ns()
        for each in [only] if only is not None else self.spool.waiting(self.channel.name):
            if self._overdue_ns(each) <= now_ns and each.state == WAITING:
                self.give_up(each, each.answer or self._why)

    def _overdue_ns(self, delivery: Delivery) -> int:
        """Return when a message is given up, by the monotonic clock: setting the machine's changes nothing.

        How old it is when it is met first, as after a restart, only the machine's clock knows.
        """
        if delivery.digest not in self._overdue_mono_ns:
            age_ns = max(0, self.clock_ns() - delivery.posted_ns)  # below 0: the clock was set back meanwhile
            self._overdue_mono_ns[delivery.digest] = self.mono_ns() + int(self.settings.give_up_s * 10**9) - age_ns
        return self._overdue_mono_ns[delivery.digest]

    def give_up(self, delivery: Delivery, why: str) -> None:
        """Try a message no more."""
        delivery.state, delivery.ended_ns, delivery.answer = GIVEN_UP, self.clock_ns(), why
        self.count_given_up(delivery)
        self.spool.note(delivery)

    def count_given_up(self, delivery: Delivery) -> None:
        """Count and log a message that was given up, by the lane or by the spool."""
        self._aside_until_s.pop(delivery.digest, None)
        self._overdue_mono_ns.pop(delivery.digest, None)
        self.results[GIVEN_UP] += 1
        self.untold += 0 if delivery.is_notice else 1
        self.log.error(
            "alert given up",
            channel=self.channel.name,
            message=delivery.digest[:ID_LETTERS],
            title=self.redactor.line(delivery.message.title),
            attempts=delivery.attempts,
            why=delivery.answer,
        )
