"""A relay in front of the feed that answers late: the fault of a slow handshake."""

import asyncio
import contextlib
from collections import Counter
from typing import Final

from myquant.lab.angelone.faults import SlowHandshake

READ_BYTES: Final = 1 << 16


class Relay:
    """Carries bytes between a port and the feed's; a connection that is slow waits before its first byte."""

    def __init__(self, fault: SlowHandshake, counts: Counter[str], host: str, target_port: int) -> None:
        """Prepare a relay to a port of the same host."""
        self._fault, self._counts = fault, counts
        self._host, self._target_port = host, target_port
        self._opened = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, port: int) -> int:
        """Listen on a port, 0: any; return it."""
        self._server = await asyncio.start_server(self._accept, self._host, port)
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def stop(self) -> None:
        """Listen no more, and close what is open."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._opened += 1
        task = asyncio.create_task(self._serve(self._opened, reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            if self._fault.connection in {0, number}:
                self._counts["slow_handshake"] += 1
                await asyncio.sleep(self._fault.seconds)
            inner_reader, inner_writer = await asyncio.open_connection(self._host, self._target_port)
            with contextlib.closing(inner_writer):
                await asyncio.gather(_carry(reader, inner_writer), _carry(inner_reader, writer))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes one way until an end; a connection that broke is one that ended."""
    with contextlib.suppress(ConnectionError):
        while content := await reader.read(READ_BYTES):
            writer.write(content)
            await writer.drain()
    writer.close()
