"""The server of the pages, which ends by a signal in bounded time, whatever somebody has open or is waiting for."""

import asyncio
import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import uvicorn

from myquant.dashboard.connections import BoundedHttp, TlsDoor

END_S: Final = 2.5  # from a signal to the end, at the latest
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Server(uvicorn.Server):
    """Ends by SIGINT or SIGTERM and returns; uvicorn's own sends itself the signal once more, and what is open stays so.

    Args:
        config: how it serves.
        give_up: called, in another thread, where it has not returned in time; then the process ends with exit code 0.
        end_s: what is in time.
        tls: certificate and key, where it serves https.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        give_up: Callable[[], None],
        end_s: float = END_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(config)
        self._tls = tls
        self._accepting: list[asyncio.Task[None]] = []
        self._give_up = give_up
        self._timer = threading.Timer(end_s, self._end)
        self._timer.daemon = True

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Take signals as long as it serves."""
        before = {number: signal.signal(number, self.handle_exit) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections."""
        if self._tls is None:
            await super().startup(sockets)
            return
        await super().startup([])
        door = TlsDoor(self._tls, self.server_state.connections, self._make_http)
        self._accepting = [asyncio.create_task(door.accept(each)) for each in sockets or ()]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, and end those that are there."""
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        await super().shutdown(sockets)

    def _make_http(self) -> BoundedHttp:
        return BoundedHttp(self.config, self.server_state, self.lifespan.state)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        if not self.should_exit:
            self._timer.start()
        super().handle_exit(sig, frame)

    def close(self) -> None:
        """Note that it has ended in time."""
        self._timer.cancel()

    def _end(self) -> None:
        """End the process: a thread that reads a large folder can't be ended otherwise."""
        try:
            self._give_up()
        finally:
            os._exit(0)
