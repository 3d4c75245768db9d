"""The laws of orders at a broker, held against the lab's own book (`order_rest.oracle_of`) once a session is quiet."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from myquant.brokers.port import order_of_tag
from myquant.core import codes
from myquant.core.orders import PARTIAL, SENT, UNKNOWN, WORKING
from myquant.journal.reader import JournalReader
from myquant.lab.angelone.orders import CANCELLED, COMPLETE, REJECTED
from myquant.session import archive
from myquant.session.engine import Engine
from session.stage import Journal, journal_of

ENDED: Final = (COMPLETE, CANCELLED, REJECTED)
AT_WORK: Final = {SENT, WORKING, PARTIAL, UNKNOWN}
NO_SHORT: Final = "RMS: Margin Exceeds, a sale"
FILLED: Final = "filled "  # how a fill begins in a timeline
SECOND_NS: Final = 10**9


@dataclass(frozen=True)
class Held:
    """What was found: orders and fills of ours, and the longest stretch without a working sell, seconds."""

    orders: int
    filled: int
    bare_s: float


def hold(oracle: dict[str, Any], folder: Path, engine: Engine, key: int, about: Any = "") -> Held:
    """Assert that nothing is lost, nothing is doubled, and the position is right. `key`: of the session's tags.

    `engine`: as the journal's end leaves it.
    """
    assert JournalReader(folder).end().what == "nothing", about
    journal, ours, others = journal_of(folder), _of_session(oracle, key), _of_others(oracle)
    submits = journal.commands_of(codes.SUBMIT)
    ids = submits["order_id"].tolist()
    assert len(ids) == len(set(ids)), (about, "an id was given twice")
    decided = dict(zip(ids, submits, strict=True))
    _nothing_doubled(ours, decided, about)
    _nothing_lost(ours, decided, journal, about)
    _nothing_oversold(oracle, others, about)
    _position_right(oracle, engine, about)
    _cash_right(ours, engine, journal, about)
    every = [order for parts in ours.values() for order in parts]
    return Held(len(every), sum(1 for order in every if order["filled"]), _longest_bare_s(every, others))


def is_flat(oracle: dict[str, Any]) -> bool:
    """Return whether nothing is held at the broker, and no order works."""
    quiet = all(order["state"] in ENDED for order in oracle["orders"])
    return quiet and not any(position["net"] for position in oracle["positions"])


def key_of(folder: Path) -> int:
    """Return the key of a session's tags."""
    return archive.read(folder).key


def _of_session(oracle: dict[str, Any], key: int) -> dict[int, list[dict[str, Any]]]:
    ours: dict[int, list[dict[str, Any]]] = {}
    for order in oracle["orders"]:
        named = order_of_tag(order["tag"], key) if order["tag"] else None
        if named is not None:
            ours.setdefault(named[0], []).append(order)
    return ours


def _of_others(oracle: dict[str, Any]) -> list[dict[str, Any]]:
    return [order for order in oracle["orders"] if not order["tag"]]


def _nothing_doubled(ours: dict[int, list[dict[str, Any]]], decided: dict[int, Any], about: Any) -> None:
    tags = Counter(order["tag"] for parts in ours.values() for order in parts)
    assert not [tag for tag, count in tags.items() if count > 1], (about, "two orders bear the same tag")
    for order_id, parts in ours.items():
        assert order_id in decided, (about, order_id, "the book has an order that the journal has not")
        assert sum(part["quantity"] for part in parts) <= decided[order_id]["quantity"], (about, order_id)
        assert {part["side"] for part in parts} == {int(decided[order_id]["side"])}, (about, order_id)


def _nothing_lost(ours: dict[int, list[dict[str, Any]]], decided: dict[int, Any], journal: Journal, about: Any) -> None:
    """Every order that was decided has ended as the book has it; none has an end without the broker's evidence."""
    events = journal.events
    told = [event for event in events if event["kind"] in {codes.ORDER_REJECT, codes.CANCELLED}]
    ends = {int(event["order_id"]): event for event in told if event["code"] != codes.COUNTS_NOW}
    fills = {int(event["order_id"]): event for event in events if event["kind"] == codes.FILL}
    for order_id, command in decided.items():
        parts, end, fill = ours.get(order_id, []), ends.get(order_id), fills.get(order_id)
        what = about, order_id, command, end, fill, parts
        filled, value = sum(part["filled"] for part in parts), sum(part["value"] for part in parts)
        assert all(part["state"] in ENDED for part in parts), what
        assert (filled, value) == ((fill["quantity"], fill["value"]) if fill is not None else (0, 0)), what
        if end is None:
            assert filled == command["quantity"], what
        elif end["kind"] == codes.ORDER_REJECT and end["code"] not in {codes.BY_VENUE, codes.IN_DOUBT}:
            assert not filled, what
            assert not parts or end["code"] == codes.NOT_FOUND, what
        elif end["kind"] == codes.CANCELLED:
            assert parts, what


def _nothing_oversold(oracle: dict[str, Any], others: list[dict[str, Any]], about: Any) -> None:
    """Nothing was sold that was not held, nor tried to be, but where somebody else had sold it."""
    assert all(position["lowest"] >= 0 for position in oracle["positions"]) or others, about
    refused = [order for order in oracle["orders"] if order["text"].startswith(NO_SHORT)]
    assert others or not refused, (about, refused[:2])


def _position_right(oracle: dict[str, Any], engine: Engine, about: Any) -> None:
    cores = engine.instruments["core"]
    held = int(cores["position"]["quantity"].sum())
    assert held == sum(position["net"] for position in oracle["positions"]), (about, held, oracle["positions"])
    states = [*cores["order"]["state"].tolist(), *cores["stop_order"]["state"].tolist()]
    assert not AT_WORK.intersection(states), (about, states)


def _cash_right(ours: dict[int, list[dict[str, Any]]], engine: Engine, journal: Journal, about: Any) -> None:
    """Our ledger: what we began with, less purchases, plus sales (others' of our units, too), less charges."""
    account = engine.account()
    begin = round(float(engine.loaded.config.capital.initial_capital) * 100)
    turnover = sum(order["side"] * order["value"] for parts in ours.values() for order in parts)
    foreign = sum(int(event["value"]) for event in journal.events if event["kind"] == codes.FOREIGN_TRADE)
    charges = account.brokerage + account.exchange_charges + account.sebi_fees + account.stt + account.stamp_duty
    assert account.cash == begin - turnover + foreign - charges - account.gst, about


def _longest_bare_s(ours: list[dict[str, Any]], others: list[dict[str, Any]]) -> float:
    """Return the longest stretch in which something was held and no sell of ours was in the book."""
    changes: list[tuple[int, int, int]] = []  # time, change of what is held, change of the number of working sells
    for order in [*ours, *others]:
        is_sell = order["side"] == codes.SELL and bool(order["tag"])
        for time_ns, word in order["timeline"]:
            if word.startswith(FILLED):
                changes.append((time_ns, order["side"] * int(word.split()[1]), 0))
        if is_sell and order["state"] in ENDED:
            changes.append((order["timeline"][0][0], 0, 1))
            changes.append((order["timeline"][-1][0], 0, -1))
    held = sells = since = longest = 0
    for time_ns, units, selling in sorted(changes, key=lambda each: each[0]):
        if held > 0 and not sells and since:
            longest = max(longest, time_ns - since)
        held, sells = held + units, sells + selling
        since = time_ns if held > 0 and not sells else 0
    return longest / SECOND_NS
