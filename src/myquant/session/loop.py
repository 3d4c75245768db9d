"""The loop of a session process: the feed's sockets, a timer, signals and the operator, all in one thread."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from myquant.brokers.packets import HANDOFF_FULL
from myquant.core import codes
from myquant.errors import BrokerError, MyquantError
from myquant.session.answers import Answers
from myquant.session.hours import Hours
from myquant.session.open_ends import BrokerIds, held_on, open_ends
from myquant.session.operator import COMPILING, COMPILING_S, OperatorServer
from myquant.session.rules import SECOND_NS
from myquant.session.runner import is_ready
from myquant.session.supervisor import Supervisor

TIMER_S: Final = 1.0
TELL_S: Final = 0.005  # from an order to its line in the log: by then the packets that waited for it are taken
GRACE_NS: Final = 5 * SECOND_NS  # after the close, for the last packets
LEAVE_S: Final = 30.0  # how long a stop waits for positions to close, or for orders to come to rest
FAILED: Final = 1
STOPPING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # SIGHUP: the terminal was closed


@contextmanager
def signals_as_before() -> Iterator[None]:
    """Give the signals that stop a session back the handlers that they had."""
    before = {number: signal.getsignal(number) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class FeedPort(Protocol):
    """A broker's feed: it calls the supervisor's `on_frame` and `on_status`."""

    @property
    def failure(self) -> BrokerError | None:
        """Why it does not try any more; None: it goes on."""

    def start(self) -> None:
        """Begin to connect, and go on by itself."""

    async def aclose(self) -> None:
        """End all connections."""


class Companion(Protocol):
    """Something that runs beside a session, in its loop."""

    def start(self) -> None:
        """Begin, in the running loop."""

    async def aclose(self) -> None:
        """End."""


class SessionLoop:
    """Runs one session until its day is over or it is told to stop.

    Args:
        hours: from an exchange time to the hours of its day; None: the markets are closed then.
        flatten_on_stop: whether a stop closes positions, or keeps them for the next start.
        hide: takes a secret that no log may show.

    Attributes:
        is_over: the day ended, not only this process.
        cut_off: why nothing can be sent any more; empty: it can.
        broker_ids: names orders as the broker does; None: fills are simulated.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        folder: Path,
        kind: str,
        hours: Callable[[int], Hours | None],
        *,
        flatten_on_stop: bool,
        hide: Callable[[str], None],
    ) -> None:
        self.supervisor = supervisor
        self.is_over = False
        self.cut_off = ""
        self._answers = Answers(supervisor, folder, kind)
        self._answers.waits_for, self._answers.keeps = self._waits_for, self._keeps
        self.broker_ids: BrokerIds | None = None
        self._operator = OperatorServer(folder, self._ask)
        self._hours = hours
        self._flatten_on_stop = flatten_on_stop
        self.hide = hide
        self.companion: Companion | None = None
        self._told_failure = ""
        self._failure: BaseException | None = None
        self._woken = asyncio.Event()

    async def run(self, feed: FeedPort) -> int:
        """Run the session on a feed, which calls `on_frame` and `on_status`, and return its exit code.

        Signals that stop it are ignored afterwards, till the caller has written the results.
        """
        loop = asyncio.get_running_loop()
        for number in STOPPING:
            loop.add_signal_handler(number, self._on_signal, number)
        has_code = is_ready(self.supervisor.runner.engine.strategy)
        if not has_code:
            self.supervisor.telemetry.notifier.wait_longer(COMPILING_S, COMPILING)
        await self._operator.start("" if has_code else COMPILING)
        self.hide(self._operator.token)
        self.supervisor.started(os.getpid())
        self.supervisor.start()  # its event is the first that runs the engine's code
        if not has_code:
            self._operator.note_doing("")
        telemetry = self.supervisor.telemetry
        telemetry.pauses.start()
        gc.freeze()  # as it is: what a start leaves for the collector is not worth the 0.07 s of a look
        gc.disable()
        self.supervisor.put_off(self.later)
        if self.supervisor.durable_orders:
            self.supervisor.journal.aside = partial(loop.run_in_executor, None)
        try:
            if self.companion is not None:
                self.companion.start()
            feed.start()
            telemetry.notifier.ready()
            await self._tick_timers(feed)
            telemetry.notifier.stopping()
            await self._stop()
            self._tell_held()
        finally:
            gc.enable()
            gc.unfreeze()
            telemetry.pauses.stop()
            try:
                await self._close(feed)
            finally:
                self.supervisor.tell_at_once()
        if self._failure is not None:
            raise self._failure
        return self.supervisor.stopping or 0

    async def _close(self, feed: FeedPort) -> None:
        """Let go of sockets and signals."""
        await feed.aclose()
        if self.companion is not None:
            await self.companion.aclose()
        await self._operator.close()
        for number in STOPPING:
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)  # what is left is quick, and must not be cut short

    def on_frame(self, connection: int, payload: memoryview, arrived_ns: int) -> None:
        """Take a frame; a defect ends the session instead of being swallowed by the socket's callback."""
        try:
            self.supervisor.on_frame(connection, payload, arrived_ns)
        except BaseException as error:  # noqa: BLE001  (told and raised by `run`)
            self._fail(error)

    def on_status(self, connection: int, healthy: bool, reason: str) -> None:
        """Take what became of a connection, likewise."""
        try:
            self.supervisor.on_status(connection, healthy, reason)
        except BaseException as error:  # noqa: BLE001  (told and raised by `run`)
            self._fail(error)

    def on_lost(self, frames: int) -> None:
        """Count, and tell of, frames for which the hand-off from the feed's reader had no room."""
        self.supervisor.decoders[0].counts[HANDOFF_FULL] += frames
        self.supervisor.log.warning("the hand-off was full", frames=frames)

    def _ask(self, request: str, reason: str, who: str) -> dict[str, Any]:
        """Answer the operator, likewise."""
        try:
            return self._answers.ask(request, reason, who)
        except MyquantError:  # a refusal
            raise
        except BaseException as error:
            self._fail(error)
            raise
        finally:
            if self.supervisor.stopping is not None:
                self._woken.set()

    def later(self, call: Callable[[], None]) -> None:
        """Call something when the packets that wait now are taken; a defect in it is not swallowed either."""
        asyncio.get_running_loop().call_later(TELL_S, self.guarded(call))

    def guarded(self, call: Callable[..., None]) -> Callable[..., None]:
        """Return a call that the loop may make: a defect in it ends the session instead of being swallowed."""

        def guarded(*arguments: Any) -> None:
            try:
                call(*arguments)
            except BaseException as error:  # noqa: BLE001  (told and raised by `run`)
                self._fail(error)

        return guarded

    def watch_task(self, task: "asyncio.Task[None]") -> None:
        """End the session when a task beside it fails."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(error)

    def stop(self, exit_code: int, why: str) -> None:
        """End the session, with this exit code and as it stands: it may send nothing any more."""
        if not self.cut_off:
            self.cut_off = why
            self.supervisor.log.error("the session stops", why=why)
            self.supervisor.stopping = self.supervisor.stopping or exit_code
        self._woken.set()

    def _fail(self, error: BaseException) -> None:
        is_first, self._failure = self._failure is None, self._failure or error
        self.supervisor.stopping = FAILED
        self._woken.set()
        if is_first:
            try:
                self.supervisor.tell_waiting()
            finally:  # what failed may be the telling
                self.supervisor.log.error("the session failed", error=f"{type(error).__name__}: {error}")

    def _on_signal(self, number: signal.Signals) -> None:
        self.supervisor.ask_to_stop()
        self.supervisor.tell_waiting()
        self.supervisor.log.warning("signal", name=signal.Signals(number).name, hurry=self.supervisor.hurries)
        self._woken.set()

    async def _tick_timers(self, feed: FeedPort) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + TIMER_S
        while self.supervisor.stopping is None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), max(0.0, due - loop.time()))
            if loop.time() < due:
                continue  # woken: there is a reason to stop, or there will be one with the next timer
            self.supervisor.telemetry.late_ns = round((loop.time() - due) * SECOND_NS)
            due = max(due + TIMER_S, loop.time())  # after a stall timers are not made up for
            self.supervisor.on_timer()
            self._answers.tell_manager()
            if self._day_is_over():
                self.is_over = True
                return
            self._tell_feed_failure(feed)

    def _tell_feed_failure(self, feed: FeedPort) -> None:
        """Say once that the feed has given up. The session stays: positions are still managed by its timers."""
        failure = feed.failure
        if failure is not None and str(failure) != self._told_failure:
            self._told_failure = str(failure)
            self.supervisor.note_error("the feed has given up", failure)

    def _day_is_over(self) -> bool:
        clock = self.supervisor.exchange_clock
        if not clock.known:
            return False
        now = clock.now_ns()
        hours = self._hours(now)
        return hours is not None and now >= hours.close_ns + GRACE_NS

    def expects_data(self) -> bool:
        """Return whether packets must be coming now: the market is open."""
        now = self.supervisor.exchange_clock.now_ns()
        hours = self._hours(now)
        return hours is not None and hours.open_ns <= now < hours.close_ns

    async def _stop(self) -> None:
        """End in order: no new entries, positions closed where that is wished, the state on disk."""
        supervisor = self.supervisor
        if self._failure is not None:
            return
        if not supervisor.feed.stale:
            supervisor.event(codes.FEED_STATUS, codes.FEED_IS_STALE)  # no new entries
        if self.is_over or self.cut_off:
            return
        if self._flattens():
            await self._wish(codes.ASK_FLATTEN)
        elif self._waits_for():
            await self._wish(codes.ASK_LEAVE)

    async def _wish(self, wish: int) -> None:
        """Ask the engine for something as an operator would, and wait until it is done; a second signal ends the wait."""
        supervisor, loop = self.supervisor, asyncio.get_running_loop()
        account: Any = supervisor.runner.engine.desk[0]["account"]
        was_free = account["halt"] == codes.NOT_HALTED and not account["flatten"]
        began, told, halts = loop.time(), self._waits_for(), self._answers.halts
        supervisor.untold.is_leaving = True
        supervisor.event(codes.OPERATOR, wish)
        if told:
            supervisor.tell_waiting()
            supervisor.log.warning("the stop waits", orders=told, at_most_s=LEAVE_S, hurry="a second signal or stop")
        while (
            (left := self._waits_for()) and not (supervisor.hurries or self.cut_off) and loop.time() < began + LEAVE_S
        ):
            await asyncio.sleep(TIMER_S / 10)
            supervisor.event(codes.TIMER)
            supervisor.telemetry.notifier.alive()
        waited_s = round(loop.time() - began, 1)
        supervisor.tell_waiting()
        if left:
            supervisor.log.error("the session leaves with orders at work", orders=left, waited_s=waited_s)
        elif told:
            supervisor.log.info("the stop has waited", waited_s=waited_s)
        nobody_else = account["halt"] in (codes.NOT_HALTED, codes.BY_OPERATOR) and not account["unknown"]
        if was_free and nobody_else and self._answers.halts == halts:  # the next start is not to wait for a person
            supervisor.event(codes.OPERATOR, codes.ASK_RESUME)

    def _tell_held(self) -> None:
        """Say of each position that stays open what protects it while nobody manages it."""
        self.supervisor.tell_waiting()
        for held in held_on(self.supervisor.runner.engine, self.broker_ids):
            said = self.supervisor.log.error if held.is_bare else self.supervisor.log.warning
            said("the session leaves a position open", position=held.text)

    def _keeps(self) -> str:
        """Return what a stop leaves open, in words, as it stands; empty: nothing."""
        closes = self._flattens() and not self.supervisor.hurries
        return (
            "" if closes else ", ".join(held.text for held in held_on(self.supervisor.runner.engine, self.broker_ids))
        )

    def _flattens(self) -> bool:
        return self._flatten_on_stop or self.supervisor.closing

    def _waits_for(self) -> str:
        """Return what a stop has to wait for, in words; empty: nothing."""
        return ", ".join(open_ends(self.supervisor.runner.engine, flat=self._flattens()))
