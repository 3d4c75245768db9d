"""What a service manager hears: over a socket of its own, and nobody waits for it."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from myquant.session.notify import STATUS_MAX, Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A manager's socket, and its name as the environment has it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        if request.param == "path":
            address = str(tmp_path / "notify")
            sock.bind(address)
        else:
            sock.bind("")  # the kernel finds an abstract name
            address = "@" + sock.getsockname()[1:].decode()
        yield sock, address


def heard(sock: socket.socket) -> list[str]:
    """Return what has come so far."""
    found = []
    while True:
        try:
            found.append(sock.recv(4096).decode())
        except BlockingIOError:
            return found


def test_all_that_a_manager_is_told(manager: tuple[socket.socket, str]) -> None:
    sock, address = manager
    notifier = Notifier(address)
    notifier.wait_longer(300, "compiling")
    notifier.ready()
    notifier.alive("0 open positions")
    notifier.alive("0 open positions")
    notifier.alive()
    notifier.say("two\nlines " + "x" * STATUS_MAX)
    notifier.stopping()
    said = heard(sock)
    assert said == [
        "EXTEND_TIMEOUT_USEC=300000000",
        "STATUS=compiling",
        "READY=1",
        "WATCHDOG=1",
        "STATUS=0 open positions",
        "WATCHDOG=1",
        "WATCHDOG=1",
        "STATUS=" + ("two lines " + "x" * STATUS_MAX)[:STATUS_MAX],
        "STOPPING=1",
    ]


def test_processes_that_are_begun_later_have_no_manager(manager: tuple[socket.socket, str]) -> None:
    sock, address = manager
    environ = {**os.environ, "NOTIFY_SOCKET": address, "WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "1"}
    notifier = Notifier.taken_from(environ)
    asks = "import os; print([name for name in os.environ if 'NOTIFY' in name or 'WATCHDOG' in name])"
    said = subprocess.run([sys.executable, "-c", asks], env=environ, capture_output=True, text=True, check=True).stdout
    assert said == "[]\n"
    notifier.ready()
    assert heard(sock) == ["READY=1"]


@pytest.mark.parametrize(
    "address", ["", "/nowhere/at/all", "@nobody-listens-here", "vsock:2:1234", "/" + "x" * 200, "relative"]
)
def test_where_nobody_hears_nothing_happens(address: str) -> None:
    notifier = Notifier.taken_from({"NOTIFY_SOCKET": address} if address else {})
    notifier.ready()
    notifier.alive("as ever")
    notifier.stopping()


def test_a_manager_that_does_not_listen_keeps_nobody_waiting(manager: tuple[socket.socket, str]) -> None:
    sock, address = manager
    notifier = Notifier(address)
    for _ in range(5000):  # far more than its queue holds
        notifier.alive()
    assert 0 < len(heard(sock)) < 5000
    notifier.alive()
    assert heard(sock) == ["WATCHDOG=1"]
