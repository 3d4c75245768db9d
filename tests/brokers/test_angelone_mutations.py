"""Damaged packets by the million: none is used that another decoder reads otherwise, and none does any harm.

A million by default; MYQUANT_LONG=1 takes ten.
"""

import os
from typing import Any, NamedTuple

import numpy as np

from brokers.angelone_wire import IST_NS, JUMP_NS, SIZES, TOKENS, Wire, pack
from core.jit import jitted
from myquant.brokers.angelone.decode import decode
from myquant.brokers.angelone.tokens import TokenTable
from myquant.brokers.packets import (
    ALIVE,
    CLOCK_JUMP,
    DUPLICATE,
    FEED,
    HEARTBEATS,
    MEMORY,
    NOTHING,
    NOTHING_NEW,
    OUT_OF_ORDER,
    PRICE_JUMP,
    QUOTED,
    QUOTES,
    TICKED,
    TICKS,
)
from myquant.core import codes
from myquant.core.compiled import jit_enabled
from myquant.journal.record import BODY_WORDS

Array = np.ndarray[Any, Any]

WIDTH = 400
BATCH = 50_000
TOTAL = 10_000_000 if os.environ.get("MYQUANT_LONG") == "1" else 1_000_000 if jit_enabled() else 20_000
STEP_MS = 100
GUARD = -99

LEVEL = np.dtype([("flag", "<u2"), ("quantity", "<i8"), ("price", "<i8"), ("orders", "<u2")])
FIELDS: dict[str, tuple[Any, int]] = {
    "mode": ("u1", 0),
    "exchange": ("u1", 1),
    "number": ("<i8", 27),
    "time_ms": ("<i8", 35),
    "price": ("<i8", 43),
    "volume": ("<i8", 67),
    "traded_s": ("<i8", 123),
    "interest": ("<i8", 131),
    "buys": ((LEVEL, (5,)), 147),
    "sells": ((LEVEL, (5,)), 247),
    "upper": ("<i8", 347),
    "lower": ("<i8", 355),
}
PACKET = np.dtype(
    {
        "names": list(FIELDS),
        "formats": [kind for kind, _ in FIELDS.values()],
        "offsets": [at for _, at in FIELDS.values()],
        "itemsize": WIDTH,
    }
)
INT64_AT = np.array([27, 35, 43, 67, 123, 131, 149, 157, 249, 257, 347, 355])
EXTREMES = np.array(
    [-(2**63), 2**63 - 1, -1, 0, 1, 2**31, 2**32, 10**10, 2**40, 2**53, 2**62, 2**62 // 10**6, 2**62 // 10**9]
)


class Batch(NamedTuple):
    frames: Array  # uint8, shape (n, WIDTH)
    sizes: Array
    sound: Array  # not damaged

    @property
    def fields(self) -> Array:
        return self.frames.view(PACKET)[:, 0]


class Desk(NamedTuple):
    """What the decoder works on, each with a guard before and behind it."""

    memory: Array
    feed: Array
    words: Array


@jitted
def decode_all(batch: Any, first: int, step_ns: int, tokens: Any, desk: Any, outcomes: Any, rows: Any) -> None:
    memory, feed, words = desk.memory[1:-1], desk.feed[1:-1], desk.words[1:-1]
    for i in range(len(batch.sizes)):
        arrived_ns = (first + i) * step_ns
        outcomes[i] = decode(tokens, memory, feed, words, batch.frames[i, : batch.sizes[i]], arrived_ns, 22)
        for word in range(words.shape[1]):
            rows[i, word] = words[0, word]


def new_batch(random: np.random.Generator, first: int) -> Batch:
    pool = [
        pack(Wire(mode=mode, exchange_type=token.exchange_type, token=token.text.encode())).ljust(WIDTH, b"\0")
        for token in TOKENS
        for mode in SIZES
    ]
    frames = np.frombuffer(b"".join(pool), np.uint8).reshape(-1, WIDTH)[random.integers(len(pool), size=BATCH)]
    fields = frames.view(PACKET)[:, 0]
    place = first + np.arange(BATCH)
    fields["time_ms"] += STEP_MS * place
    fields["volume"] += 10 * place
    fields["traded_s"] = fields["time_ms"] // 1000
    fields["buys"]["quantity"][:, 0] = 5
    fields["buys"]["price"][:, 0] = 49940
    sizes = np.array([0, *SIZES.values()])[fields["mode"]]
    kind = random.integers(10, size=BATCH)
    for at_most in (6, 3):  # one byte, two bytes
        some = np.flatnonzero(kind < at_most)
        frames[some, random.integers(sizes[some])] ^= random.integers(1, 256, size=len(some), dtype=np.uint8)
    some = np.flatnonzero(kind == 6)
    at = random.choice(INT64_AT, size=len(some))[:, np.newaxis] + np.arange(8)
    frames[some[:, np.newaxis], at] = random.choice(EXTREMES, size=len(some)).view(np.uint8).reshape(-1, 8)
    some = np.flatnonzero(kind == 7)
    sizes[some] = random.integers(WIDTH + 1, size=len(some))
    some = np.flatnonzero(kind == 8)
    frames[some, 27:] = random.integers(256, size=(len(some), WIDTH - 27), dtype=np.uint8)
    some = random.integers(1, BATCH, size=BATCH // 100)  # the same again
    frames[some], sizes[some], kind[some] = frames[some - 1], sizes[some - 1], 0
    return Batch(frames, sizes, kind == 9)


def owners(batch: Batch) -> Array:
    """Return the place in `TOKENS` of each packet, -1: none."""
    text = batch.frames[:, 2:27].copy()
    text[np.logical_or.accumulate(text == 0, axis=1)] = 0
    names = text.view("S25")[:, 0]
    owner = np.full(len(names), -1)
    for place, token in enumerate(TOKENS):
        owner[(names == token.text.encode()) & (batch.fields["exchange"] == token.exchange_type)] = place
    return owner


def between(low: int, values: Array, high: int) -> Array:
    inside: Array = (low <= values) & (values < high)
    return inside


def can_be(batch: Batch, owner: Array, index: Array) -> Array:
    """Return which packets are whole, known and possible in themselves; their times may still be jumps."""
    packet = batch.fields
    mode, time_ms, price = packet["mode"], packet["time_ms"], packet["price"]
    good = (owner >= 0) & between(1, mode, 4)
    good &= batch.sizes == np.array([0, *SIZES.values()])[np.where(good, mode, 0)]
    good &= (index | (mode > 1)) & between(1, price, 10**10 + 1) & between(1, time_ms, 2**62 // 10**6)
    good &= index | between(0, packet["volume"], 2**53)
    whole = ~index & (mode == 3)
    late = 1000 * np.clip(packet["traded_s"], 0, 2**40) > np.clip(time_ms, 0, 2**60) + JUMP_NS // 10**6
    wrong = late | ~between(0, packet["traded_s"], 2**62 // 10**9)
    wrong |= (price < packet["lower"]) | ((price > packet["upper"]) & (packet["upper"] > 0))
    for side, flag in ((packet["buys"], 1), (packet["sells"], 0)):
        wrong |= ((side["flag"] != flag) | (side["quantity"] < 0) | (side["price"] < 0)).any(axis=1)
        wrong |= (side["price"][:, 0] > 10**10) & (side["quantity"][:, 0] > 0)
    sound: Array = good & ~(whole & wrong)
    return sound


def expected_rows(batch: Batch, instrument: Array, first: int) -> Array:
    """Return the rows of words as another decoder has them; kind and quantity are left open."""
    packet = batch.fields
    whole = packet["mode"] == 3
    rows = np.zeros((len(whole), BODY_WORDS), np.int64)
    bid, ask = (
        np.where(whole & (side["quantity"][:, 0] > 0), side["price"][:, 0], 0)
        for side in (packet["buys"], packet["sells"])
    )
    clear = ~((bid >= ask) & (ask > 0))
    rows[:, 1], rows[:, 3], rows[:, 4] = instrument, packet["time_ms"] * 10**6, 22
    rows[:, 5], rows[:, 7], rows[:, 8] = packet["price"], bid * clear, ask * clear
    rows[:, 13] = (first + np.arange(len(rows))) * STEP_MS * 10**6
    rows[:, 15], rows[:, 16] = packet["volume"], np.where(whole, packet["traded_s"], 0) * 10**9
    rows[:, 17], rows[:, 18], rows[:, 19] = packet["number"], 1, np.where(whole, packet["interest"], 0)
    return rows


def new_desk() -> Desk:
    desk = Desk(np.zeros(len(TOKENS) + 2, MEMORY), np.zeros(3, FEED), np.full((3, BODY_WORDS), GUARD))
    desk.feed[1]["connection"], desk.feed[1]["zone_offset_ns"] = 1, IST_NS
    desk.feed[1]["max_clock_jump_ns"] = JUMP_NS
    return desk


def assert_guarded(desk: Desk) -> None:
    assert (desk.words[[0, -1]] == GUARD).all()
    for array in (desk.memory, desk.feed):
        assert set(array[[0, -1]].tobytes()) == {0}


def assert_right(batch: Batch, first: int, outcomes: Array, rows: Array) -> tuple[int, int, int]:
    """Return how many packets that can be were not used, and of those that nothing happened to: how many were, of how many."""
    owner = owners(batch)
    instrument = np.array([*(token.instrument for token in TOKENS), -1])[owner]
    index = (owner >= 0) & (instrument < 0)
    possible = can_be(batch, owner, index)
    traded = (outcomes == TICKED) | (outcomes == QUOTED)
    assert not ((outcomes == ALIVE) & ~(possible & index)).any()
    assert not (traded & ~(possible & ~index)).any()
    expected = expected_rows(batch, instrument, first)
    expected[:, 0] = np.where(outcomes == TICKED, codes.TICK, codes.QUOTE)
    expected[:, 6] = rows[:, 6]
    assert (rows[traded] == expected[traded]).all()
    assert between(0, rows[outcomes == TICKED, 6], 2**53).all()
    assert (rows[outcomes == QUOTED, 6] == 0).all()
    sound = batch.sound & possible
    return int((possible & (outcomes == NOTHING)).sum()), int((sound & (outcomes != NOTHING)).sum()), int(sound.sum())


def run(batch: Batch, first: int, slots: Array, desk: Desk) -> tuple[Array, Array]:
    outcomes, rows = np.full(BATCH, GUARD), np.zeros((BATCH, BODY_WORDS), np.int64)
    decode_all(batch, first, STEP_MS * 10**6, slots, desk, outcomes, rows)
    assert_guarded(desk)
    return outcomes, rows


def test_no_damaged_packet_is_used_that_another_decoder_reads_otherwise() -> None:
    random = np.random.default_rng(1)
    slots, desk = TokenTable(TOKENS).slots, new_desk()
    pristine, totals = slots.copy(), np.zeros(3, np.int64)
    for first in range(0, TOTAL, BATCH):
        batch = new_batch(random, first)
        other = Desk(*(array.copy() for array in desk))
        outcomes, rows = run(batch, first, slots, desk)
        totals += assert_right(batch, first, outcomes, rows)
        behind = np.arange(WIDTH) >= batch.sizes[:, np.newaxis]
        np.bitwise_xor(batch.frames, 255, out=batch.frames, where=behind)  # what lies behind a packet must not matter
        again, rows_again = run(batch, first, slots, other)
        assert (again == outcomes).all()
        assert (rows_again == rows).all()
        assert all(one.tobytes() == two.tobytes() for one, two in zip(desk, other, strict=True))
    counts = desk.feed[1]["counts"]
    not_used, (used_sound, sound) = totals[0], totals[1:]
    assert (slots == pristine).all()
    assert (
        counts[1 : NOTHING_NEW + 1].sum() + counts[[PRICE_JUMP, TICKS, QUOTES, HEARTBEATS]].sum()
        == -(-TOTAL // BATCH) * BATCH
    )
    assert counts[[CLOCK_JUMP, OUT_OF_ORDER, DUPLICATE, NOTHING_NEW, PRICE_JUMP]].sum() == not_used
    assert (counts[[*range(1, NOTHING_NEW + 1), PRICE_JUMP]] > 0).all()
    assert used_sound > 0.9 * sound  # no damage lasts
