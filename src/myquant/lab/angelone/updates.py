"""The socket that order updates are pushed to: handshake, greeting, heartbeats."""

import json
from collections import Counter
from typing import Any, Final

from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)

from myquant.lab.angelone.account import EXPIRED, Account
from myquant.lab.angelone.order_rows import first_frame

UPDATE_PATH: Final = "/smart-order-update"
CONNECTIONS_MAX: Final = 3


class Updates:
    """All connections of the account that listen to its orders."""

    def __init__(self, account: Account, counts: Counter[str]) -> None:
        self.connections: list[UpdateConnection] = []
        self.counts = counts
        self.user = account.credentials.client_code
        self._account = account

    def handshake(self, request: WSUpgradeRequest) -> "WSUpgradeResponseWithListener | UpdateConnection":
        """Answer a request to upgrade: a connection, or why there is none."""
        why = self._account.update_refusal(request.headers.get("Authorization"))
        if why is not None:
            self.counts["update_handshakes_refused"] += 1
            return _no(403 if why is EXPIRED else 401, why.message)
        if len(self.connections) >= CONNECTIONS_MAX:
            self.counts["update_handshakes_too_many"] += 1
            return _no(429, "Connection Limit Exceeded")
        return UpdateConnection(self)

    def push(self, frame: dict[str, Any]) -> None:
        """Send a frame to every connection."""
        content = json.dumps(frame).encode()
        for connection in list(self.connections):
            connection.send(content)

    def close_all(self) -> None:
        """Cut off every connection."""
        for connection in list(self.connections):
            connection.abort()


class UpdateConnection(WSListener):
    """One socket."""

    def __init__(self, updates: Updates) -> None:
        super().__init__()
        self._updates = updates
        self._transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Greet."""
        self._transport = transport
        self._updates.connections.append(self)
        self._updates.counts["update_connections"] += 1
        self.send(json.dumps(first_frame(self._updates.user)).encode())

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002  (picows passes it)
        """Leave."""
        self._leave()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Answer a heartbeat or a goodbye; a ping of the protocol is answered without us."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT and frame.get_payload_as_bytes() == b"ping":
            transport.send(WSMsgType.TEXT, b"pong")

    def send(self, content: bytes) -> None:
        """Send a text."""
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, content)

    def abort(self) -> None:
        """Cut the socket off, without a close frame."""
        transport = self._transport
        self._leave()
        if transport is not None:
            transport.underlying_transport.abort()

    def _leave(self) -> None:
        self._transport = None
        if self in self._updates.connections:
            self._updates.connections.remove(self)


def _no(status: int, why: str) -> WSUpgradeResponseWithListener:
    response = WSUpgradeResponse.create_error_response(status, why.encode(), {"x-error-message": why})
    return WSUpgradeResponseWithListener(response, None)
