"""Angel One's market feed (WebSocket 2.0): handshake, subscriptions, heartbeats and error frames."""

import asyncio
import json
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Final

from myquant.brokers.angelone import settings
from myquant.brokers.angelone.answers import BROKER_NAME
from myquant.brokers.angelone.client import AngelOneClient, Tokens
from myquant.brokers.dial import Dialler, OpenSocket
from myquant.brokers.port import BrokerInstrument, FeedState, OnFrame, OnStatus, OnText, RequestError
from myquant.brokers.secrets import Redactor
from myquant.brokers.supervised import Cause, LagMeter, NotConnectedError, Sleep, SupervisedConnection, Timing
from myquant.errors import BrokerError, ConfigError

PING: Final = b"ping"
PONG: Final = "pong"
REASON_HEADER: Final = "x-error-message"
ERRORS: Final = {"E1001": "bad request", "E1002": "more subscriptions than allowed"}

SUBSCRIBE: Final = 1


@dataclass(frozen=True)
class FeedCounts:
    """What became of all connections so far; `reconnects_ns`: from stale to healthy (at first: from the start), the latest few thousand."""

    connects: int
    ends: dict[str, int]
    reconnects_ns: tuple[int, ...]
    frames: int
    bytes: int
    late_frames: int
    texts: int
    heartbeats: int
    slow_ticks: int
    lag_max_ns: int


class AngelOneFeed:
    """The ticks of up to 2,997 instruments over one to three supervised connections, numbered from 1.

    Args:
        client: logged in; a session that the broker refuses is renewed through it.
        instruments: what to subscribe to, spread over the connections in order.
        indices: subscribed on every connection, so that one that lives is never silent.
        mode: "ltp", "quote" or "snap_quote".
        on_frame: takes the connection, the payload (valid during the call) and the monotonic time of arrival, ns.
        on_status: takes the connection, whether it is healthy, and why; once per change.
        on_text: takes the connection and a text frame other than `pong`, redacted.
        on_slow: takes by how much the event loop was late, ns, whenever that was more than a quarter of a second.
        expects_data: whether packets must be coming now; before the market opens silence is no fault.

    Attributes:
        connections: the supervised connections.
        lag: how late the event loop is.
    """

    def __init__(
        self,
        client: AngelOneClient,
        instruments: Sequence[BrokerInstrument],
        indices: Sequence[BrokerInstrument],
        *,
        mode: str,
        on_frame: OnFrame,
        on_status: OnStatus,
        on_text: OnText,
        on_slow: Callable[[int], None],
        expects_data: Callable[[], bool],
        timing: Timing | None = None,
        ssl_context: ssl.SSLContext | None = None,
        rng: Random | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        timing = timing or Timing(ping_s=settings.PING_S)
        self._client = client
        self._dialler = Dialler(
            client.endpoints.stream,
            client.redactor,
            timeout_s=timing.connect_s,
            reason_header=REASON_HEADER,
            ssl_context=ssl_context,
        )
        self._used: dict[int, Tokens | None] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.lag = LagMeter(on_slow, monotonic_ns=monotonic_ns, sleep=sleep)
        self.connections = [
            SupervisedConnection(
                number,
                self._dial,
                subscriptions=requests(share, settings.MODES[mode]),
                heartbeat=PING,
                heartbeat_answer=PONG,
                judge=partial(useless, redactor=client.redactor),
                on_frame=on_frame,
                on_status=on_status,
                on_text=partial(_redacted, on_text, client.redactor),
                expects_data=expects_data,
                reauthorise=partial(self._renew, number),
                timing=timing,
                rng=rng or Random(),  # noqa: S311  (spreads attempts in time)
                monotonic_ns=monotonic_ns,
                sleep=sleep,
            )
            for number, share in enumerate(shares(instruments, indices), 1)
        ]

    def start(self) -> None:
        """Begin to connect, in the running loop. Every connection says at once that it is not healthy yet."""
        loop = asyncio.get_running_loop()
        runs: list[Callable[[], Awaitable[None]]] = [self.lag.run, *(each.run for each in self.connections)]
        self._tasks = [loop.create_task(_as_coroutine(run)) for run in runs]

    def states(self) -> list[FeedState]:
        """Return how each connection is."""
        return [each.state() for each in self.connections]

    @property
    def failure(self) -> BrokerError | None:
        """Why some connection is not tried any more; None: all go on."""
        for task in self._tasks:
            error = task.exception() if task.done() and not task.cancelled() else None
            if error is not None:
                return BrokerError(f"{BROKER_NAME}: the feed broke: {type(error).__name__}: {error}: report it")
        return next((each.failure for each in self.connections if each.failure is not None), None)

    def counts(self) -> FeedCounts:
        """Return the counts of all connections."""
        each = [connection.counts for connection in self.connections]
        return FeedCounts(
            connects=sum(one.connects for one in each),
            ends={str(cause): ends for cause, ends in sum((one.ends for one in each), Counter()).items()},
            reconnects_ns=tuple(took for one in each for took in one.reconnects_ns),
            frames=sum(one.frames for one in each),
            bytes=sum(one.bytes for one in each),
            late_frames=sum(one.late_frames for one in each),
            texts=sum(one.texts for one in each),
            heartbeats=sum(one.heartbeats for one in each),
            slow_ticks=self.lag.slow,
            lag_max_ns=self.lag.max_ns,
        )

    async def aclose(self) -> None:
        """End all connections within a second; no callback comes afterwards."""
        for connection in self.connections:
            connection.silence()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _dial(self, connection: SupervisedConnection) -> OpenSocket:
        self._used[connection.number] = self._client.tokens
        try:
            headers = self._client.socket_headers()
        except RequestError as error:
            raise NotConnectedError(Cause.UNAUTHORISED, str(error)) from None
        return await self._dialler.open(connection, headers)

    async def _renew(self, number: int, refusals: int) -> None:
        """Replace the session that a handshake was refused with; from the second refusal in a row on by a login."""
        await self._client.renew(self._used[number], by_login=refusals > 1)


def shares(
    instruments: Sequence[BrokerInstrument], indices: Sequence[BrokerInstrument]
) -> list[list[BrokerInstrument]]:
    """Return what each connection subscribes to: all indices, and as many of the others as fit.

    Raises ConfigError without an index, and where the connections allowed can't hold them all.
    """
    if not indices:
        raise ConfigError("the feed needs an index on every connection, to tell silence from a lost connection")
    on_all = {_key(index) for index in indices}
    others = list({_key(each): each for each in instruments if _key(each) not in on_all}.values())
    room = settings.SUBSCRIPTIONS_MAX - len(on_all)
    if len(others) > room * settings.CONNECTIONS_MAX:
        raise ConfigError(
            f"{len(others)} instruments: {settings.CONNECTIONS_MAX} connections hold {room * settings.CONNECTIONS_MAX}, "
            f"leave some out"
        )
    return [[*indices, *others[first : first + room]] for first in range(0, max(len(others), 1), room)]


def requests(instruments: Iterable[BrokerInstrument], mode: int) -> list[bytes]:
    """Return the frames that subscribe to instruments in a mode, at most 500 tokens in each."""
    wanted = list({_key(each): None for each in instruments})
    size = settings.TOKENS_PER_REQUEST
    chunks = [wanted[first : first + size] for first in range(0, len(wanted), size)]
    return [_request(f"myquant{number}", chunk, mode) for number, chunk in enumerate(chunks, 1)]


def _request(correlation_id: str, keys: Sequence[tuple[int, str]], mode: int) -> bytes:
    by_type: dict[int, list[str]] = {}
    for exchange_type, token in keys:
        by_type.setdefault(exchange_type, []).append(token)
    tokens = [{"exchangeType": exchange_type, "tokens": of_type} for exchange_type, of_type in by_type.items()]
    request = {"correlationID": correlation_id, "action": SUBSCRIBE, "params": {"mode": mode, "tokenList": tokens}}
    return json.dumps(request, separators=(",", ":")).encode()


def useless(text: str, redactor: Redactor) -> str | None:
    """Return why a connection is of no use after an error frame; None: the frame is no error frame."""
    try:
        frame: Any = json.loads(text)
    except json.JSONDecodeError:
        return None
    code = frame.get("errorCode") if isinstance(frame, dict) else None
    if not code:
        return None
    meaning = ERRORS.get(str(code), "unknown error code")
    return redactor.line(f"error frame {code} ({meaning}): {frame.get('errorMessage') or 'no reason given'}")


def _key(instrument: BrokerInstrument) -> tuple[int, str]:
    return instrument.exchange_type, instrument.token


def _redacted(on_text: OnText, redactor: Redactor, connection: int, text: str) -> None:
    on_text(connection, redactor.text(text))


async def _as_coroutine(run: Callable[[], Awaitable[None]]) -> None:
    await run()
