"""What a running session answers to its operator, and what it does at his word."""

import os
import shutil
from pathlib import Path
from typing import Any, Final

import numpy as np

from myquant.core import codes
from myquant.core.orders import AT_WORK, STATE_NAMES, UNKNOWN
from myquant.core.records import NEVER
from myquant.journal.disk import explained
from myquant.journal.segment import FOLDER as JOURNAL_FOLDER
from myquant.session.engine import Engine
from myquant.session.status import (
    EntriesStatus,
    InstrumentStatus,
    JournalStatus,
    Message,
    OrdersStatus,
    PositionStatus,
    SessionStatus,
)
from myquant.session.supervisor import Supervisor

HALT, RESUME, FLATTEN, STOP, STATUS = "halt", "resume", "flatten", "stop", "status"
_WISHES: Final = {HALT: codes.ASK_HALT, RESUME: codes.ASK_RESUME, FLATTEN: codes.ASK_FLATTEN}


class Answers:
    """Answers the requests of one session's operator."""

    def __init__(self, supervisor: Supervisor, folder: Path, kind: str) -> None:
        self._supervisor = supervisor
        self._folder = folder
        self._kind = kind
        self._started_ns = supervisor.clock.wall_ns()

    def ask(self, request: str, reason: str, who: str) -> dict[str, Any]:
        """Do what is asked and return the answer."""
        if request == STATUS:
            return dict(self.status())
        supervisor = self._supervisor
        supervisor.log.warning("operator", request=request, reason=reason, who=who)
        if request == STOP:
            supervisor.ask_to_stop()
            return dict(Message(message="the session stops"))
        supervisor.event(codes.OPERATOR, _WISHES[request])
        return dict(Message(message=self._done(request)))

    def _done(self, request: str) -> str:
        engine = self._supervisor.runner.engine
        positions = engine.instruments["core"]["position"]["quantity"]
        open_positions = int(np.count_nonzero(positions))
        if request == HALT:
            return f"no new entries; {open_positions} open positions are managed on"
        if request == FLATTEN:
            left = f"; {open_positions} are still open" if open_positions else ""
            return f"all positions are told to close{left}; entries wait for resume"
        entries = _entries(engine, stale=self._supervisor.feed.stale)
        return (
            "entries are allowed again" if entries["allowed"] else f"resumed, but no entries yet: {entries['reason']}"
        )

    def status(self) -> SessionStatus:
        """Return how the session stands."""
        supervisor = self._supervisor
        engine, feed, journal = supervisor.runner.engine, supervisor.feed, supervisor.journal
        account = engine.account()
        error = supervisor.last_error
        return SessionStatus(
            session=self._folder.name,
            kind=self._kind,
            pid=os.getpid(),
            time_zone=engine.loaded.config.session.timezone,
            now_ns=supervisor.exchange_clock.now_ns(),
            started_ns=self._started_ns,
            feed={"healthy": not feed.stale, "since_ns": feed.since_ns, "reason": feed.reason if feed.stale else ""},
            entries=_entries(engine, stale=feed.stale),
            day_pnl_paise=account.cash + account.open_value - account.day_start_equity,
            instruments=[_instrument(engine, who) for who in range(len(engine.names))],
            orders=_orders(engine),
            journal=_journal(self._folder / JOURNAL_FOLDER, int(journal.cursor[0])),
            last_error=None if error is None else {"time_ns": error[0], "text": error[1]},
        )


def _entries(engine: Engine, *, stale: bool) -> EntriesStatus:
    account = engine.account()
    reasons = []
    if account.halt != codes.NOT_HALTED:
        reasons.append(f"halted: {codes.HALT_NAMES[account.halt]}")
    if account.flatten:
        reasons.append("flattened by the operator")
    if account.day_stopped:
        reasons.append("the day's loss limit is reached")
    if stale:
        reasons.append("the feed is stale")
    return {"allowed": not reasons, "reason": ", ".join(reasons)}


def _instrument(engine: Engine, who: int) -> InstrumentStatus:
    core = engine.instruments[who]["core"]
    tape = core["tape"]
    seen = tape["last_ns"] != codes.BEFORE_ALL
    return {
        "symbol": engine.names[who].symbol,
        "ticks": int(engine.instruments[who]["counts"][codes.COUNT_TICKS]),
        "last_tick_ns": int(tape["last_ns"]) if seen else None,
        "last_price_paise": int(tape["last_price"]) if seen else None,
        "position": _position(core) if core["position"]["quantity"] else None,
        "order": _at_work(core["order"]),
        "stop_order": _at_work(core["stop_order"]),
    }


def _at_work(order: np.void) -> str | None:
    """Return an order that works, in words; None: it has ended, or there is none."""
    state = int(order["state"])
    if state not in AT_WORK:
        return None
    side = "buy" if order["side"] == codes.BUY else "sell"
    trigger = f" at {int(order['trigger']) / 100:.2f}" if order["trigger"] else ""
    return f"{side} {int(order['quantity'] - order['filled'])}{trigger}, {STATE_NAMES[state]}"


def _position(core: np.void) -> PositionStatus:
    position = core["position"]
    quantity, price = int(position["quantity"]), int(core["tape"]["last_price"])
    trailing = position["floor"] > position["stop"]
    return {
        "quantity": quantity,
        "entry_price_paise": int(position["entry_price"]),
        "opened_ns": int(position["opened_ns"]),
        "stop_paise": int(position["stop"]),
        "trailing_stop_paise": int(position["floor"]) if trailing else None,
        "target_paise": int(position["target"]) if position["target"] != NEVER else None,
        "open_pnl_paise": quantity * (price - int(position["entry_price"])),
    }


def _journal(segments: Path, records: int) -> JournalStatus:
    with explained(segments, "can't be looked at"):
        used = sum(path.stat().st_size for path in segments.iterdir())
        return {"records": records, "used_bytes": used, "free_bytes": shutil.disk_usage(segments).free}


def _orders(engine: Engine) -> OrdersStatus:
    core = engine.instruments["core"]
    states = np.concatenate([core["order"]["state"], core["stop_order"]["state"]])
    return {
        "sent": engine.account().orders,
        "working": int(np.isin(states, AT_WORK).sum()),
        "rejected": int(engine.instruments["counts"][:, codes.COUNT_ORDER_REJECTS].sum()),
        "unknown": int((states == UNKNOWN).sum()),
    }
