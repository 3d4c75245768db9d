"""The courier: takes messages and sees to it that each gets to its channel, whatever the channels, the disk or a restart do.

A channel has a process and a lane of its own, so that one that hangs holds up no other. Nothing here waits in the loop: a
message is written to the spool, and the rest is up to the lanes.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Final, NamedTuple

from myquant.brokers.secrets import Redactor
from myquant.config.watching import AlertSettings
from myquant.monitor.channels import Channel, secret_parts
from myquant.monitor.finding import WARNING
from myquant.monitor.lane import Carrying, Lane, Log
from myquant.monitor.message import Message
from myquant.monitor.spool import GIVEN_UP, Spool
from myquant.monitor.worker import Worker

LOOK_S: Final = 1.0
CLEAN_S: Final = 3600.0
STRANGER: Final = "its channel is configured no more"
NOTICE_S: Final = 600.0  # from one notice of what a channel gave up to the next


class CourierCounts(NamedTuple):
    """For metrics."""

    deliveries: dict[tuple[str, str], int]  # by channel and result (delivered, failed, given_up), since the start
    spool: dict[str, int]  # messages that wait, by channel
    up: dict[str, bool]  # by channel


class Courier:
    """Delivers messages.

    Args:
        channels: all that messages may be for.
        settings: how often and how long to try.
        spool: what waits.
        log: where receipts and failures go.
        environ: of this process.
        clock_ns: the machine's clock, UTC.
        mono_ns: its monotonic clock.
        rng: chance in the waits.
        worker: makes the process of a channel.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        settings: AlertSettings,
        spool: Spool,
        log: Log,
        environ: Mapping[str, str],
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        mono_ns: Callable[[], int] = time.monotonic_ns,
        rng: Random | None = None,
        worker: Callable[[Channel, Redactor, float, Mapping[str, str]], Carrying] = Worker,
    ) -> None:
        self.redactor = Redactor(part for channel in channels for part in secret_parts(channel.address))
        self._spool = spool
        self._log = log
        self._clock_ns = clock_ns
        self._stopped = asyncio.Event()
        self._is_in_trouble = False
        self._strangers: Counter[tuple[str, str]] = Counter()  # by channel and result, which is that they are given up
        self._noticed_s: dict[str, float] = {}
        chance = rng if rng is not None else Random()  # noqa: S311  (spreads retries, no secret)
        self._lanes = {
            each.name: Lane(
                each,
                worker(each, self.redactor, float(settings.attempt_s), environ),
                *(spool, settings, self.redactor, log, clock_ns, mono_ns, chance),
            )
            for each in channels
        }

    def post(self, message: Message) -> None:
        """Take a message. It is on the disk when this returns, or, where that can't be, in memory: see `trouble`.

        One that was posted before, equal in all fields, is not sent again. One for a channel that is unknown, as a monitor with
        other settings may have left it, is given up.
        """
        lane = self._lanes.get(message.channel)
        if lane is None:
            self._give_up_stranger(message)
        elif (delivery := self._spool.add(message)) is not None:
            lane.wake(delivery)
        self._count_overflow()
        self._tell_trouble()

    async def run(self) -> None:
        """Deliver, until `stop` was called or this is cancelled."""
        self._drop_strangers()
        async with asyncio.TaskGroup() as group:
            caring = group.create_task(self._care())
            lanes = [group.create_task(lane.run()) for lane in self._lanes.values()]
            await self._stopped.wait()
            if lanes:
                await asyncio.wait(lanes)
            caring.cancel()
        self._spool.save()

    def stop(self) -> None:
        """Let `run` end once what waits is delivered; where that fails, it stays for the next start."""
        self._stopped.set()
        for lane in self._lanes.values():
            lane.stop()

    def down(self) -> dict[str, tuple[int, str]]:
        """Return the channels that are down: since when (ns, UTC), and why."""
        found = {name: lane.down() for name, lane in self._lanes.items()}
        return {name: state for name, state in found.items() if state is not None}

    def trouble(self) -> tuple[int, str] | None:
        """Return since when (ns, UTC) the spool can't be written, and why; None: it can."""
        return self._spool.trouble

    def counts(self) -> CourierCounts:
        """Return what was done, and what is left to do."""
        down = self.down()
        return CourierCounts(
            {(name, result): n for name, lane in self._lanes.items() for result, n in lane.results.items()}
            | self._strangers,
            dict.fromkeys(self._lanes, 0) | self._spool.lengths(),
            {name: name not in down for name in self._lanes},
        )

    async def _care(self) -> None:
        """Write what could not be written, tell what was given up, remove old receipts."""
        cleaned_s = -CLEAN_S
        while True:
            if self._spool.trouble is not None:
                self._spool.save()
                self._tell_trouble()
            self._tell_given_up()
            if time.monotonic() - cleaned_s >= CLEAN_S:
                self._spool.clean()
                cleaned_s = time.monotonic()
            await asyncio.sleep(LOOK_S)

    def _count_overflow(self) -> None:
        while self._spool.overflow:
            each = self._spool.overflow.pop()
            if (lane := self._lanes.get(each.message.channel)) is not None:
                lane.count_given_up(each)
            else:
                self._give_up_stranger(each.message)

    def _tell_trouble(self) -> None:
        trouble = self._spool.trouble
        if trouble is not None and not self._is_in_trouble:
            self._log.error("alerts can't be written to disk, and are kept in memory", why=trouble[1])
        if trouble is None and self._is_in_trouble:
            self._log.info("alerts are on disk again")
        self._is_in_trouble = trouble is not None

    def _drop_strangers(self) -> None:
        """Give up what waits for channels that are configured no more."""
        for name in set(self._spool.lengths()) - set(self._lanes):
            for each in self._spool.waiting(name):
                each.state, each.ended_ns, each.answer = GIVEN_UP, self._clock_ns(), STRANGER
                self._spool.note(each)
                self._give_up_stranger(each.message)

    def _give_up_stranger(self, message: Message) -> None:
        self._strangers[message.channel, GIVEN_UP] += 1
        self._log.error(
            "alert given up", channel=message.channel, title=self.redactor.line(message.title), why=STRANGER
        )

    def _tell_given_up(self) -> None:
        """Tell the other channels of what one gave up: those that are up, or all where none is."""
        now_s = time.monotonic()
        for name, lane in self._lanes.items():
            if not lane.untold or now_s - self._noticed_s.get(name, -NOTICE_S) < NOTICE_S:
                continue
            down = self.down()
            others = [other for other in self._lanes if other != name]
            chosen = [other for other in others if other not in down] or others
            count, lane.untold = lane.untold, 0
            self._noticed_s[name] = now_s
            for other in chosen:
                self._post_notice(other, name, count)

    def _post_notice(self, channel: str, failed: str, count: int) -> None:
        noun = "message" if count == 1 else "messages"
        title = f"WARNING monitor: {count:,} {noun} for channel {failed} given up"
        body = (
            f"{count:,} {noun} could not be delivered through channel {failed} and will not be tried again.\n"
            f"Look: myquant alerts list --all\nTry the channel: myquant alerts test {failed}"
        )
        notice = Message(channel, WARNING, title, body, (), self._clock_ns())
        if (delivery := self._spool.add(notice, is_notice=True)) is not None:
            self._lanes[channel].wake(delivery)


async def stop_in_order(courier: Courier, running: "asyncio.Task[None]", grace_s: float) -> None:
    """End a courier that runs: what waits goes out first, for `grace_s` at most."""
    courier.stop()
    with suppress(TimeoutError):
        await asyncio.wait_for(running, grace_s)
