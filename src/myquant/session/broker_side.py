"""A session's side towards its broker while it runs: orders, the reconciler, the shadow."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from myquant.brokers.port import OrderPort
from myquant.errors import DataError, JournalError, MyquantError
from myquant.journal.disk import DISK
from myquant.session.broker_orders import BrokerOrders, Host
from myquant.session.fence import holder
from myquant.session.loop import SessionLoop
from myquant.session.reconciling import OthersFile, Reconciler, settings_of
from myquant.session.sent_notes import SentNotes
from myquant.session.shadow import Shadow
from myquant.session.shadow_file import ShadowFile
from myquant.session.telemetry import BrokerFigures

UNREAD: Final = "the broker's books have not been looked at yet"
STOPPED: Final = 5  # the exit code of a session that may not send any more


@dataclass(frozen=True)
class BrokerParts:
    """What the broker's side of a session is made of. `session_key`: of the orders' tags; `fence`: its folder."""

    port: OrderPort
    orders: BrokerOrders
    shadow: Shadow | None
    folder: Path
    session_key: int
    fence: Path


class BrokerSide:
    """Begins, watches and ends what a session has at its broker; a companion of its loop.

    No entry leaves before the first good look at the books.
    """

    def __init__(self, parts: BrokerParts, loop: SessionLoop) -> None:
        self._parts = parts
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        self._compared = None if parts.shadow is None else ShadowFile(parts.folder, parts.shadow)
        supervisor = loop.supervisor
        self._sent = SentNotes(parts.orders.who_of, supervisor.notes.sent, loop.later)
        parts.port.on_sent = self._sent.take
        supervisor.heed = parts.orders.watch
        if parts.shadow is not None:
            supervisor.look_on = parts.shadow.see
        supervisor.hold(UNREAD)
        loop.broker_ids = parts.port.broker_ids

    def start(self) -> None:
        """Take up the orders of the recovered engine, connect, and look at the books."""
        parts, loop, supervisor = self._parts, self._loop, self._loop.supervisor
        config = supervisor.runner.engine.loaded.config
        if parts.shadow is not None and self._compared is not None:
            parts.shadow.later = loop.later
            self._go_on_comparing(self._compared)
        host = Host(
            take=loop.guarded(supervisor.take),
            now_ns=supervisor.exchange_clock.now_ns,
            wall_ns=supervisor.clock.wall_ns,
            monotonic_ns=supervisor.clock.monotonic_ns,
            soon=lambda call: asyncio.get_running_loop().call_soon(loop.guarded(call)),
            later=loop.later,
            stop=self._stop,
        )
        adopted = parts.orders.attach(host)
        supervisor.prime = parts.orders.prime
        if adopted:
            supervisor.log.warning("orders of an earlier process: the books will tell", orders=adopted)
        reconciler = Reconciler(
            parts.port,
            parts.orders,
            host,
            supervisor.log,
            OthersFile(parts.folder, DISK),
            settings_of(config, parts.session_key, config.angelone.product),
            every_s=float(config.broker.reconcile_s),
            channel_max_s=float(config.broker.channel_max_s),
        )
        reconciler.on_ready = supervisor.release
        supervisor.telemetry.broker = lambda: BrokerFigures(
            parts.orders.channel_lost_ns, reconciler.looked_ns, reconciler.differences
        )
        supervisor.each_second.append(parts.orders.on_timer)
        parts.port.start()
        self._task = asyncio.create_task(reconciler.run())
        self._task.add_done_callback(self._loop.watch_task)

    async def aclose(self) -> None:
        """Let go of the broker: resting orders stay, nothing is sent any more. The shadow's comparison is written."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._parts.port.aclose()
        self._sent.write()
        if self._compared is not None:
            self._keep(self._compared.store)

    def _go_on_comparing(self, file: ShadowFile) -> None:
        """Go on with what earlier processes of the session have compared, and keep what is new."""
        supervisor = self._loop.supervisor
        try:
            file.load()
        except DataError as error:
            supervisor.note_error("the shadow's comparison is lost", error)
        supervisor.each_second.append(lambda: self._keep(file.add))

    def _keep(self, write: Callable[[], None]) -> None:
        """Write of the shadow's comparison. A disk that refuses it must not keep the session from anything."""
        try:
            write()
        except MyquantError as error:
            self._loop.supervisor.note_error("the shadow's comparison can't be kept", error)

    def _stop(self, why: str) -> None:
        try:
            by = holder(self._parts.fence, DISK)
        except JournalError:
            by = None
        self._loop.stop(STOPPED, f"{why}: {by.name}, process {by.pid}" if by is not None else why)
