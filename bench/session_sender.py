"""A broker's socket: sends packets at a rate, `python -m bench.session_sender TEMPLATE INSTRUMENTS WARM COUNT RATE`.

A process of its own, light to start. Prints its port; serves one WebSocket connection; sends, once the client has sent
something, `WARM` packets slowly and then `COUNT` at `RATE` a second; prints when the first of these was due (monotonic ns)
and how late it was itself. Packets that are due together, as it was late, leave together, as from any server.

TEMPLATE is a .npy of frames, uint8 (n, 383); they are sent again and again.
"""

import base64
import gc
import hashlib
import json
import socket
import struct
import sys
import time
from typing import Any, Final

import numpy as np

SECOND_NS: Final = 10**9
WARM_RATE: Final = 5_000.0
PAUSE_S: Final = 0.2  # between both
SPIN_NS: Final = 300_000  # before a packet is due: to wake from a sleep takes a while
TOGETHER: Final = 64
HEAD: Final = 4  # bytes before the payload
NUMBER_AND_TIME: Final = struct.Struct("<qq")
WORD: Final = struct.Struct("<q")
NUMBER, VOLUME, TRADED_S = (HEAD + offset for offset in (27, 67, 123))
LOT: Final = 75
BEGIN_MS: Final = 1_759_465_800_000  # 2025-10-03 10:00 in India
MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455


class Turns:
    """Frames that come again and again with numbers, times and volumes that go on.

    Attributes:
        content: all frames, one after the other.
        made: how many have been made.
    """

    def __init__(self, template: np.ndarray[Any, Any], instruments: int) -> None:
        self.count, self.size = (int(length) for length in template.shape)
        self.content = bytearray(template.tobytes())
        self.made = 0
        self._instruments = instruments
        self._time_ms = float(BEGIN_MS)

    def make(self, step_ms: float) -> int:
        """Make the next frame, later than the last one by so much; return where it stands in `content`."""
        content, at = self.content, self.made % self.count * self.size
        time_ms = int(self._time_ms)
        self.made += 1
        self._time_ms += step_ms
        NUMBER_AND_TIME.pack_into(content, at + NUMBER, self.made, time_ms)
        WORD.pack_into(content, at + VOLUME, LOT * (self.made // self._instruments + 1))
        WORD.pack_into(content, at + TRADED_S, time_ms // 1000)
        return at


def send(connection: socket.socket, turns: Turns, count: int, rate: float) -> tuple[int, list[int]]:
    """Send so many frames; return when the first was due, ns, and how late they left, those that did so together once."""
    interval_ns, view = SECOND_NS / rate, memoryview(turns.content)
    began = time.monotonic_ns() + SPIN_NS
    done, late = 0, []
    while done < count:
        due = began + int(done * interval_ns)
        while (now := time.monotonic_ns()) < due:
            if due - now > 2 * SPIN_NS:
                time.sleep((due - now - SPIN_NS) / SECOND_NS)
        to_end = turns.count - turns.made % turns.count
        together = min(1 + int((now - due) / interval_ns), TOGETHER, count - done, to_end)
        first = turns.make(1e3 / rate)
        for _ in range(together - 1):
            turns.make(1e3 / rate)
        connection.sendall(view[first : first + together * turns.size])
        late.append(now - due)
        done += together
    return began, late


def accept(server: socket.socket) -> socket.socket:
    """Take a connection, upgrade it, and wait until the client says something."""
    connection, _ = server.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.recv(4096)
    headers = dict(line.split(b": ", 1) for line in request.split(b"\r\n\r\n")[0].split(b"\r\n")[1:])
    key = next(value for name, value in headers.items() if name.lower() == b"sec-websocket-key")
    accepted = base64.b64encode(hashlib.sha1(key + MAGIC).digest())  # noqa: S324  (as the protocol has it)
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accepted + b"\r\n\r\n"
    )
    connection.recv(4096)
    return connection


def main() -> None:
    template = np.load(sys.argv[1])
    instruments, warm, count = map(int, sys.argv[2:5])
    rate = float(sys.argv[5])
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        with accept(server) as connection:
            turns = Turns(template, instruments)
            gc.disable()
            send(connection, turns, warm, WARM_RATE)
            time.sleep(PAUSE_S)
            due_ns, late_ns = send(connection, turns, count, rate)
            late = np.percentile(late_ns, [50, 99, 100]).tolist()
            print(json.dumps({"due_ns": due_ns, "late_ns": late, "together": count / len(late_ns)}), flush=True)
            while connection.recv(4096):
                pass  # until the client has left


if __name__ == "__main__":
    main()
