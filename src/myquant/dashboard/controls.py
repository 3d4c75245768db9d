"""Halt, resume and flatten: what each will do is said first, and only who has seen it can have it done.

What is done is asked of the session itself, as `myquant halt` does; nothing is decided here.
"""

import asyncio
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from myquant.core.codes import HALT_NAMES
from myquant.core.orders import AT_WORK, STATE_NAMES
from myquant.dashboard.access import is_same, steady_s
from myquant.dashboard.known import is_being_read, stands_still
from myquant.errors import MyquantError
from myquant.monitor.faults import is_simulated
from myquant.monitor.health import RUNNING, state_of
from myquant.monitor.view import OrderView, SessionView
from myquant.results.text import counted, grouped, signed
from myquant.session.halts import HALTS
from myquant.session.operator import FLATTEN, HALT, REASON_MAX, RESUME, ask_session

Action = Literal["halt", "resume", "flatten"]
ACTIONS: Final = get_args(Action)
VALID_S: Final = 60.0
ASKED_MAX: Final = 64  # sessions that are waited for at a time
NOTE_MAX: Final = 120  # characters of a reason: who asked is written behind it
RUPEE: Final = "\N{INDIAN RUPEE SIGN}"
DAMAGED: Final = "Its journal is damaged: what it holds now is not known here, and what follows is of before."
BEING_READ: Final = (
    "Its journal is being read: what it holds now is not known here yet, and what follows may be of before."
)
STANDS_STILL: Final = "Its process was stopped by a signal: it manages nothing, and does what is asked once it goes on. Its stop orders at a broker stand."
_WORKING: Final = {STATE_NAMES[state] for state in AT_WORK}
_TEXTS: Final = {HALT_NAMES[code]: halt for code, halt in HALTS.items()}


class StaleError(MyquantError):
    """What was shown is too old, or no longer so."""


@dataclass(frozen=True)
class Preview:
    """What an action will do, by all that was read of the session.

    `token`: who asks for it shows with this that he has seen it; good for `VALID_S` and as long as it is so.
    """

    session: str
    action: Action
    headline: str
    lines: tuple[str, ...]
    is_real: bool  # orders go to a broker
    token: str


class Controls:
    """Says what actions will do, and asks sessions for them.

    Args:
        now_s: a clock, seconds.
        ask: asks a session: folder, request, reason; returns its answer or raises MyquantError.
    """

    def __init__(
        self, now_s: Callable[[], float] = steady_s, ask: Callable[[Path, str, str], object] | None = None
    ) -> None:
        self._now_s = now_s
        self._ask = ask or ask_session
        self._key = secrets.token_bytes(32)
        # Threads of its own: who has to flatten waits for no report that somebody reads, and for no session that hangs.
        self._threads = ThreadPoolExecutor(ASKED_MAX, "asking")

    def preview(self, view: SessionView, action: Action) -> Preview:
        """Return what an action will do. Raises MyquantError where the session does not run."""
        if state_of(view) != RUNNING:
            left = "what it left open is closed with `myquant flatten --broker`, or by starting it again"
            simulated = "nothing of it is at a broker: start it again with the same command to go on with it"
            raise MyquantError(
                f"{view.name}: does not run ({state_of(view)}), so it can't be asked: {simulated if is_simulated(view) else left}"
            )
        headline, lines = _TOLD[action](view)
        if view.damage:
            lines = [DAMAGED, *lines]
        elif is_being_read(view):
            lines = [BEING_READ, *lines]
        if stands_still(view):
            lines = [STANDS_STILL, *lines]
        return Preview(view.name, action, headline, tuple(lines), not is_simulated(view), self._token(view, action))

    def check(self, view: SessionView, action: Action, token: str) -> None:
        """Raise StaleError unless the token is that of a preview of this action, not too old, and as things stand."""
        ends, _, _ = token.partition(".")
        is_young = ends.isascii() and ends.isdigit() and len(ends) < 20 and int(ends) > self._now_ms()
        if not is_young or not is_same(token, self._token(view, action, int(ends))):
            raise StaleError(
                f"{view.name}: what {action} does was not shown within the last {VALID_S:g} s, or has changed since: look again"
            )

    async def act(self, view: SessionView, action: Action, reason: str, who: str) -> str:
        """Ask a session for an action and return its answer.

        Raises MyquantError, in words: a refusal, or no answer in time; then the request may still be taken.
        """
        if len(reason) > NOTE_MAX or not reason.isprintable():
            raise MyquantError(f"reason: must be at most {NOTE_MAX} printable characters on one line")
        told = f"{reason} (dashboard: {who})".strip()[:REASON_MAX]
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._threads, self._ask, view.folder, action, told)
        return str(answer["message"]) if isinstance(answer, dict) and "message" in answer else "done"

    def close(self) -> None:
        """Wait for the sessions that were asked: for a worker thread; nothing is asked any more."""
        self._threads.shutdown(cancel_futures=True)

    def _now_ms(self) -> int:
        return round(self._now_s() * 1000)

    def _token(self, view: SessionView, action: Action, ends_ms: int | None = None) -> str:
        ends_ms = self._now_ms() + round(VALID_S * 1000) if ends_ms is None else ends_ms
        text = json.dumps([ends_ms, view.name, str(view.folder), action, _seen(view, action)], sort_keys=True)
        return f"{ends_ms}.{hmac.new(self._key, text.encode('utf-8', 'backslashreplace'), hashlib.sha256).hexdigest()}"


def _seen(view: SessionView, action: Action) -> object:
    """Return what must not change between what was shown and what is done: of a halt, nothing but the process."""
    process = None if view.process is None else [view.process.pid, view.process.started_wall_ns]
    if action == FLATTEN:
        return [process, view.holds]
    return [process, view.halt] if action == RESUME else [process]


def _tell_halt(view: SessionView) -> tuple[str, list[str]]:
    lines = ["No new position is entered until somebody resumes it.", *_managed(view), *_halted(view)]
    return f"{view.name}: stop entering", [*lines, _orders_of(view)]


def _tell_resume(view: SessionView) -> tuple[str, list[str]]:
    lines = ["New positions may be entered again."]
    if not view.halt:
        lines.append("Nothing halts entries, by what was last read of it.")
    if view.feed_stale:
        lines.append("The feed is stale: nothing is entered before it is back.")
    halted = [each.partition(" To bring them back:")[0] for each in _halted(view)]  # which is what this does
    return f"{view.name}: enter again", [*halted, *lines, *_managed(view), _orders_of(view)]


def _tell_flatten(view: SessionView) -> tuple[str, list[str]]:
    lines = []
    for each in view.instruments:
        if each.quantity:
            price = "last price not known" if each.last_price is None else f"last price {_rupees(each.last_price)}"
            lines.append(
                f"Sells {counted(each.quantity, 'unit')} of {each.symbol}, {price}{_pnl(each.quantity, each.entry_price, each.last_price)}."
            )
    if not lines:
        lines.append("Nothing is held, by what was last read: nothing is sold.")
    lines += [f"Cancels first: {_order_text(view, order)}." for order in _working(view)]
    lines.append("Enters nothing any more until somebody resumes it.")
    return f"{view.name}: close everything now", [*lines, *_halted(view), _orders_of(view)]


_TOLD: Final[dict[Action, Callable[[SessionView], tuple[str, list[str]]]]] = {
    HALT: _tell_halt,  # type: ignore[dict-item]
    RESUME: _tell_resume,  # type: ignore[dict-item]
    FLATTEN: _tell_flatten,  # type: ignore[dict-item]
}


def _managed(view: SessionView) -> list[str]:
    held = [f"{counted(units, 'unit')} of {symbol}" for symbol, units in view.holds.items()]
    managed = "" if stands_still(view) else ", which is managed on: stops and targets hold"
    return [f"Holds {', '.join(held)}{managed}."] if held else ["Nothing is held."]


def _halted(view: SessionView) -> list[str]:
    if not view.halt:
        return []
    told = _TEXTS.get(view.halt)
    if told is None:
        return [f"Entries are halted already: {view.halt}."]
    return [f"Entries are halted already: {told.text}. To bring them back: {told.remedy}."]


def _orders_of(view: SessionView) -> str:
    if is_simulated(view):
        return "Simulated orders: nothing is sent to a broker."
    return "REAL orders: what it does is sent to the broker."


def _working(view: SessionView) -> list[OrderView]:
    return [order for order in view.orders.values() if order.state in _WORKING]


def _order_text(view: SessionView, order: OrderView) -> str:
    side = "buy" if order.is_buy else "sell"
    left = order.quantity - order.filled
    at = f"trigger {_rupees(order.trigger)}" if order.trigger else f"limit {_rupees(order.price)}"
    return f"{side} {left:,} {view.symbol_of(order.instrument)}, {at}, {order.state}"


def _pnl(units: int, entry_price: int | None, last_price: int | None) -> str:
    if entry_price is None or last_price is None:
        return ""
    return f"; about {signed(units * (last_price - entry_price) / 100, unit=RUPEE)} against its entry, before charges"


def _rupees(paise: int) -> str:
    return grouped(paise / 100, unit=RUPEE)
