"""The feeder's own process: the broker's socket without a login, and stretches of a tape played on request.

It reads lines of JSON from its standard input and answers each with one on its standard output; see `feeder`. It ends with
its input.
"""

import asyncio
import gc
import json
import signal
import sys
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from myquant.errors import ConfigError, MyquantError
from myquant.lab.angelone.instruments import Listed
from myquant.lab.angelone.pacing import Player, Sending
from myquant.lab.angelone.packet import PACKET_BYTES
from myquant.lab.angelone.subscription import FEED_PATH, BadRequest, Wish, parse_request, refuse_too_many
from myquant.lab.angelone.tape import Tape
from myquant.lab.market_days import DaySource
from myquant.ticks.generate import SECOND_NS

LOOPBACK: Final = "127.0.0.1"
LINE_BYTES: Final = 2**20
CONNECTIONS_MAX: Final = 16  # that are open
RATE_MAX: Final = 1_000_000  # rows a second
STRETCH_MAX: Final = 1_000_000  # rows; 0.4 GB of frames
LEAP_MAX_S: Final = 10**9
PATIENCE_S: Final = 10.0  # for a connection that is to be sent to, and what it subscribes to
GATHER_S: Final = 0.002  # what is asked for within it begins together
SENDING: Final = {"connection", "begin", "end", "rate", "id"}


class Connection(WSListener):
    """One socket, and what it subscribed to."""

    def __init__(self, feeding: "Feeding") -> None:
        """Begin with nothing subscribed."""
        super().__init__()
        self.is_full = False
        self.is_busy = False  # with a stretch
        self.told_ms = 0  # the exchange's time that it knows
        self._feeding = feeding
        self._transport: WSTransport | None = None
        self._wishes: set[Wish] = set()

    @property
    def is_open(self) -> bool:
        """Whether it can be sent to."""
        return self._transport is not None

    def mode(self, contracts: Sequence[Listed]) -> int | None:
        """Return the richest mode in which it subscribed to all contracts; None: there is none."""
        for mode in sorted(PACKET_BYTES, reverse=True):
            if all(Wish(mode, each.exchange_type, each.token) in self._wishes for each in contracts):
                return mode
        return None

    def write(self, content: bytes | memoryview) -> None:
        """Send frames."""
        if self._transport is not None:
            self._transport.underlying_transport.write(content)

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin to listen. What one write does not send at once fills the connection."""
        transport.underlying_transport.set_write_buffer_limits(high=0)
        self._transport = transport
        self._feeding.connections.append(self)
        self._feeding.tell()

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002  (picows passes it)
        """Take nothing any more."""
        self._transport, self.is_full = None, False
        self._feeding.tell()

    def pause_writing(self) -> None:
        """Hold its stretch back."""
        self.is_full = True

    def resume_writing(self) -> None:
        """Let its stretch go on."""
        self.is_full = False
        self._feeding.tell()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Answer a heartbeat, a request or a goodbye."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT:
            text = frame.get_payload_as_bytes().decode(errors="replace")
            if text == "ping":
                transport.send(WSMsgType.TEXT, b"pong")
                return
            try:
                request = parse_request(text)
                if request.subscribe:
                    refuse_too_many(self._wishes, request)
            except BadRequest as bad:
                transport.send(WSMsgType.TEXT, bad.answer.encode())
                return
            self._wishes = self._wishes | {*request.wishes} if request.subscribe else self._wishes - {*request.wishes}
            self._feeding.tell()


class Asked(NamedTuple):
    """A request that can be met."""

    number: int  # its id
    connection: Connection
    sending: Sending


class Feeding:
    """The connections, in the order in which they were made, and what they are sent."""

    def __init__(self, tape: Tape) -> None:
        self.connections: list[Connection] = []
        self.player = Player()
        self._tape = tape
        self._changed = asyncio.Event()

    def handshake(self, request: WSUpgradeRequest) -> Connection | None:
        """Take everybody who asks at the right address, up to the limit."""
        is_feed = request.path.decode("ascii", "replace").partition("?")[0] == FEED_PATH
        has_room = sum(each.is_open for each in self.connections) < CONNECTIONS_MAX
        return Connection(self) if is_feed and has_room else None

    def tell(self) -> None:
        """Say that a connection has changed."""
        self._changed.set()
        self.player.tell()

    async def prepare(self, line: bytes) -> Asked:
        """Return what a request asks for, encoded. Raises Refused."""
        asked = parse_sending(line, len(self._tape))
        number, begin, end = asked["id"], asked["begin"], asked["end"]
        try:
            async with asyncio.timeout(PATIENCE_S):
                connection, mode = await self._taker(asked["connection"])
        except TimeoutError:
            raise Refused(number, self._lacking(asked["connection"])) from None
        if connection.is_busy:
            raise Refused(number, f"connection {asked['connection']} is being sent to: wait for the answer")
        connection.is_busy = True
        opening = self._tape.opening(begin, mode, connection.told_ms)
        stretch = self._tape.stretch(begin, end, mode)
        connection.told_ms = max(connection.told_ms, int(self._tape.time_ms[begin:end].max()))
        interval_ns = 0 if asked["rate"] is None else round(SECOND_NS / asked["rate"])
        return Asked(number, connection, Sending(connection, stretch, opening, interval_ns))

    async def _taker(self, place: int) -> tuple[Connection, int]:
        """Return a connection and its mode, once it is there and has subscribed; at once where it has gone."""
        while True:
            if place < len(self.connections):
                connection = self.connections[place]
                mode = connection.mode(self._tape.contracts)
                if mode is not None or not connection.is_open:
                    return connection, mode or min(PACKET_BYTES)
            self._changed.clear()
            await self._changed.wait()

    def _lacking(self, place: int) -> str:
        if place >= len(self.connections):
            return f"connection {place} was not made, there are {len(self.connections)}: connect, and ask again"
        return f"connection {place} has not subscribed to all {len(self._tape.contracts)} contracts in one mode"


class Refused(Exception):  # noqa: N818  (it is no defect but what the parent asked for)
    """A request that can't be met; `number` is its id, None where it has none."""

    def __init__(self, number: int | None, why: str) -> None:
        super().__init__(why)
        self.number = number


def parse_sending(line: bytes, rows: int) -> dict[str, Any]:
    """Return the values of a request. Raises Refused with what is wrong."""
    try:
        asked = json.loads(line)["send"]
        number = asked["id"]
    except (ValueError, TypeError, KeyError):
        raise Refused(None, f"{line[:80]!r} is no request to send") from None
    if asked.keys() != SENDING:
        raise Refused(number, f"send: has {', '.join(sorted(asked))}; must have {', '.join(sorted(SENDING))}")
    for name in SENDING - {"rate"}:
        if not isinstance(asked[name], int) or isinstance(asked[name], bool) or asked[name] < 0:
            raise Refused(number, f"send: {name} = {asked[name]!r}: must be a whole number of at least 0")
    begin, end, rate = asked["begin"], asked["end"], asked["rate"]
    if not begin < end <= rows:
        raise Refused(number, f"send: rows {begin} to {end}: must be a stretch of the {rows:,} rows that there are")
    if end - begin > STRETCH_MAX:
        raise Refused(
            number, f"send: {end - begin:,} rows: must be at most {STRETCH_MAX:,}; send them in several stretches"
        )
    is_number = isinstance(rate, int | float) and not isinstance(rate, bool)
    if rate is not None and not (is_number and 0 < rate <= RATE_MAX):
        raise Refused(number, f"send: rate = {rate!r}: must be above 0 and at most {RATE_MAX:,} rows a second, or null")
    return asked  # type: ignore[no-any-return]  # of JSON, checked


def instrument_values(each: Listed) -> dict[str, Any]:
    """Return what a client has to know to subscribe, for JSON."""
    return {
        "symbol": each.symbol,
        "segment": each.segment,
        "token": each.token,
        "exchange_type": each.exchange_type,
        "lot_size": each.lot_size,
        "tick_size_paise": each.tick_paise,
    }


def say(**values: Any) -> None:
    """Answer with a line."""
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


async def serve() -> None:
    """Do what the lines of the standard input say, until it ends."""
    lines = asyncio.StreamReader(LINE_BYTES)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    tape = tape_of(await lines.readline())
    feeding = Feeding(tape)
    server = await ws_create_server(feeding.handshake, LOOPBACK, 0, use_aiofastnet=False)
    say(
        port=server.sockets[0].getsockname()[1],
        rows=len(tape),
        contracts=[instrument_values(each) for each in tape.contracts],
        indices=[instrument_values(each) for each in tape.indices],
        days=[(day.isoformat(), first) for day, first in tape.days],
        digest=tape.digest,
    )
    gc.collect()
    gc.freeze()
    gc.disable()
    async with asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(feeding.player.run())
        answers: set[asyncio.Task[None]] = set()
        while line := await lines.readline():
            begun = await _prepared(feeding, lines, line)
            feeding.player.start([each.sending for each in begun])
            for each in begun:
                answer = tasks.create_task(_answer(each))
                answers.add(answer)
                answer.add_done_callback(answers.discard)
        for task in (playing, *answers):
            task.cancel()
    server.close()


def tape_of(line: bytes) -> Tape:
    """Return the tape that the first line asks for. Raises MyquantError."""
    try:
        values = json.loads(line)
        leap_s = values.pop("leap_s")
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ConfigError(f"{line[:80]!r}: the feeder's first line must be an object of JSON, with leap_s") from None
    if not isinstance(leap_s, int | float) or not 1 <= leap_s <= LEAP_MAX_S:
        raise ConfigError(f"leap_s = {leap_s!r}: must be from 1 to {LEAP_MAX_S:,} seconds")
    return Tape(DaySource.of(values).days(), round(leap_s * 1000))


async def _prepared(feeding: Feeding, lines: asyncio.StreamReader, line: bytes) -> list[Asked]:
    """Prepare what is asked for, by this line and those that follow at once; say why what is not possible is not."""
    found: list[Asked] = []
    while line:
        try:
            found.append(await feeding.prepare(line))
        except Refused as why:
            say(id=why.number, error=str(why), exit_code=ConfigError.exit_code)
        try:
            line = await asyncio.wait_for(lines.readline(), GATHER_S)
        except TimeoutError:
            break
    return found


async def _answer(asked: Asked) -> None:
    """Say what became of a request, once it is done."""
    sending = asked.sending
    await sending.done.wait()
    asked.connection.is_busy = False
    if sending.sent < sending.rows:
        why = f"the connection ended after {sending.sent:,} of {sending.rows:,} rows: connect, and ask again"
        say(id=asked.number, error=why, exit_code=MyquantError.exit_code)
        return
    due = {"due_ns": sending.due_ns, "interval_ns": sending.interval_ns}
    say(id=asked.number, **due, sent=sending.sent, late_ns=sending.late_ns())


def main() -> int:
    """Run the feeder; returns its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes: whoever started this one ends it
    try:
        asyncio.run(serve())
    except MyquantError as error:
        say(error=str(error), exit_code=error.exit_code)
        return error.exit_code
    return 0
