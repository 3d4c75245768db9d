"""The feed's connections: handshake, subscriptions, heartbeats, and the faults of a connection."""

import asyncio
from collections import Counter
from typing import Final

import numpy as np
from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)

from myquant.lab.angelone.account import Account
from myquant.lab.angelone.disturb import Mask
from myquant.lab.angelone.faults import Faults
from myquant.lab.angelone.packet import PACKET_BYTES
from myquant.lab.angelone.play import Block, Play
from myquant.lab.angelone.subscription import FEED_PATH, BadRequest, Wish, parse_request, refuse_too_many

CONNECTIONS_MAX: Final = 3
# The modes in a set of them, a bit each.
MODES_OF: Final = [tuple(mode for mode in PACKET_BYTES if bits & 1 << mode) for bits in range(16)]


class Feed:
    """All connections of the account, and who may open one."""

    def __init__(self, account: Account, play: Play, faults: Faults, counts: Counter[str]) -> None:
        """Begin without a connection."""
        self.play = play
        self.faults = faults
        self.counts = counts
        self.connections: list[Connection] = []
        self.who = {(each.exchange_type, each.token): who for who, each in enumerate(play.day.instruments)}
        self._account = account
        self._opened = 0
        self._rolled = False

    def handshake(self, request: WSUpgradeRequest) -> "WSUpgradeResponseWithListener | Connection | None":
        """Answer a request to upgrade: a connection, or why there is none; None: no such address."""
        if request.path.decode("ascii", "replace").partition("?")[0] != FEED_PATH:
            return None
        why = self._account.feed_refusal(request.headers)
        if why is not None:
            self.counts["handshakes_refused"] += 1
            return _no(401, why)
        if len(self.connections) >= CONNECTIONS_MAX:
            self.counts["handshakes_too_many"] += 1
            return _no(429, "Connection Limit Exceeded")
        self._opened += 1
        return Connection(self, self._opened)

    def opened(self, connection: "Connection") -> None:
        """Take a connection up."""
        self.counts["connections"] += 1
        self.connections.append(connection)
        self.play.listeners.append(connection)

    def closed(self, connection: "Connection") -> None:
        """Forget a connection."""
        if connection in self.connections:
            self.connections.remove(connection)
            self.play.listeners.remove(connection)
            self.play.tell()

    def roll_once(self) -> None:
        """Make the fault of the tokens, if it was not made before."""
        if not self._rolled:
            self._rolled = True
            self.counts["token_roll"] += 1
            self.roll()

    def roll(self) -> None:
        """Make all tokens invalid but those for a refresh, and close all sockets."""
        self._account.roll()
        self.close_all()

    def close_all(self) -> None:
        """Cut off every connection."""
        for connection in list(self.connections):
            connection.abort()


class Connection(WSListener):
    """One socket; it has a number, from 1, and what it subscribed to."""

    def __init__(self, feed: Feed, number: int) -> None:
        """Begin with nothing subscribed."""
        super().__init__()
        self._full = False
        self._feed = feed
        self._transport: WSTransport | None = None
        self._wishes: set[Wish] = set()
        self._modes = np.zeros(len(feed.who), np.uint8)  # the modes wanted of each instrument, a bit each
        self._sent = 0
        self._silent = False
        self._plan = self._planned(number)

    @property
    def takes(self) -> bool:
        """Whether it subscribed to anything that ticks, and is not silent."""
        return self._transport is not None and not self._silent and bool(self._modes.any())

    @property
    def is_full(self) -> bool:
        """Whether its buffer is full; a silent one's does not matter."""
        return self._full and not self._silent

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin to listen."""
        self._transport = transport
        self._feed.opened(self)

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002  (picows passes it)
        """Leave the feed."""
        self._transport = None
        self._full = False
        self._feed.closed(self)

    def pause_writing(self) -> None:
        """Hold the day back."""
        self._full = True

    def resume_writing(self) -> None:
        """Let the day go on."""
        self._full = False
        self._feed.play.tell()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Answer a heartbeat, a request or a goodbye."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT:
            text = frame.get_payload_as_bytes().decode(errors="replace")
            if text == "ping":
                self._feed.counts["pings"] += 1
                transport.send(WSMsgType.TEXT, b"pong")
                return
            try:
                self._request(text)
            except BadRequest as bad:
                self._feed.counts[f"requests_{bad.code}"] += 1
                transport.send(WSMsgType.TEXT, bad.answer.encode())

    def take(self, block: Block, begin: int, end: int) -> Mask:
        """Send what it subscribed to of the rows `begin` to `end`, and return which those are; the day calls it."""
        modes = self._modes[block.who[begin - block.begin : end - block.begin]]
        if self._transport is None:
            modes = np.zeros_like(modes)
        is_wanted: Mask = modes > 0
        if not is_wanted.any():
            return is_wanted
        pieces = []
        for at, bits in enumerate(modes.tolist(), begin - block.begin):
            for mode in MODES_OF[bits]:
                frame = block.frames(mode)[at]
                if frame:
                    pieces.append(frame)
        if self._silent:
            self._feed.counts["packets_withheld"] += len(pieces)
        else:
            self._send(pieces)
        return is_wanted

    def abort(self) -> None:
        """Cut the socket off, without a close frame; from now on it takes nothing."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.underlying_transport.abort()
        self._feed.closed(self)

    def _request(self, text: str) -> None:
        request = parse_request(text)
        wishes = set(request.wishes)
        if request.subscribe:
            refuse_too_many(self._wishes, request)
            new = [wish for wish in dict.fromkeys(request.wishes) if wish not in self._wishes]
            self._wishes |= wishes
        else:
            new = []
            self._wishes -= wishes
        for wish in wishes:
            who = self._feed.who.get((wish.exchange_type, wish.token))
            if who is not None:  # a token under the wrong type is ignored without a word
                bit = np.uint8(1 << wish.mode)
                self._modes[who] = self._modes[who] | bit if request.subscribe else self._modes[who] & ~bit
        known = [(self._feed.who.get((wish.exchange_type, wish.token)), wish.mode) for wish in new]
        if not self._silent:
            self._send([self._feed.play.snapshot(who, mode) for who, mode in known if who is not None])
        self._feed.play.tell()

    def _send(self, pieces: list[bytes]) -> None:
        """Send frames, and make the faults that are due after one of them; what would come behind those is not sent."""
        while self._plan and self._sent + len(pieces) >= self._plan[0][0]:
            after, name = self._plan.pop(0)
            count = max(after - self._sent, 0)
            self._write(pieces[:count])
            pieces = pieces[count:]
            self._fail(name)
            if self._silent or self._transport is None:
                self._feed.counts["packets_withheld"] += len(pieces)
                return
        self._write(pieces)

    def _write(self, pieces: list[bytes]) -> None:
        # The frames of many packets in one write: a call per frame is a system call per frame.
        if pieces and self._transport is not None:
            self._sent += len(pieces)
            self._feed.counts["packets"] += len(pieces)
            self._transport.underlying_transport.write(b"".join(pieces))

    def _planned(self, number: int) -> list[tuple[int, str]]:
        """Return the faults of this connection: after how many packets, and which."""
        faults = self._feed.faults
        plan = [(faults.token_roll.after, "token_roll")] if faults.token_roll else []
        for name, fault in (("mute", faults.mute), ("drop", faults.drop), ("half_open", faults.half_open)):
            if fault is not None and fault.connection in {0, number}:
                plan.append((fault.after, name))
        return sorted(plan)

    def _fail(self, name: str) -> None:
        faults = self._feed.faults
        if name == "token_roll":
            self._feed.roll_once()
            return
        self._feed.counts[name] += 1
        if name == "drop":
            self.abort()
            return
        self._silent = True
        if name == "half_open" and self._transport is not None:
            self._transport.underlying_transport.pause_reading()
        if name == "mute" and faults.mute is not None and faults.mute.seconds > 0:
            asyncio.get_running_loop().call_later(faults.mute.seconds, self._speak)

    def _speak(self) -> None:
        self._silent = False
        self._feed.play.tell()


def _no(status: int, why: str) -> WSUpgradeResponseWithListener:
    response = WSUpgradeResponse.create_error_response(status, why.encode(), {"x-error-message": why})
    return WSUpgradeResponseWithListener(response, None)
