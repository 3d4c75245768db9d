"""From a request about an order to its bytes, and from the answer to a verdict: budget, connections and the session."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

from myquant.brokers.angelone import settings
from myquant.brokers.angelone.client import Tokens
from myquant.brokers.angelone.order_requests import OrderRequests
from myquant.brokers.angelone.order_words import Said, Verdict, judge
from myquant.brokers.budget import SPARE_NS, Budget, Limit, Queue, Waiting
from myquant.brokers.http import Reply
from myquant.brokers.port import Funds, NewOrder, RequestError, SentRequest
from myquant.brokers.secrets import Redactor
from myquant.brokers.slices import Ask, Kind, Slice
from myquant.brokers.supervised import PASSING
from myquant.brokers.wire import OnReply, Wire
from myquant.core import codes
from myquant.errors import MyquantError

SECOND_NS: Final = 10**9
QUEUE_MAX: Final = 1000
ENTRY_WAIT_NS: Final = SECOND_NS  # an entry that would leave later is not sent: its price is of the past
EXIT_WAIT_NS: Final = 3 * SECOND_NS  # likewise an exit; shorter than the core's time-out of an order
RENEW_AGAIN_S: Final = 5.0
WAKE_S: Final = (0.01, 0.25)  # how soon at the earliest, and at the latest, one that waits is looked at again
NO_SESSION: Final = "there is no session"
_COMMANDS: Final = {Kind.PLACE: codes.SUBMIT, Kind.MODIFY: codes.MODIFY, Kind.CANCEL: codes.CANCEL}

# Of each second two requests are for exits, cancellations and new stop orders alone, of each minute and hour a tenth.
SHARED: Final = (Limit(settings.ORDERS_PER_SECOND, SECOND_NS, 2),)
EACH: Final = (
    Limit(settings.ORDERS_PER_MINUTE, 60 * SECOND_NS, settings.ORDERS_PER_MINUTE // 10),
    Limit(settings.ORDERS_PER_HOUR, 3600 * SECOND_NS, settings.ORDERS_PER_HOUR // 10),
)


class Account(Protocol):
    """What the port needs of `AngelOneClient`."""

    tokens: Tokens | None
    redactor: Redactor

    def order_headers(self) -> Mapping[str, str]:
        """Return the headers of a request about orders. Raises RequestError without a session."""

    async def renew(self, ended: Tokens | None) -> None:
        """Replace a session that the broker has ended."""

    async def book(self, request: str, path: str) -> Any:
        """Return the data of one of the books."""

    async def funds(self) -> Funds:
        """Return what the account has."""


@dataclass(slots=True, eq=False)
class Request:
    """Something to ask about an order: of a slice of ours, or (`piece` None: a cancellation) of any by its broker id."""

    kind: Kind
    urgent: bool
    piece: Slice | None = None
    ask: Ask | None = None
    broker_id: str = ""
    variety: str = ""
    again: bool = False  # it was refused once because the session had ended
    queued_ns: int = -1  # monotonic: since when it has waited; -1: it was not made to

    def is_void(self) -> bool:
        """Return whether nobody wants it any more: its slice has ended, or something else was asked since."""
        if self.piece is None:
            return False
        if self.piece.ended:
            return True
        return self.ask is not None and self.ask.order.asks.get(self.kind) is not self.ask

    def sent(self, now_ns: int) -> SentRequest | None:
        """Return what was written just now; None: of an order that is none of ours."""
        piece, ask = self.piece, self.ask
        if piece is None:
            return None
        limit, trigger = (piece.limit, piece.trigger) if ask is None else (ask.limit, ask.trigger)
        waited_ns = now_ns - self.queued_ns if self.queued_ns >= 0 else 0
        order, of = piece.order, (piece.part + 1, len(piece.order.slices), piece.quantity, limit, trigger)
        return SentRequest(_COMMANDS[self.kind], order.new.order_id, now_ns, waited_ns, *of, self.again)

    def __str__(self) -> str:
        name = self.kind.name.lower()
        if self.piece is None:
            return f"{name} of the broker's order {self.broker_id}"
        return f"{name} of order {self.piece.order.new.order_id}, part {self.piece.part}"


class Sender:
    """Sends requests, exits first, each at most once; a second time only what a session's end kept from being done.

    Args:
        on_written: takes a request right after its bytes were written by `send` or later, and when, monotonic.
        on_verdict: takes a request that was answered, and what that says.
        on_lost: takes a request that was written and has no answer, and why.
        on_given_up: takes a request that was certainly not written, and why.
        on_change: called when `why_not` may have changed.
    """

    def __init__(
        self,
        account: Account,
        requests: OrderRequests,
        wire: Wire,
        *,
        monotonic_ns: Callable[[], int],
        on_written: Callable[[Request, int], None],
        on_verdict: Callable[[Request, Verdict], None],
        on_lost: Callable[[Request, str], None],
        on_given_up: Callable[[Request, str], None],
        on_change: Callable[[], None],
    ) -> None:
        self._account, self._requests, self._wire = account, requests, wire
        self._monotonic_ns = monotonic_ns
        self._on_written, self._on_verdict, self._on_lost = on_written, on_verdict, on_lost
        self._on_given_up, self._on_change = on_given_up, on_change
        self._budget = Budget(len(Kind), SHARED, EACH)
        self._queue: Queue[Request] = Queue(QUEUE_MAX)
        self._tokens: Tokens | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._no_session = ""
        self._timer: asyncio.Handle | None = None
        self._timer_due_s = 0.0  # of the loop's clock
        self._is_closed = False
        wire.on_change = self._wire_changed

    def why_not(self) -> str:
        """Return why nothing can be sent; empty: it can."""
        if not self._wire.is_open:
            return f"orders can't be sent: {self._wire.reason}"
        tokens = self._account.tokens
        if tokens is None:
            return f"orders can't be sent: {NO_SESSION}"
        return f"orders can't be sent: {self._no_session}" if self._no_session and tokens is self._tokens else ""

    def start(self) -> None:
        """Connect, in the running loop."""
        self._is_ready()
        self._wire.start()

    def place(self, new: NewOrder, tag: str) -> Request | None:
        """Write a new order of one slice at once, and return the request, whose `piece` is still to be set.

        None: it can't leave now, and nothing was written; `send` lets it wait.
        """
        return self._place(new, tag, self._wire.send)

    def prime(self, new: NewOrder, tag: str) -> None:
        """Go the way of `place` up to the write, so that the processor has it at hand when an order comes."""
        self._place(new, tag, self._write_nothing)

    def _write_nothing(self, _content: bytes, _on_reply: OnReply) -> bool:
        return self._wire.is_free and False

    def _place(self, new: NewOrder, tag: str, write: Callable[[bytes, OnReply], bool]) -> Request | None:
        urgent, now = new.is_exit, self._monotonic_ns()
        if not self._may_write(Kind.PLACE, urgent, now):
            return None
        request = Request(Kind.PLACE, urgent)
        content = self._requests.place(new, new.quantity, new.limit, new.trigger, tag)
        if not write(content, partial(self._replied, request, self._tokens)):
            return None
        self._budget.note(Kind.PLACE, now)
        return request

    def send(self, request: Request) -> None:
        """Write a request now, or as soon as it may be; nothing is called back before the loop's next turn."""
        queue, now = self._queue, self._monotonic_ns()
        if self._may_write(request.kind, request.urgent, now) and self._write(request, now):
            return
        request.queued_ns = now
        wait_ns = EXIT_WAIT_NS if request.urgent else ENTRY_WAIT_NS
        if queue.put(Waiting(request, request.kind, request.urgent, now + wait_ns)):
            self._wake(0.0)
        else:
            asyncio.get_running_loop().call_soon(self._give_up, request, "too many requests wait")

    def drop_unsent(self, piece: Slice) -> bool:
        """Take a slice's request to be placed out of the queue; False: it does not wait there."""
        placing = next((each for each in self._queue.items() if each.kind is Kind.PLACE and each.piece is piece), None)
        return placing is not None and self._queue.drop(placing)

    async def aclose(self) -> None:
        """Let go of all connections; nobody is called back any more."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
        await self._wire.aclose()

    def _may_write(self, kind: Kind, urgent: bool, now: int) -> bool:
        """Return whether a request may leave now: nothing waits that goes before it, and there are a session and room."""
        queue = self._queue
        return (
            (not queue or (urgent and not queue.holds_urgent))
            and self._is_ready()
            and self._budget.free_ns(kind, urgent=urgent) <= now
        )

    def _is_ready(self) -> bool:
        """Return whether there is a session, its headers taken over if it is new."""
        tokens = self._account.tokens
        if tokens is None or self._renewing is not None:
            return False
        if tokens is not self._tokens:
            self._requests.use(self._account.order_headers())
            self._tokens = tokens
            self._no_session = ""
        return not self._no_session

    def _write(self, request: Request, now: int) -> bool:
        piece, ask = request.piece, request.ask
        if piece is None:
            content = self._requests.cancel(request.broker_id, request.variety)
        elif ask is None:
            content = self._requests.place(piece.order.new, piece.quantity, piece.limit, piece.trigger, piece.tag)
        elif request.kind is Kind.MODIFY:
            content = self._requests.modify(piece, ask.limit, ask.trigger)
        else:
            content = self._requests.cancel(piece.broker_id, request.variety)
        if not self._wire.send(content, partial(self._replied, request, self._tokens)):
            return False
        written_ns = self._monotonic_ns()
        self._budget.note(request.kind, now)
        if piece is not None and ask is None:
            piece.sent_ns = now
        self._on_written(request, written_ns)
        return True

    def _replied(self, request: Request, used: Tokens | None, reply: Reply | None, why: str) -> None:
        if self._is_closed:
            return
        if reply is None:
            self._on_lost(request, why)
            return
        name = str(request)
        verdict = judge(name, reply, self._account.redactor, places=request.kind is Kind.PLACE)
        if verdict.said is Said.TOO_OFTEN:
            self._budget.hold(self._monotonic_ns() + SECOND_NS + SPARE_NS)
        if verdict.said is Said.SESSION_ENDED:
            self._renew(used)
            if not request.again:
                request.again = True
                wait_ns = EXIT_WAIT_NS if request.urgent else ENTRY_WAIT_NS
                request.queued_ns = self._monotonic_ns()
                gives_up_ns = request.queued_ns + wait_ns
                if self._queue.put(Waiting(request, request.kind, request.urgent, gives_up_ns)):
                    if request.kind is Kind.PLACE and request.piece is not None:
                        request.piece.sent_ns = -1
                    self._wake(0.0)
                    return
            verdict = verdict._replace(said=Said.REFUSED)
        self._on_verdict(request, verdict)

    def _renew(self, used: Tokens | None) -> None:
        if self._renewing is None and self._account.tokens is used:
            self._renewing = asyncio.get_running_loop().create_task(self._renewed(used))

    async def _renewed(self, used: Tokens | None) -> None:
        """Replace the session; where that fails for a passing reason, again after a while."""
        while True:
            try:
                await self._account.renew(used)
            except MyquantError as error:
                self._no_session = str(error)
                self._on_change()
                if not isinstance(error, RequestError) or error.remedy not in PASSING:
                    self._renewing = None
                    return
                await asyncio.sleep(RENEW_AGAIN_S)
            else:
                break
        self._renewing = None
        self._no_session = ""
        self._on_change()
        self._pump()

    def _wire_changed(self) -> None:
        if not self._is_closed:
            self._on_change()
            if len(self._queue):
                self._pump()

    def _wake(self, wait_s: float) -> None:
        """Look at what waits after a while, or sooner if that was to be already."""
        loop = asyncio.get_running_loop()
        due_s = loop.time() + wait_s
        if self._timer is not None:
            if self._timer_due_s <= due_s:
                return
            self._timer.cancel()
        self._timer, self._timer_due_s = loop.call_later(wait_s, self._pump), due_s

    def _pump(self) -> None:
        """Send what may be sent now, and give up what has waited too long."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_closed:
            return
        queue, budget = self._queue, self._budget
        for request in queue.items():
            if request.is_void():
                queue.drop(request)
        for request in queue.expired(self._monotonic_ns(), budget):
            self._give_up(request, self.why_not() or "the broker's rate leaves no room for it in time")
        while len(queue) and self._is_ready() and self._wire.is_free:
            now = self._monotonic_ns()
            waiting = queue.take(now, budget)
            if waiting is None:
                break
            if not self._write(waiting.item, now):
                queue.put(waiting)
                break
        if len(queue):
            wait_s = (queue.wake_ns(budget) - self._monotonic_ns()) / SECOND_NS
            self._wake(min(max(wait_s, WAKE_S[0]), WAKE_S[1]))

    def _give_up(self, request: Request, why: str) -> None:
        if not self._is_closed:
            self._on_given_up(request, f"{request} was not sent: {why}")
