"""The operator's way into a running session (Linux): a Unix-domain socket in its folder, and who may use it.

One connection carries one request and its answer, a line of JSON each:

    {"token": "...", "request": "halt", "reason": "news at ten"}
    {"answer": {"message": "entries halted"}}        or        {"refused": "wrong token"}

The token is in `operator.json`, which only the session's owner can read, and what keeps the session from answering, if it
knows. Both files go when the session ends; a killed one leaves them behind, and then nobody listens at the socket. A socket's
address holds 107 bytes, less than a path may have, so it is reached as `/proc/self/fd/N/operator.sock`, N being the open folder.
"""

import asyncio
import hmac
import json
import os
import secrets
import socket
import stat
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from myquant.errors import MyquantError, cannot_write
from myquant.session.unanswered import unanswered

FORMAT: Final = 1  # of operator.json, the requests and their answers
SOCKET: Final = "operator.sock"
CARD: Final = "operator.json"

STATUS, HALT, RESUME, FLATTEN, STOP = REQUESTS = ("status", "halt", "resume", "flatten", "stop")

LINE_BYTES_MAX: Final = 4096
ANSWER_BYTES_MAX: Final = 2**24
COMPILING_S: Final = 300  # at most
COMPILING: Final = "compiling the engine (machine code is made, up to a minute, once for each version of it)"
REASON_MAX: Final = 200
REASON_RULE: Final = f"reason: must be at most {REASON_MAX} printable characters on one line"
CONNECTIONS_MAX: Final = 8
IDLE_S: Final = 5.0
ANSWER_S: Final = 5.0

# What `OperatorServer.counts` counts.
ANSWERED: Final = "answered"
REFUSED: Final = "refused"  # by the session
BAD_REQUEST: Final = "bad_request"
WRONG_TOKEN: Final = "wrong_token"  # noqa: S105  (a name)
TOO_MANY: Final = "too_many"
IDLE: Final = "idle"

Ask = Callable[[str, str, str], Mapping[str, Any]]


class OperatorServer:
    """Listens in a session's folder and hands every request that it understands to `ask`, on the loop that started it.

    Args:
        folder: of the session.
        ask: takes the request's name, the reason given (may be empty) and who asks (`uid 1000`), and returns what to answer,
            ready for JSON; a MyquantError that it raises is answered as a refusal.
        idle_s: after this long a connection is ended that sent no whole line, or does not take its answer.

    Attributes:
        token: the secret; for the redaction of logs.
        counts: what became of the requests.
    """

    def __init__(self, folder: Path, ask: Ask, *, idle_s: float = IDLE_S) -> None:
        self.token = secrets.token_urlsafe(32)
        self.counts: Counter[str] = Counter()
        self.idle_s = idle_s
        self.connections: set[_Connection] = set()
        self._folder = folder
        self._ask = ask
        self._listening: socket.socket | None = None
        self._arriving: set[asyncio.Task[Any]] = set()

    async def start(self, doing: str = "") -> None:
        """Listen. Raises MyquantError where a session listens already or nothing can be made in the folder.

        `doing`: what keeps the loop from answering until `note_doing`, for those who ask meanwhile; empty: nothing. What a dead
        process left is replaced. Two processes that start at the same moment are kept apart by the lock of the session's journal.
        """
        try:
            if is_running(self._folder):
                raise MyquantError(f"{self._folder}: a session runs here already: ask it with `myquant status`")
            self._listening = _listening(self._folder)
            asyncio.get_running_loop().add_reader(self._listening, self._accept)
            self._put_card(doing)
        except OSError as error:
            await self.close()
            raise cannot_write(self._folder / SOCKET, error, "take a folder of your own on a local disk") from error

    def note_doing(self, doing: str) -> None:
        """Say what keeps the loop from answering from now on; empty: nothing. A disk that refuses it is not told."""
        if self._listening is not None:
            with suppress(OSError):
                self._put_card(doing)

    def _put_card(self, doing: str) -> None:
        card = {"format": FORMAT, "pid": os.getpid(), "token": self.token, "doing": doing}
        put_private(self._folder / CARD, json.dumps(card).encode())

    async def close(self) -> None:
        """Stop listening, end all connections and take the files away."""
        if self._listening is None:
            return
        asyncio.get_running_loop().remove_reader(self._listening)
        self._listening.close()
        self._listening = None
        await asyncio.gather(*self._arriving)
        for connection in self.connections:
            connection.abort()
        await asyncio.gather(*(connection.ended for connection in self.connections))
        for name in (CARD, SOCKET):
            with suppress(OSError):  # left behind, they do no harm
                (self._folder / name).unlink()

    def _accept(self) -> None:
        """Take a connection that waits; asyncio's own server, in Python 3.11, leaks one that comes while it closes."""
        if self._listening is None:
            return
        with suppress(OSError):  # gone again, or no descriptor is free: the next turn sees
            sock, _ = self._listening.accept()
            loop = asyncio.get_running_loop()
            task = loop.create_task(loop.connect_accepted_socket(lambda: _Connection(self), sock))
            self._arriving.add(task)
            task.add_done_callback(self._arriving.discard)

    def answer(self, line: bytes, who: str) -> dict[str, Any]:
        """Return the answer to the line of a request."""
        try:
            name, reason = self._understood(line)
            answer = self._ask(name, reason, who)
        except _RefusalError as refusal:
            return self.refuse(refusal.kind, str(refusal))
        except MyquantError as error:
            return self.refuse(REFUSED, str(error))
        self.counts[ANSWERED] += 1
        return {"answer": answer}

    def refuse(self, kind: str, text: str) -> dict[str, Any]:
        """Count a refusal and return it as an answer."""
        self.counts[kind] += 1
        return {"refused": text}

    def _understood(self, line: bytes) -> tuple[str, str]:
        """Return name and reason of a request; _RefusalError for anything else."""
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            request = None
        if not isinstance(request, dict) or not all(isinstance(value, str) for value in request.values()):
            raise _RefusalError(BAD_REQUEST, "a request is a JSON object of texts on one line")
        token = request.pop("token", "").encode(errors="surrogatepass")
        if not hmac.compare_digest(token, self.token.encode()):
            raise _RefusalError(WRONG_TOKEN, f"wrong token: the right one is in the session's {CARD}")
        name, reason = request.pop("request", ""), request.pop("reason", "")
        if name not in REQUESTS or request:
            known = ", ".join(REQUESTS)
            raise _RefusalError(
                BAD_REQUEST, f"request must be one of {known}; a reason may go with it, and nothing else"
            )
        if not _is_reason(reason):
            raise _RefusalError(BAD_REQUEST, REASON_RULE)
        return name, reason


class _RefusalError(MyquantError):
    """A request that does not reach the session, and as what it is counted."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class _Connection(asyncio.Protocol):
    """One connection: a line in, a line out, and it ends. What follows the first line is not looked at."""

    def __init__(self, server: OperatorServer) -> None:
        self._server = server
        self._received = bytearray()
        self._is_answered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = loop.create_future()
        self._timer = loop.call_later(self._server.idle_s, self._expire)
        others = len(self._server.connections)
        self._server.connections.add(self)
        if others >= CONNECTIONS_MAX:
            self._reply(self._server.refuse(TOO_MANY, f"{others} connections are open already: try again"))

    def data_received(self, data: bytes) -> None:
        if self._is_answered:
            return
        self._received += data
        line, newline, _ = self._received.partition(b"\n")
        if len(line) > LINE_BYTES_MAX:
            self._reply(self._server.refuse(BAD_REQUEST, f"a request has at most {LINE_BYTES_MAX:,} bytes"))
        elif newline:
            self._reply(self._server.answer(bytes(line), _peer(self._transport)))

    def eof_received(self) -> None:
        if self._received and not self._is_answered:
            self._reply(self._server.refuse(BAD_REQUEST, "a request ends with a newline"))

    def connection_lost(self, _error: Exception | None) -> None:
        self._timer.cancel()
        self._server.connections.discard(self)
        self.ended.set_result(None)

    def abort(self) -> None:
        self._transport.abort()

    def _expire(self) -> None:
        self._reply(self._server.refuse(IDLE, f"no request came within {self._server.idle_s:g} s"))

    def _reply(self, answer: dict[str, Any]) -> None:
        self._is_answered = True
        self._transport.write(json.dumps(answer, allow_nan=False).encode() + b"\n")
        self._transport.close()
        self._timer.cancel()  # anew: for a client that does not take its answer
        self._timer = asyncio.get_running_loop().call_later(self._server.idle_s, self.abort)


class _Card(NamedTuple):
    """What operator.json says. `doing`: what keeps the loop from answering; empty: nothing."""

    token: str
    pid: int
    doing: str


def ask_session(folder: Path, request: str, reason: str = "", timeout_s: float = ANSWER_S) -> dict[str, Any]:
    """Send a request to the session of a folder and return its answer.

    Raises MyquantError where there is no such session, it does not run, it does not answer in time, or it refuses.
    """
    if not _is_reason(reason):
        raise MyquantError(REASON_RULE)
    card = _Card("", 0, "")
    try:
        card = _card(folder)
        message = {"token": card.token, "request": request, "reason": reason}
        line = _exchange(folder, json.dumps(message).encode() + b"\n", timeout_s)
    except (FileNotFoundError, ConnectionRefusedError):
        from myquant.session.left import left_text  # noqa: PLC0415  (heavy, and needed only here)

        raise MyquantError(f"{folder}: no session runs here; {left_text(folder)}") from None
    except PermissionError:
        raise MyquantError(f"{folder}: the session is another user's: ask as that user") from None
    except (TimeoutError, BlockingIOError) as error:  # BlockingIOError: its backlog is full
        is_delivered = not isinstance(error, BlockingIOError)
        words = unanswered(card.pid, card.doing, request, timeout_s, is_delivered=is_delivered)
        raise MyquantError(f"{folder}: {words}") from None
    except ConnectionError:
        raise MyquantError(f"{folder}: the session ended the connection without an answer: its log says why") from None
    except OSError as error:
        raise MyquantError(f"{folder}: the session can't be asked ({error.strerror or error})") from error
    return _answer_of(folder, line)


def is_running(folder: Path) -> bool:
    """Return whether a process listens in the folder of a session, be it busy; PermissionError where it can't be told."""
    try:
        _connect(folder, timeout_s=1.0).close()
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        return False
    except (TimeoutError, BlockingIOError):  # its backlog is full
        return True
    return True


def running_sessions(directory: Path) -> list[Path]:
    """Return the folders in a directory whose session runs, by name."""
    return [path.parent for path in sorted(directory.glob(f"*/{SOCKET}")) if is_running(path.parent)]


def _listening(folder: Path) -> socket.socket:
    """Return a socket that listens in the folder, to which only the owner can connect."""
    path = folder / SOCKET
    if path.exists():
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise MyquantError(f"{path}: is in the way of the session's socket: move it elsewhere")
        path.unlink()
    directory = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(_address(directory))
        path.chmod(0o600)
        sock.listen(CONNECTIONS_MAX)
    except OSError:
        sock.close()
        raise
    finally:
        os.close(directory)
    sock.setblocking(False)
    return sock


def _connect(folder: Path, timeout_s: float) -> socket.socket:
    directory = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout_s)
        sock.connect(_address(directory))
    except OSError:
        sock.close()
        raise
    finally:
        os.close(directory)
    return sock


def _address(directory: int) -> str:
    return f"/proc/self/fd/{directory}/{SOCKET}"


def _exchange(folder: Path, line: bytes, timeout_s: float) -> bytes:
    with _connect(folder, timeout_s) as sock, sock.makefile("rb") as stream:
        with suppress(
            BrokenPipeError, ConnectionResetError
        ):  # it refused the connection: the reason is there to be read
            sock.sendall(line)
        line = stream.readline(ANSWER_BYTES_MAX)
    if not line:
        raise ConnectionResetError
    return line


def _peer(transport: asyncio.Transport) -> str:
    """Return who is at the other end, as the kernel knows: `struct ucred` of unix(7)."""
    sock = transport.get_extra_info("socket")
    _pid, uid, _gid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return f"uid {uid}"


def busy_with(folder: Path, pid: int) -> str:
    """Return what keeps the loop of a session's process from answering, by its own word; empty: nothing that it has said."""
    try:
        card = _card(folder)
    except (MyquantError, OSError, RecursionError):
        return ""
    return str(card.doing) if card.pid == pid else ""


def put_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, in one step: a reader finds all of it or what was there before. Raises OSError."""
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def _card(folder: Path) -> _Card:
    """Return what operator.json says; FileNotFoundError where no session runs."""
    if not folder.is_dir():
        raise MyquantError(f"{folder}: no such session")
    try:
        table = json.loads((folder / CARD).read_bytes())
        if table["format"] == FORMAT:
            return _Card(table["token"], table["pid"], table.get("doing", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise MyquantError(f"{folder / CARD}: damaged, or written by another version of myquant: ask with that version")


def _answer_of(folder: Path, line: bytes) -> dict[str, Any]:
    try:
        reply = json.loads(line)
    except ValueError:
        reply = None
    match reply:
        case {"answer": dict(answer)}:
            return answer
        case {"refused": str(refusal)}:
            raise MyquantError(f"{folder}: refused: {refusal}")
    raise MyquantError(f"{folder}: what listens there does not answer as a session does")


def _is_reason(text: str) -> bool:
    return len(text) <= REASON_MAX and text.isprintable()
