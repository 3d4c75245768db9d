"""Tells a service manager how a process does: the protocol of sd_notify(3), texts to a datagram socket of the manager's.

Where no manager asked for it nothing is sent. What can't be sent is let go: a manager that does not listen keeps nobody waiting.
"""

import socket
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Final, Self

SOCKET: Final = "NOTIFY_SOCKET"
VARIABLES: Final = (SOCKET, "WATCHDOG_USEC", "WATCHDOG_PID")
STATUS_MAX: Final = 500  # characters


class Notifier:
    """Tells the manager that listens at `address`: a path, or a name that begins with "@"; empty: there is none."""

    def __init__(self, address: str = "") -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._status = ""

    @classmethod
    def taken_from(cls, environ: MutableMapping[str, str]) -> Self:
        """Make one for the manager that the environment names, and take it out there: processes begun later have none."""
        address = environ.get(SOCKET, "")
        for name in VARIABLES:
            environ.pop(name, None)
        return cls(address)

    def ready(self) -> None:
        """Say that the process is at work."""
        self._send("READY=1")

    def alive(self, status: str = "") -> None:
        """Say that the process lives, once in the manager's watchdog time at least; `status` as in `say`."""
        self._send("WATCHDOG=1")
        if status:
            self.say(status)

    def say(self, status: str) -> None:
        """Say in a line, for people, how the process does; the same line is not sent twice in a row."""
        if status != self._status:
            self._status = status
            self._send(f"STATUS={' '.join(status.split())[:STATUS_MAX]}")

    def wait_longer(self, seconds: int, why: str) -> None:
        """Say that the start, or the end, takes so much longer, and why."""
        self._send(f"EXTEND_TIMEOUT_USEC={seconds}000000")
        self.say(why)

    def stopping(self) -> None:
        """Say that the process ends by itself."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address.startswith(("/", "\0")):
            return
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as sock,
        ):
            sock.sendto(text.encode("utf-8", "replace"), self._address)
