"""Angel One's order-update socket: what becomes of the account's orders, as it happens. All its frames are texts."""

import asyncio
import json
import ssl
import time
from collections.abc import Callable
from random import Random
from typing import Any, Final

from myquant.brokers.angelone import settings
from myquant.brokers.angelone.answers import BROKER_NAME
from myquant.brokers.angelone.client import AngelOneClient, Tokens
from myquant.brokers.angelone.feed import PING, REASON_HEADER
from myquant.brokers.angelone.order_books import named, order_row
from myquant.brokers.angelone.order_words import CONNECTED, UPDATES, frame_of
from myquant.brokers.dial import Dialler, OpenSocket
from myquant.brokers.port import OpenOrder, Remedy, RequestError
from myquant.brokers.secrets import Redactor
from myquant.brokers.supervised import Cause, NotConnectedError, Sleep, SupervisedConnection, Timing
from myquant.core import orders
from myquant.errors import BrokerError

UPDATE: Final = "order update"
NO_TEXT: Final = "\0"  # no frame is this: answers to the heartbeat count as frames, too: they show that we are heard
OK: Final = "200"
_PONG: Final = b"pong"


class OrderUpdates:
    """The socket, kept alive by `SupervisedConnection`: healthy once it has said anything at all.

    Args:
        on_row: takes an order as an update has it.
        on_health: takes whether updates are heard, and why not; once per change.
        on_odd: takes why a frame could not be used, redacted.
    """

    def __init__(
        self,
        client: AngelOneClient,
        *,
        on_row: Callable[[OpenOrder], None],
        on_health: Callable[[bool, str], None],
        on_odd: Callable[[str], None],
        timing: Timing | None = None,
        ssl_context: ssl.SSLContext | None = None,
        rng: Random | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        timing = timing or Timing(ping_s=settings.PING_S)
        self._client = client
        self._on_row, self._on_odd = on_row, on_odd
        self._used: Tokens | None = None
        self._task: asyncio.Task[None] | None = None
        self._dialler = Dialler(
            client.endpoints.updates,
            client.redactor,
            timeout_s=timing.connect_s,
            reason_header=REASON_HEADER,
            ssl_context=ssl_context,
        )
        self.connection = SupervisedConnection(
            1,
            self._dial,
            subscriptions=(),
            heartbeat=PING,
            heartbeat_answer=NO_TEXT,
            judge=_never_useless,
            on_frame=self._take,
            on_status=lambda _, healthy, reason: on_health(healthy, reason),
            on_text=self._hand_over,
            expects_data=lambda: False,  # nothing has to become of any order
            reauthorise=self._renew,
            timing=timing,
            rng=rng or Random(),  # noqa: S311  (spreads attempts in time)
            monotonic_ns=monotonic_ns,
            sleep=sleep,
        )

    def start(self) -> None:
        """Begin to connect, in the running loop."""
        self._task = asyncio.get_running_loop().create_task(self.connection.run())

    @property
    def failure(self) -> BrokerError | None:
        """Why it is not tried any more; None: it goes on."""
        return self.connection.failure

    async def aclose(self) -> None:
        """End the connection; no callback comes afterwards."""
        self.connection.silence()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _hand_over(self, _: int, said: str) -> None:
        """Take a text for what it is here, the data: the connection is healthy by it."""
        self.connection.take(memoryview(said.encode()), self.connection.monotonic_ns())

    def _take(self, _: int, payload: memoryview, __: int) -> None:
        frame = bytes(payload)
        if frame == _PONG:
            return
        try:
            row = update_row(frame, self._client.redactor)
        except RequestError as error:
            self._on_odd(str(error))
        else:
            if row is not None:
                self._on_row(row)

    async def _dial(self, connection: SupervisedConnection) -> OpenSocket:
        self._used = self._client.tokens
        try:
            headers = self._client.socket_headers()
        except RequestError as error:
            raise NotConnectedError(Cause.UNAUTHORISED, str(error)) from None
        return await self._dialler.open(connection, {"Authorization": headers["Authorization"]})

    async def _renew(self, refusals: int) -> None:
        """Replace the session that a handshake was refused with; from the second refusal in a row on by a login."""
        await self._client.renew(self._used, by_login=refusals > 1)


def update_row(text: bytes, redactor: Redactor) -> OpenOrder | None:
    """Return the order that an update tells of; None: it tells of none. Raises RequestError at a frame that is no update.

    Its state is `UNKNOWN` where code and status word are not known, or do not say the same.
    """
    frame = frame_of(text)
    code, status = frame["order-status"].strip().upper(), frame.get("status-code")
    data: Any = frame.get("orderData")
    if code == CONNECTED:
        return None
    if not isinstance(data, dict) or not data:
        said = redactor.line(json.dumps(frame.get("error-message"), default=str))
        raise RequestError(
            BROKER_NAME, UPDATE, f"code {redactor.line(code, 40)!r} without an order ({said})", Remedy.UNKNOWN
        )
    row = order_row(UPDATE, data, redactor)
    if str(status) != OK:
        return row._replace(state=orders.UNKNOWN, words=redactor.line(f"unknown update status {named(status)}"))
    if code not in UPDATES:
        return row._replace(state=orders.UNKNOWN, words=redactor.line(f"unknown update code {named(code)}"))
    works = row.state in {orders.WORKING, orders.PARTIAL}
    is_same = works if UPDATES[code] == orders.WORKING else row.state == UPDATES[code]
    if row.state == orders.UNKNOWN or is_same:
        return row
    said = f"code {code} and status {data.get('orderstatus') or data.get('status')!r} are not the same"
    return row._replace(state=orders.UNKNOWN, words=redactor.line(said))


def _never_useless(_: str) -> None:
    """Keep the connection whatever it says: what can't be read leads to a look at the books."""
