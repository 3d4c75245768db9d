"""What a running session answers to its operator, and what it does at his word."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from myquant.core import codes
from myquant.core.orders import AT_WORK, UNKNOWN
from myquant.core.records import NEVER
from myquant.journal.disk import explained
from myquant.journal.segment import FOLDER as JOURNAL_FOLDER
from myquant.results.text import counted
from myquant.session.engine import Engine
from myquant.session.halts import HALTS
from myquant.session.open_ends import order_text
from myquant.session.standing import broker_funds, day_pnl
from myquant.session.status import (
    EntriesStatus,
    ErrorStatus,
    HaltStatus,
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
    """Answers the requests of one session's operator.

    Attributes:
        waits_for: returns what a stop has to wait for, in words; empty: nothing.
        keeps: returns what a stop leaves open, in words, as it stands; empty: nothing.
        halts: how often entries were halted at a person's word.
    """

    def __init__(self, supervisor: Supervisor, folder: Path, kind: str) -> None:
        self._supervisor = supervisor
        self._folder = folder
        self._kind = kind
        self._started_ns = supervisor.clock.wall_ns()
        self.waits_for: Callable[[], str] = str
        self.keeps: Callable[[], str] = str
        self.halts = 0

    def ask(self, request: str, reason: str, who: str) -> dict[str, Any]:
        """Do what is asked and return the answer."""
        if request == STATUS:
            return dict(self.status())
        supervisor = self._supervisor
        supervisor.log.warning("operator", request=request, reason=reason, who=who)
        if request == STOP:
            waits_for = self.waits_for()
            supervisor.ask_to_stop()
            stopping, keeps = _stopping(waits_for, hurries=supervisor.hurries), self.keeps()
            return dict(Message(message=f"{stopping}; it keeps {keeps}" if keeps else stopping))
        self.halts += request in (HALT, FLATTEN)
        supervisor.event(codes.OPERATOR, _WISHES[request])
        return dict(Message(message=self._done(request)))

    def tell_manager(self) -> None:
        """Tell the service manager, where there is one, that the session lives and how it stands."""
        supervisor = self._supervisor
        engine = supervisor.runner.engine
        entries = _entries(engine, stale=supervisor.feed.stale)
        held = int(np.count_nonzero(engine.instruments["core"]["position"]["quantity"]))
        allowed = "entries are allowed" if entries["allowed"] else f"no entries: {entries['reason']}"
        supervisor.telemetry.notifier.alive(f"{counted(held, 'open position')}; {allowed}")

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
        errors, exchange = supervisor.errors, supervisor.exchange_clock
        last: ErrorStatus = {"time_ns": errors.time_ns, "text": errors.text}
        return SessionStatus(
            session=self._folder.name,
            kind=self._kind,
            pid=os.getpid(),
            time_zone=engine.loaded.config.session.timezone,
            wall_now_ns=supervisor.clock.wall_ns(),
            exchange_now_ns=exchange.now_ns() if exchange.known else None,
            started_ns=self._started_ns,
            feed={"healthy": not feed.stale, "since_ns": feed.since_ns, "reason": feed.reason if feed.stale else ""},
            entries=_entries(engine, stale=feed.stale),
            halt=_halt(account.halt, supervisor.halted_ns.get(account.halt)),
            day_pnl_paise=day_pnl(account),
            instruments=[_instrument(engine, who) for who in range(len(engine.names))],
            orders=_orders(engine),
            journal=_journal(self._folder / JOURNAL_FOLDER, int(journal.cursor[0])),
            errors=errors.count,
            last_error=last if errors.count else None,
        )


def _stopping(waits_for: str, *, hurries: bool) -> str:
    if hurries:
        return "the session stops and waits for nothing any more"
    return f"the session stops; first it waits for {waits_for}" if waits_for else "the session stops"


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
    return {"allowed": not reasons, "reason": ", ".join(reasons), "broker_funds_paise": broker_funds(account)}


def _halt(code: int, since_ns: int | None) -> HaltStatus | None:
    if code == codes.NOT_HALTED:
        return None
    text, remedy = HALTS[code]
    return {"reason": codes.HALT_NAMES[code], "text": text, "remedy": remedy, "since_ns": since_ns}


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
        "order": order_text(core["order"]),
        "stop_order": order_text(core["stop_order"]),
    }


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
    core, counts = engine.instruments["core"], engine.instruments["counts"]
    states = np.concatenate([core["order"]["state"], core["stop_order"]["state"]])
    not_sent = int(counts[:, codes.COUNT_NOT_SENT].sum())
    return {
        "sent": engine.account().orders - not_sent,
        "working": int(np.isin(states, AT_WORK).sum()),
        "rejected": int(counts[:, codes.COUNT_ORDER_REJECTS].sum()),
        "not_sent": not_sent,
        "unknown": int((states == UNKNOWN).sum()),
    }
