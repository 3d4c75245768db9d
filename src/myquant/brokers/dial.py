"""Connecting to a broker's socket with picows: TLS verified, no redirects, nothing of the handshake in a log."""

import asyncio
import logging
import socket as sockets
import ssl
import traceback
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

from picows import (
    WSFrame,
    WSHandshakeError,
    WSListener,
    WSMsgType,
    WSProtocolError,
    WSTransport,
    ws_connect,
)
from picows.url import WSParsedURL

from myquant.brokers.addresses import checked_url, verifying
from myquant.brokers.secrets import Redactor
from myquant.brokers.supervised import Cause, Ended, NotConnectedError, SupervisedConnection

FRAME_BYTES_MAX: Final = 2**20
BUFFER_BYTES: Final = 2**18

_BINARY: Final = WSMsgType.BINARY
_CAUSES: Final = {401: Cause.UNAUTHORISED, 403: Cause.UNAUTHORISED, 429: Cause.TOO_MANY}


class Dialler:
    """Opens sockets to one address.

    `reason_header`: the header in which the broker says why it refused a handshake.
    """

    def __init__(
        self,
        url: str,
        redactor: Redactor,
        *,
        timeout_s: float,
        reason_header: str,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._url = checked_url(url, schemes=("wss", "ws"))
        self._redactor = redactor
        self._timeout_s = timeout_s
        self._reason_header = reason_header
        self._ssl_context = verifying(ssl_context)
        self._log = _RedactedLog(redactor)

    async def open(self, connection: SupervisedConnection, headers: Mapping[str, str]) -> "OpenSocket":
        """Return a socket whose frames go to `connection`. Raises NotConnectedError."""
        opened: list[sockets.socket] = []
        try:
            async with asyncio.timeout(self._timeout_s):
                transport, _ = await ws_connect(
                    partial(_listener, connection),
                    self._url,
                    ssl_context=self._ssl_context,
                    websocket_handshake_timeout=self._timeout_s,
                    logger_name=self._log,
                    max_frame_size=FRAME_BYTES_MAX,
                    read_buffer_init_size=BUFFER_BYTES,
                    extra_headers=headers,
                    max_redirects=0,
                    enable_auto_pong=False,  # a frame answered unseen might be the last of a read
                    socket_factory=partial(_connected, opened),
                )
        except WSHandshakeError as error:
            raise self._refused(error) from None
        except ssl.SSLCertVerificationError as error:
            raise self._not_connected(Cause.NOT_TRUSTED, error.verify_message) from None
        except (OSError, TimeoutError) as error:
            _cut(opened)
            raise self._not_connected(Cause.UNREACHABLE, str(error) or "no answer in time") from None
        except asyncio.CancelledError:
            _cut(opened)
            raise
        return OpenSocket(transport, connection, self._redactor)

    def _not_connected(self, cause: Cause, said: str) -> NotConnectedError:
        return NotConnectedError(cause, self._redactor.line(said))

    def _refused(self, error: WSHandshakeError) -> NotConnectedError:
        """Return why the broker did not upgrade the connection."""
        if error.response is None:
            return self._not_connected(Cause.PROTOCOL, str(error))
        status = int(error.response.status)
        said = error.response.headers.get(self._reason_header) or (error.raw_body or b"").decode("utf-8", "replace")
        return self._not_connected(_CAUSES.get(status, Cause.REFUSED), f"handshake refused: HTTP {status} {said}")


class OpenSocket:
    """A connection of picows'."""

    def __init__(self, transport: WSTransport, connection: SupervisedConnection, redactor: Redactor) -> None:
        self._transport = transport
        self._connection = connection
        self._redactor = redactor
        self._gone = asyncio.ensure_future(transport.wait_disconnected())
        self._gone.add_done_callback(self._tell)

    def send(self, text: bytes) -> None:
        """Send a text frame; to a socket that is gone, nothing."""
        if not self._transport.is_disconnected:
            self._transport.send(WSMsgType.TEXT, text)

    def abort(self) -> None:
        """Cut it off."""
        self._transport.disconnect(graceful=False)

    def _tell(self, gone: "asyncio.Task[None]") -> None:
        """Tell how it ended."""
        error = None if gone.cancelled() else gone.exception()
        closing = self._transport.close_handshake
        if isinstance(error, WSProtocolError):
            ended = Ended(Cause.PROTOCOL, f"broke the protocol: {error}")
        elif error is not None:
            ended = Ended(Cause.HANDLER, f"what takes its frames raised {type(error).__name__}: {error}", error)
        elif closing is not None and closing.recv is not None:
            ended = Ended(Cause.CLOSED, f"closed by the broker: {closing.recv.code} {closing.recv.reason or ''}")
        else:
            ended = Ended(Cause.DROPPED, "connection lost")
        self._connection.end(ended._replace(reason=self._redactor.line(ended.reason)))


class _RedactedLog(logging.LoggerAdapter[logging.Logger]):
    """What picows says, without secrets: at its lowest level it shows the handshake, tokens included."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__(logging.getLogger("myquant.feed"))
        self._redactor = redactor

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log a message with its arguments, and the exception that is being handled, redacted."""
        if self.isEnabledFor(level):
            text = str(msg) % args if args else str(msg)
            if kwargs.pop("exc_info", None):
                text = f"{text}\n{traceback.format_exc()}"
            self.logger.log(level, "%s", self._redactor.text(text), **kwargs)


def _listener(connection: SupervisedConnection) -> WSListener:
    """Return what hands a connection's frames on.

    All frames of one read arrived when the first of them was seen, not when those before were done with. A closure: its
    variables are read in a tenth of the time of attributes.
    """
    take, monotonic_ns = connection.take, connection.monotonic_ns
    read_ns = 0  # when the present read arrived, while more of its frames are to come

    class Listener(WSListener):
        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            """Take a frame, straight from the socket."""
            nonlocal read_ns
            arrived_ns = read_ns
            if not arrived_ns:
                arrived_ns = monotonic_ns()
                if not frame.last_in_buffer:
                    read_ns = arrived_ns
            elif frame.last_in_buffer:
                read_ns = 0
            kind = frame.msg_type
            if kind is _BINARY:
                take(frame.get_payload_as_memoryview(), arrived_ns)
            else:
                _take_other(connection, transport, frame, kind)

    return Listener()


def _take_other(connection: SupervisedConnection, transport: WSTransport, frame: WSFrame, kind: WSMsgType) -> None:
    """Take a frame that is not binary."""
    if kind == WSMsgType.TEXT:
        connection.text(frame.get_payload_as_bytes().decode("utf-8", "replace"))
    elif kind == WSMsgType.PING:
        transport.send_pong(frame.get_payload_as_bytes())
    elif kind == WSMsgType.CLOSE:
        transport.send_close(frame.get_close_code(), frame.get_close_message())
        transport.disconnect()


def _cut(opened: list[sockets.socket]) -> None:
    """End handshakes that nobody waits for any more; picows would keep them for some seconds."""
    for socket in opened:
        with suppress(OSError):
            socket.shutdown(sockets.SHUT_RDWR)


async def _connected(opened: list[sockets.socket], url: WSParsedURL) -> sockets.socket:
    """Return a connected socket, and note it in `opened`."""
    loop = asyncio.get_running_loop()
    failed: OSError | None = None
    for family, kind, protocol, _, address in await loop.getaddrinfo(url.host, url.port, type=sockets.SOCK_STREAM):
        socket = sockets.socket(family, kind, protocol)
        try:
            socket.setblocking(False)
            await loop.sock_connect(socket, address)
        except OSError as error:
            socket.close()
            failed = error
        except asyncio.CancelledError:
            socket.close()
            raise
        else:
            opened.append(socket)
            return socket
    raise failed or OSError(f"{url.host}: no address")
