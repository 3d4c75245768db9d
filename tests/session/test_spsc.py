"""A ring in shared memory: the same records come out, whole and in order, whatever its two sides do."""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import FunctionType
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.jit import plain
from myquant.errors import MyquantError
from myquant.session import atomic, spsc
from myquant.session.spsc import KINDS, RECORD_BYTES, SIZE_MIN, Ring
from session.ring_child import record

TESTS = Path(__file__).resolve().parents[1]


@contextmanager
def ring_of(size_bytes: int = SIZE_MIN) -> Iterator[Ring]:
    ring = Ring.create(size_bytes)
    try:
        yield ring
    finally:
        ring.close()


def popped(ring: Ring) -> tuple[int, int, int, int, bytes] | None:
    found = ring.pop()
    return None if found is None else (*found[:4], bytes(found[4]))


def drained(ring: Ring) -> list[tuple[int, int, int, int, bytes]]:
    return list(iter(lambda: popped(ring), None))


@contextmanager
def producer(ring: Ring, records: int, seed: int) -> "Iterator[subprocess.Popen[bytes]]":
    arguments = map(str, (ring.fd, ring.capacity, records, seed))
    command = [sys.executable, str(Path(__file__).with_name("ring_child.py")), *arguments]
    environ = os.environ | {"PYTHONPATH": str(TESTS)}
    with subprocess.Popen(command, pass_fds=(ring.fd,), env=environ) as child:
        try:
            yield child
        finally:
            child.kill()


words = st.integers(-(2**63), 2**63 - 1)
pushes = st.tuples(st.integers(0, KINDS - 1), words, words, words, st.binary(max_size=600) | st.binary(max_size=9))


@given(st.lists(pushes | st.integers(1, 20), max_size=80), st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_it_is_a_bounded_queue(steps: list[Any], sort: int) -> None:
    """Against a deque; a number is so many pops. A record is refused only where the room left may not hold it."""
    model: deque[Any] = deque()
    dropped = dict.fromkeys(range(KINDS), 0)
    with ring_of() as ring:
        for step in steps:
            if isinstance(step, int):
                for _ in range(step):
                    assert popped(ring) == (model.popleft() if model else None)
                continue
            payload = (bytes, memoryview, lambda given: memoryview(bytearray(given)), lambda given: given)[sort](
                step[4]
            )
            room, needed = ring.capacity - ring.depth, RECORD_BYTES + -(-len(step[4]) // 8) * 8
            if ring.push(step[0], step[1], step[2], step[3], payload):
                model.append(step)
                assert room >= needed
            else:
                dropped[step[0]] += 1
                assert room < 2 * needed  # it may have to begin anew, at the beginning
            assert 0 < ring.depth <= ring.high_water <= ring.capacity
        assert ring.dropped == sum(dropped.values())
        assert ring.dropped_by_kind == {kind: count for kind, count in dropped.items() if count}
        assert ring.is_empty == (not model)
        assert drained(ring) == list(model)
        assert (ring.depth, ring.is_empty) == (0, True)


def test_millions_of_bytes_go_from_one_process_to_another() -> None:
    count, seed, size = 20_000, 5, 2**15
    rng, taken, expected = Random(seed), 0, 0
    with ring_of(size) as ring, producer(ring, count, seed) as child:
        for number in range(count):
            while (found := ring.pop()) is None:
                assert child.poll() in (None, 0)
            made = record(number, rng, ring.longest)
            assert found[:4] == made[:4]
            assert found[4] == made[4]
            taken += len(found[4])
        assert child.wait(30) == 0
        assert ring.pop() is None
        assert taken > 20_000_000
        expected = ring.high_water
    assert 0.9 * size < expected <= size


@pytest.mark.parametrize("seed", range(2))
def test_a_producer_that_is_killed_leaves_whole_records(seed: int) -> None:
    rng = Random(seed)
    with ring_of(2**14) as ring, producer(ring, -1, seed) as child:
        number, deadline = 0, time.monotonic() + 30
        until = rng.randrange(500, 3000)
        while number < until:
            assert time.monotonic() < deadline
            number += ring.pop() is not None
        child.send_signal(signal.SIGKILL)
        assert child.wait(30) == -signal.SIGKILL
        for found in iter(ring.pop, None):
            assert (found[1], found[2], found[3]) == (number, -number, crc32(found[4]))
            number += 1
        assert ring.is_empty
        assert ring.push(1, 2, 3, 4, b"another producer goes on")
        assert popped(ring) == (1, 2, 3, 4, b"another producer goes on")


class Fragile:
    """An array whose nth store kills the process that makes it."""

    def __init__(self, array: Any, left: list[int]) -> None:
        self.array, self.left = array, left

    def __getitem__(self, index: int) -> Any:
        return self.array[index]

    def __len__(self) -> int:
        return len(self.array)

    def __setitem__(self, index: int, value: int) -> None:
        if not self.left[0]:
            raise KeyboardInterrupt
        self.left[0] -= 1
        self.array[index] = value


def plain_push() -> Any:
    """Return `_push` as plain Python, with loads and stores of its own: the module's are those that get compiled."""
    push = plain(spsc._push)
    own = {"load_acquire": atomic._load, "store_release": atomic._store}
    return FunctionType(push.__code__, {**push.__globals__, **own})


def test_a_producer_that_dies_at_any_store_shows_nothing_of_its_record() -> None:
    """Also where the record would begin anew at the ring's beginning: its mark alone means nothing."""
    push = plain_push()
    for filled in (0, 1000, 1992):
        stores = 0
        while True:
            with ring_of() as ring:
                for _ in range(2):
                    ring.push(0, 0, 0, 0, bytes(filled))
                ring.push(7, 1, 2, 3, b"whole")
                assert [popped(ring) is not None for _ in range(2)] == [True, True]
                fragile = [Fragile(array, [stores]) for array in (ring._words, ring._data)]
                fragile[1].left = fragile[0].left
                try:
                    became = push(*fragile, 9, 4, 5, 6, b"x" * 40)
                except KeyboardInterrupt:
                    became = None
                after = drained(ring)
                assert after[0] == (7, 1, 2, 3, b"whole")
                assert after[1:] == ([] if became is None else [(9, 4, 5, 6, b"x" * 40)])
                if became is not None:
                    break
            stores += 1
        assert stores > 40


def test_a_consumer_that_dies_leaves_the_record_it_had_in_hand() -> None:
    with ring_of() as ring:
        ring.push(1, 0, 0, 0, b"first")
        ring.push(1, 0, 0, 0, b"second")
        other = Ring.attach(os.dup(ring.fd), ring.capacity)
        found = other.pop()
        assert found is not None
        assert bytes(found[4]) == b"first"
        assert not other.is_empty
        del found
        other.close()
        assert [payload for *_, payload in drained(ring)] == [b"first", b"second"]


def test_a_payload_is_read_in_place_and_can_not_be_changed() -> None:
    with ring_of() as ring:
        ring.push(1, 0, 0, 0, b"abc")
        found = ring.pop()
        assert found is not None
        payload = found[4]
        assert payload.readonly
        assert np.shares_memory(np.frombuffer(payload, np.uint8), ring._data)
        del found
        payload.release()


def test_flags_are_seen_on_the_other_side() -> None:
    with ring_of() as ring:
        other = Ring.attach(os.dup(ring.fd), ring.capacity)
        assert list(other.flags) == [0] * 8
        ring.flags[3] = -5
        other.flags[7] = 2**62
        assert (other.flags[3], ring.flags[7]) == (-5, 2**62)
        other.close()
        assert ring.flags[7] == 2**62


def test_what_can_not_be_is_refused_in_one_line() -> None:
    for size in (0, 2**11, 2**31, 5000):
        with pytest.raises(ValueError, match=f"^a ring of {size} bytes: must be a power of two from 4096 to"):
            Ring.create(size)
    with ring_of() as ring:
        assert ring.push(0, 0, 0, 0, bytes(ring.longest))
        assert ring.pop() is not None
        for longer in (1, 5000):
            with pytest.raises(ValueError, match=r"^a record of [\d,]+ bytes: at most 2,016 in a ring of 4,096"):
                ring.push(0, 0, 0, 0, bytes(ring.longest + longer))
        for kind in (-1, KINDS):
            with pytest.raises(ValueError, match=f"^a record of kind {kind}: must be from 0 to 63"):
                ring.push(kind, 0, 0, 0, b"")
        assert (ring.dropped, ring.pop()) == (0, None)
        with pytest.raises(MyquantError, match="no ring of 8192 bytes"):
            Ring.attach(ring.fd, 8192)
    with pytest.raises(MyquantError, match="it must be inherited"):
        Ring.attach(ring.fd, ring.capacity)
    blank = os.memfd_create("blank")
    os.truncate(blank, 4096 + 1024)
    with pytest.raises(MyquantError, match="no ring"):
        Ring.attach(blank, 4096)


def test_its_memory_has_no_name_and_goes_with_it() -> None:
    ring = Ring.create(SIZE_MIN)
    link = str(Path(f"/proc/self/fd/{ring.fd}").readlink())
    assert link.startswith("/memfd:")
    assert link.endswith("(deleted)")
    assert not os.get_inheritable(ring.fd)
    assert ring.push(1, 0, 0, 0, b"kept")
    found = ring.pop()
    assert found is not None
    ring.close()
    ring.close()  # once is enough
    assert bytes(found[4]) == b"kept"  # whoever holds a part of it keeps the whole
