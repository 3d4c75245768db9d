"""The seldom rows of a journal are found as a plain reading finds them, wherever it is cut."""

from itertools import pairwise

import numpy as np
import pytest

from execution.conftest import Played
from execution.made_journal import BEGAN_NS, SECOND_NS, Made
from execution.oracle import Oracle
from myquant.core import codes
from myquant.execution.scan import PICKED_MAX, Known, Scan
from myquant.journal.reader import JournalReader
from myquant.journal.record import NUMBER
from myquant.journal.segment import Rows

TIMEOUT_NS = 5 * SECOND_NS


def random_journal(seed: int, count: int = 8000) -> Rows:
    """Return a journal of all that happens, in an order that no session would have."""
    rng = np.random.default_rng(seed)
    made, at_s = Made(), 0.0
    for number in range(count):
        draw, who = rng.random(), int(rng.integers(-1, 3))
        at_s += float(rng.choice([0.0, 0.01, 0.3, 12.0, -3.0], p=[0.2, 0.5, 0.28, 0.01, 0.01]))
        price = int(rng.integers(-1, 5)) * 100
        if draw < 0.5:
            made.tick(at_s, price, price - 5, price + 5, who)
        elif draw < 0.6:
            made.event(codes.QUOTE, at_s, is_packet=bool(rng.random() < 0.5), bid=price, ask=price + 10, instrument=who)
        elif draw < 0.7:
            made.event(codes.TIMER, at_s, instrument=-1)
        elif draw < 0.8:
            kind = int(rng.integers(codes.ORDER_ACK, codes.LAST_EVENT + 1))
            made.event(kind, at_s, instrument=who, order_id=number, receive_ns=0 if draw < 0.72 else BEGAN_NS + number)
        elif draw < 0.95:
            made.command(int(rng.integers(1, 11)), at_s, instrument=who, order_id=number)
        elif draw < 0.98:
            made.left(at_s, number)
        else:
            made.add(int(rng.integers(3, 6)), [int(rng.integers(0, 4)), 0, 0, BEGAN_NS, 7])
    return made.block()


def scanned(rows: Rows, timeout_ns: int, cuts: list[int], instruments: int = 2) -> list[tuple[int, Known]]:
    scan = Scan(instruments, timeout_ns)
    edges = sorted({0, len(rows), *cuts})
    return [(row[NUMBER], known) for first, last in pairwise(edges) for row, known in scan.seldom(rows[first:last])]


@pytest.mark.parametrize("seed", range(2))
def test_what_is_found_is_what_a_plain_reading_finds(seed: int) -> None:
    rows = random_journal(seed)
    oracle = Oracle(TIMEOUT_NS)
    oracle.take(rows)
    whole = scanned(rows, TIMEOUT_NS, [])
    assert whole == oracle.found
    assert len(whole) > PICKED_MAX
    assert whole[-1][1].boot > 0
    rng = np.random.default_rng(seed)
    assert scanned(rows, TIMEOUT_NS, rng.integers(0, len(rows), 40).tolist()) == whole


def test_a_session_is_found_likewise(played: Played) -> None:
    rows = np.concatenate(list(JournalReader(played.folder).blocks()))
    oracle = Oracle(3000 * SECOND_NS)
    oracle.take(rows)
    assert scanned(rows, 3000 * SECOND_NS, [], 1) == oracle.found
    assert len(oracle.found) > 1000


def test_a_tick_that_is_refused_says_no_price() -> None:
    made = Made()
    made.tick(1, 10_000, 9_990, 10_010)
    made.tick(2, 90_000, 89_000, 91_000)
    made.command(codes.TICK_REJECTED, 2, reason=codes.TIME_BACKWARDS)
    made.submit(3, 1)
    ((_, known),) = scanned(made.block(), TIMEOUT_NS, [])
    assert known[:3] == (10_000, 9_990, 10_010)


def test_the_clock_is_not_known_where_it_was_set() -> None:
    made = Made()
    made.tick(1, 10_000)
    for at_s in (1.5, 30, 31):  # it was set by 28.5 s between the first two
        made.event(codes.ORDER_ACK, at_s)
    made.tick(32, 10_000)
    made.event(codes.ORDER_ACK, 32.25)
    found = [known.mono_ns for _, known in scanned(made.block(), TIMEOUT_NS, [])]
    first = made.block()[0]
    began = int(first[np.flatnonzero(first == 5_001 * SECOND_NS)[0]])
    assert found == [began + SECOND_NS // 2, 0, 0, began + 31 * SECOND_NS + SECOND_NS // 4]
