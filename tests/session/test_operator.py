"""The operator's socket: who may ask, what is asked, and what it says to everything else."""

import asyncio
import json
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from myquant.errors import ConfigError, MyquantError
from myquant.session import operator
from myquant.session.operator import CARD, SOCKET, OperatorServer, ask_session, is_running, running_sessions

LIMIT_S = 10.0

NewLoop = Callable[[], asyncio.AbstractEventLoop]
LOOPS: list[NewLoop] = [asyncio.new_event_loop, uvloop.new_event_loop]


class Session:
    """A session that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []

    def ask(self, request: str, reason: str, who: str) -> Mapping[str, Any]:
        self.asked.append((request, reason, who))
        if request == operator.RESUME:
            raise MyquantError("the journal has failed: restart first")
        if reason == "defect":
            raise KeyError(reason)
        return {"message": f"did {request}", "pad": "x" * (2**18 if reason == "long" else 0)}


def serve(
    folder: Path,
    work: Callable[[], Any],
    *,
    session: Session | None = None,
    idle_s: float = LIMIT_S,
    new_loop: NewLoop = asyncio.new_event_loop,
) -> tuple[Any, OperatorServer]:
    """Run `work` in a thread while a session listens in `folder`; return what it returned, and the server."""
    server = OperatorServer(folder, (session or Session()).ask, idle_s=idle_s)

    async def run() -> Any:
        await server.start()
        try:
            return await asyncio.to_thread(work)
        finally:
            await server.close()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(limited(run())), server


async def limited(work: Coroutine[Any, Any, Any]) -> Any:
    return await asyncio.wait_for(work, LIMIT_S)


def raw(folder: Path, sent: bytes, *, hang_up: bool = False) -> dict[str, Any]:
    """Send bytes past the client and return what comes back."""
    with operator._connect(folder, LIMIT_S) as sock, sock.makefile("rb") as stream:
        with suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(sent)
        if hang_up:
            sock.shutdown(socket.SHUT_WR)
        reply: dict[str, Any] = json.loads(stream.readline())
        return reply


def line_of(folder: Path, **fields: object) -> bytes:
    token = json.loads((folder / CARD).read_bytes())["token"]
    return json.dumps({"token": token, "request": "status", **fields}).encode() + b"\n"


@pytest.mark.parametrize("new_loop", LOOPS)
def test_every_request_reaches_the_session_with_who_asks(tmp_path: Path, new_loop: NewLoop) -> None:
    session = Session()
    requests = ["status", "halt", "flatten", "stop"]
    answers, server = serve(
        tmp_path,
        lambda: [ask_session(tmp_path, request, f"why {request}") for request in requests],
        session=session,
        new_loop=new_loop,
    )
    assert [answer["message"] for answer in answers] == [f"did {request}" for request in requests]
    who = f"uid {os.getuid()}"
    assert session.asked == [(request, f"why {request}", who) for request in requests]
    assert server.counts == {operator.ANSWERED: 4}


@pytest.mark.parametrize("new_loop", LOOPS)
def test_nothing_is_left_when_it_ends(tmp_path: Path, new_loop: NewLoop) -> None:
    def look() -> tuple[list[str], list[int], bool]:
        paths = sorted(tmp_path.iterdir())
        return (
            [path.name for path in paths],
            [stat.S_IMODE(path.stat().st_mode) for path in paths],
            is_running(tmp_path),
        )

    found, _ = serve(tmp_path, look, new_loop=new_loop)
    assert found == ([CARD, SOCKET], [0o600, 0o600], True)
    assert list(tmp_path.iterdir()) == []
    assert not is_running(tmp_path)


def test_a_large_answer_arrives_whole(tmp_path: Path) -> None:
    answer, _ = serve(tmp_path, lambda: ask_session(tmp_path, "status", "long"))
    assert len(answer["pad"]) == 2**18


def test_a_session_in_a_folder_of_a_long_path(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 120) / ("b" * 120)
    folder.mkdir(parents=True)
    answer, _ = serve(folder, lambda: ask_session(folder, "halt"))
    assert answer["message"] == "did halt"


def test_what_the_session_refuses_is_an_error_with_its_reason(tmp_path: Path) -> None:
    def ask() -> None:
        with pytest.raises(MyquantError, match="refused: the journal has failed: restart first"):
            ask_session(tmp_path, "resume")

    _, server = serve(tmp_path, ask)
    assert server.counts == {operator.REFUSED: 1}


@pytest.mark.parametrize("new_loop", LOOPS)
def test_a_defect_of_the_session_ends_one_connection_only(tmp_path: Path, new_loop: NewLoop) -> None:
    def ask() -> str:
        with pytest.raises(MyquantError, match="ended the connection without an answer: its log says why"):
            ask_session(tmp_path, "halt", "defect")
        message: str = ask_session(tmp_path, "halt")["message"]
        return message

    answered, server = serve(tmp_path, ask, new_loop=new_loop)
    assert (answered, server.connections) == ("did halt", set())


@pytest.mark.parametrize("token", ["", "wrong", "\ud800", "x" * 43, None, 7, ["a"]])
def test_a_wrong_token_reaches_nothing(tmp_path: Path, token: object) -> None:
    session = Session()
    reply, server = serve(tmp_path, lambda: raw(tmp_path, line_of(tmp_path, token=token)), session=session)
    known = operator.WRONG_TOKEN if isinstance(token, str) else operator.BAD_REQUEST
    assert (list(reply), session.asked, server.counts) == (["refused"], [], {known: 1})
    assert server.token not in str(reply)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"request": "Status"}, "request must be one of status, halt, resume, flatten, stop"),
        ({"request": ""}, "request must be one of"),
        ({"extra": "x"}, "nothing else"),
        ({"reason": "x" * 201}, "at most 200 printable characters"),
        ({"reason": "two\nlines"}, "at most 200 printable characters"),
        ({"reason": "\x1b[2J"}, "at most 200 printable characters"),
        ({"reason": 3}, "object of texts"),
    ],
)
def test_a_request_that_is_none_is_refused_with_the_reason(tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    session = Session()
    reply, server = serve(tmp_path, lambda: raw(tmp_path, line_of(tmp_path, **fields)), session=session)
    assert said in reply["refused"]
    assert (session.asked, server.counts) == ([], {operator.BAD_REQUEST: 1})


@pytest.mark.parametrize(
    "sent",
    [b"\n", b"GET / HTTP/1.1\r\n", b"[" * 4000 + b"\n", b"1" * 4095 + b"\n", b"\xff\n", b"null\n", b"x" * 4097],
)
def test_garbage_is_refused(tmp_path: Path, sent: bytes) -> None:
    reply, server = serve(tmp_path, lambda: raw(tmp_path, sent))
    assert (list(reply), server.counts) == (["refused"], {operator.BAD_REQUEST: 1})


def test_a_line_that_does_not_end_is_refused(tmp_path: Path) -> None:
    reply, _ = serve(tmp_path, lambda: raw(tmp_path, b'{"token"', hang_up=True))
    assert reply == {"refused": "a request ends with a newline"}


@settings(max_examples=300, deadline=None)
@given(
    st.binary() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(lambda x: json.dumps(x).encode())
)
def test_any_line_has_an_answer(line: bytes) -> None:
    session = Session()
    server = OperatorServer(Path("unused"), session.ask)
    assert list(server.answer(line, "uid 0")) == ["refused"]
    assert session.asked == []


def test_a_request_may_come_in_pieces_and_only_the_first_line_counts(tmp_path: Path) -> None:
    def ask() -> dict[str, Any]:
        line = line_of(tmp_path)
        with operator._connect(tmp_path, LIMIT_S) as sock, sock.makefile("rb") as stream:
            for piece in (line[:5], line[5:-1], b"\n" + line_of(tmp_path, request="stop")):
                sock.sendall(piece)
                time.sleep(0.01)
            reply: dict[str, Any] = json.loads(stream.readline())
            assert stream.read() == b""
            return reply

    session = Session()
    reply, _ = serve(tmp_path, ask, session=session)
    assert reply["answer"]["message"] == "did status"
    assert [request for request, _, _ in session.asked] == ["status"]


def test_who_says_nothing_is_sent_away(tmp_path: Path) -> None:
    reply, server = serve(tmp_path, lambda: raw(tmp_path, b""), idle_s=0.05)
    assert reply == {"refused": "no request came within 0.05 s"}
    assert server.counts == {operator.IDLE: 1}


def test_who_does_not_take_his_answer_is_sent_away(tmp_path: Path) -> None:
    def ask() -> bytes:
        with operator._connect(tmp_path, LIMIT_S) as sock:
            sock.sendall(line_of(tmp_path, reason="long"))
            hung_up = select.poll()
            hung_up.register(sock, 0)  # POLLHUP is always told
            assert hung_up.poll(1000 * LIMIT_S)
            with sock.makefile("rb") as stream, suppress(ConnectionResetError):
                return stream.read()
            return b""

    taken, _ = serve(tmp_path, ask, idle_s=0.1)
    assert len(taken) < 2**18


def test_connections_are_limited(tmp_path: Path) -> None:
    def ask() -> tuple[str, str]:
        idle = [operator._connect(tmp_path, LIMIT_S) for _ in range(operator.CONNECTIONS_MAX)]
        with pytest.raises(MyquantError) as refused:
            ask_session(tmp_path, "status")
        for each in idle:
            each.close()
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            with suppress(MyquantError):
                return str(refused.value), ask_session(tmp_path, "status")["message"]
        raise AssertionError

    (refused, answered), server = serve(tmp_path, ask)
    assert refused.endswith("refused: 8 connections are open already: try again")
    assert answered == "did status"
    assert server.counts[operator.TOO_MANY] >= 1


def test_a_second_session_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        first, second = (OperatorServer(tmp_path, Session().ask) for _ in range(2))
        await first.start()
        with pytest.raises(MyquantError, match="a session runs here already"):
            await second.start()
        await second.close()
        assert (await asyncio.to_thread(ask_session, tmp_path, "halt"))["message"] == "did halt"
        await first.close()

    asyncio.run(limited(run()))


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from myquant.session.operator import OperatorServer

async def run():
    await OperatorServer(Path(sys.argv[1]), lambda *asked: {}).start()
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(run())
"""


def test_what_a_killed_session_left_is_seen_as_dead_and_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    folder.mkdir()
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (folder / SOCKET).exists()
    assert (folder / CARD).exists()
    assert not is_running(folder)
    assert running_sessions(tmp_path) == []
    journal = folder / "journal"
    journal.touch()
    os.utime(folder / CARD, (0, 0))
    os.utime(journal, (1_760_000_000, 1_760_000_000))
    with pytest.raises(MyquantError, match=r"no session runs here; it was last written to at 2025-10-09 \d\d:53:20 "):
        ask_session(folder, "halt")
    answer, _ = serve(folder, lambda: (ask_session(folder, "halt"), running_sessions(tmp_path)))
    assert answer[0]["message"] == "did halt"
    assert answer[1] == [folder]


def test_a_blocked_loop_is_told_in_time(tmp_path: Path) -> None:
    async def run() -> None:
        server = OperatorServer(tmp_path, Session().ask)
        await server.start()
        assert is_running(tmp_path)
        with pytest.raises(
            MyquantError, match=rf"no answer within 0.05 s: process {os.getpid()} is there, but its loop"
        ):
            ask_session(tmp_path, "halt", timeout_s=0.05)  # on the loop itself, which is blocked by this
        await server.close()

    asyncio.run(limited(run()))


def test_no_such_session(tmp_path: Path) -> None:
    with pytest.raises(MyquantError, match="nothing-here: no such session"):
        ask_session(tmp_path / "nothing-here", "status")
    with pytest.raises(MyquantError, match="no session runs here; nothing was written to it"):
        ask_session(tmp_path, "status")


def test_a_reason_that_the_session_would_refuse_is_not_sent(tmp_path: Path) -> None:
    with pytest.raises(MyquantError, match="reason: must be at most 200 printable characters"):
        ask_session(tmp_path, "halt", "x\n")


@pytest.mark.parametrize("card", ["", "[]", '{"format": 2, "token": "x", "pid": 1}', '{"format": 1}'])
def test_a_damaged_card_is_named(tmp_path: Path, card: str) -> None:
    (tmp_path / CARD).write_text(card)
    with pytest.raises(MyquantError, match=r"operator\.json: damaged, or written by another version"):
        ask_session(tmp_path, "status")


def test_a_session_of_another_user(tmp_path: Path) -> None:
    def ask() -> None:
        (tmp_path / CARD).chmod(0)
        if os.getuid() == 0:
            os.seteuid(65534)
        try:
            with pytest.raises(MyquantError, match="the session is another user's: ask as that user"):
                ask_session(tmp_path, "status")
        finally:
            if os.getuid() == 0:
                os.seteuid(0)

    serve(tmp_path, ask)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b'{"answ', "without an answer|does not answer"),  # as the reset comes late or early
        (b"", "ended the connection without an answer: its log says why"),
        (b"hello\n", "does not answer as a session does"),
        (b"[]\n", "does not answer as a session does"),
        (b'{"answer": 1}\n', "does not answer as a session does"),
    ],
)
def test_an_answer_that_is_none(tmp_path: Path, answer: bytes, said: str) -> None:
    (tmp_path / CARD).write_text('{"format": 1, "token": "x", "pid": 1}')
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening, ThreadPoolExecutor(1) as pool:
        listening.bind(str(tmp_path / SOCKET))
        listening.listen()
        listening.settimeout(LIMIT_S)
        asked = pool.submit(ask_session, tmp_path, "status")
        connection, _ = listening.accept()
        connection.sendall(answer)
        connection.close()
        with pytest.raises(MyquantError, match=said):
            asked.result(LIMIT_S)


def test_a_folder_that_is_not_there_or_holds_another_file(tmp_path: Path) -> None:
    async def run(folder: Path) -> None:
        await OperatorServer(folder, Session().ask).start()

    with pytest.raises(ConfigError, match=r"operator\.sock: can't be written"):
        asyncio.run(limited(run(tmp_path / "none")))
    (tmp_path / SOCKET).write_text("mine")
    with pytest.raises(MyquantError, match=r"operator\.sock: is in the way of the session's socket"):
        asyncio.run(limited(run(tmp_path)))
    assert (tmp_path / SOCKET).read_text() == "mine"
