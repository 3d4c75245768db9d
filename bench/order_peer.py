"""A broker's two sockets: sends packets, and stamps the orders that they lead to, `python -m bench.order_peer TEMPLATE SHOTS`.

A process of its own, light to start. Prints the ports of its feed and of its order service; serves one WebSocket
connection and, beside it, kept-open HTTP connections, on which it refuses each order as the broker would. A shot is two
packets: one that leads to nothing, and a while later one that leads to an order. Prints, for each shot that did, when that packet
left and when the order's first byte was there (monotonic ns).

TEMPLATE is a .npy of frames, uint8 (n, 383), of which the odd ones lead to an order.
"""

import gc
import json
import os
import random
import select
import socket
import sys
import time
from typing import Final

import numpy as np

from bench.session_sender import Turns, accept

SECOND_NS: Final = 10**9
FIRST: Final = 20  # packets after which each rise leads to an order
WARM: Final = 40  # shots that are not measured
STEP_MS: Final = 50.0  # of the exchange's time, from packet to packet
REST_S: Final = (
    (0.007, 0.009),
    (0.001, 0.003),
)  # before either packet: what an order leads to, a line of the log, is done
TIMEOUT_S: Final = (
    0.25  # a client that was stopped meanwhile may still have had the last order under way: it sends none
)
FIRST_S: Final = 0.01
HEAD_END: Final = b"\r\n\r\n"
REFUSAL: Final = b'{"status":false,"message":"no","errorcode":"AB1012","data":null}'
REPLY: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(REFUSAL),
    REFUSAL,
)


class OrderSide:
    """The connections that orders come on."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server
        server.setblocking(False)
        self._open: list[socket.socket] = []

    def take_connections(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except BlockingIOError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setblocking(False)
            self._open.append(connection)

    def stamp(self) -> int:
        """Wait for an order, busily; return when its first byte was there, 0: none came. It is read and refused."""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            for connection in self._open:
                try:
                    content = connection.recv(8192)
                except BlockingIOError:
                    continue
                stamp = time.monotonic_ns()
                self._finish(connection, content)
                return stamp
        return 0

    def refuse(self, seconds: float) -> None:
        """Refuse what comes within a while."""
        for connection in select.select(self._open, [], [], seconds)[0]:
            self._finish(connection, b"")

    def _finish(self, connection: socket.socket, content: bytes) -> None:
        while not self._is_whole(content):
            select.select([connection], [], [], TIMEOUT_S)
            content += connection.recv(8192)
        connection.sendall(REPLY)

    @staticmethod
    def _is_whole(content: bytes) -> bool:
        head, end, body = content.partition(HEAD_END)
        if not end:
            return False
        length = int(head.lower().rpartition(b"content-length: ")[2].split(b"\r\n")[0])
        return len(body) >= length


def main() -> None:
    template, shots = np.load(sys.argv[1]), int(sys.argv[2])
    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    pauses = random.Random(1)  # noqa: S311  (a repeatable wait)
    with socket.create_server(("127.0.0.1", 0)) as feed, socket.create_server(("127.0.0.1", 0)) as orders:
        print(feed.getsockname()[1], orders.getsockname()[1], flush=True)
        side = OrderSide(orders)
        with accept(feed) as connection:
            time.sleep(0.3)  # the other connections are there by then
            side.take_connections()
            turns, stamps = Turns(template, 1), []
            view = memoryview(turns.content)
            gc.disable()
            for number in range(FIRST + 2 * (WARM + shots)):
                time.sleep(pauses.uniform(*REST_S[number % 2]))
                at = turns.make(STEP_MS)
                left = time.monotonic_ns()
                connection.sendall(view[at : at + turns.size])
                if number < FIRST:
                    side.refuse(FIRST_S)
                elif number % 2 and (came := side.stamp()):
                    stamps.append((left, came))
            print(json.dumps(stamps[WARM:]), flush=True)
            while connection.recv(4096):
                pass  # until the client has left


if __name__ == "__main__":
    main()
