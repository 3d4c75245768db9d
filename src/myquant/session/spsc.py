"""A ring of records in shared memory, lock-free: one side pushes, one side pops, in two threads or two processes.

The memory is anonymous and goes with the last process that has it mapped; a child process gets it as an inherited file
descriptor. A record is written first and shown afterwards, by one atomic store of the ring's end, so that a producer
that dies at any point leaves only whole records to be seen.
"""

import mmap
import os
from contextlib import suppress
from struct import Struct
from typing import Any, Final

import numpy as np

from myquant.core.compiled import direct
from myquant.errors import MyquantError
from myquant.session.atomic import Words, load_acquire, store_release
from myquant.ticks.compiled import kept

KINDS: Final = 64  # kinds of records: 0 to 63
FLAGS: Final = 8
RECORD_BYTES: Final = 32  # of a record beside its payload: length and kind, three words of the caller's
SIZE_MIN, SIZE_MAX = 2**12, 2**30

# Places in the head of the memory, in words; what either side writes has cache lines of its own.
_MAGIC: Final = 0
_CAPACITY: Final = 1
_END: Final = 8  # written by the producer, in bytes since the beginning, like all positions
_HIGH_WATER: Final = 9
_DROPPED: Final = 10
_BEGIN: Final = 16  # by the consumer
_FLAGS: Final = 24
_DROPPED_OF: Final = 32  # by kind
_HEAD_WORDS: Final = 128
_HEAD_BYTES: Final = 8 * _HEAD_WORDS
_MAGIC_WORD: Final = 0x31474E4952514D  # "MQRING1"
_SKIP: Final = -1  # in place of length and kind: go on at the beginning

# What became of a push.
_FULL: Final = 0
_PUSHED: Final = 1
_TOO_LONG: Final = -1
_BAD_KIND: Final = -2

# What a pop found, in words of its own side: five of the record, and how many bytes it holds until the next pop.
_LENGTH: Final = 4
_HELD: Final = 5
_FOUND_WORDS: Final = 6
_FOUND: Final = Struct("=5q")

Bytes = np.ndarray[Any, np.dtype[np.uint8]]


@kept
def _push(words: Words, data: Bytes, kind: int, a: int, b: int, c: int, payload: Any) -> int:
    """Append a record; return what became of it."""
    length, capacity = len(payload), len(data)
    size = RECORD_BYTES + ((length + 7) & ~7)
    if not 0 <= kind < KINDS:
        return _BAD_KIND
    if size > capacity // 2:
        return _TOO_LONG
    end = int(words[_END])
    used = end - load_acquire(words, _BEGIN)
    at = end & (capacity - 1)
    skipped = capacity - at if at + size > capacity else 0  # a record lies in one piece
    used += skipped + size
    if used > capacity:
        words[_DROPPED] += 1
        words[_DROPPED_OF + kind] += 1
        return _FULL
    if skipped:
        words[_HEAD_WORDS + (at >> 3)] = _SKIP
        at = 0
    first = _HEAD_WORDS + (at >> 3)
    words[first] = length | kind << 32
    words[first + 1] = a
    words[first + 2] = b
    words[first + 3] = c
    for index in range(length):
        data[at + RECORD_BYTES + index] = payload[index]
    words[_HIGH_WATER] = max(int(words[_HIGH_WATER]), used)
    store_release(words, _END, end + skipped + size)
    return _PUSHED


@kept
def _pop(words: Words, data: Bytes, found: Words) -> int:
    """Let go of the record found before, and find the next; return where its payload begins, -1: there is none."""
    begin = int(words[_BEGIN])
    if found[_HELD]:
        begin += int(found[_HELD])
        found[_HELD] = 0
        store_release(words, _BEGIN, begin)
    if begin == load_acquire(words, _END):
        return -1
    capacity = len(data)
    at = begin & (capacity - 1)
    skipped = 0
    if words[_HEAD_WORDS + (at >> 3)] == _SKIP:
        skipped, at = capacity - at, 0
    first = _HEAD_WORDS + (at >> 3)
    length = int(words[first]) & 0xFFFFFFFF
    found[0] = int(words[first]) >> 32
    found[1] = words[first + 1]
    found[2] = words[first + 2]
    found[3] = words[first + 3]
    found[_LENGTH] = length
    found[_HELD] = skipped + RECORD_BYTES + ((length + 7) & ~7)
    return at + RECORD_BYTES


class Ring:
    """One side of a ring; `create` makes it, `attach` takes it up in another process, by the inherited descriptor.

    Attributes:
        fd: the memory's file descriptor, for `pass_fds` of a child process.
        capacity: bytes that the records have; a record takes 32 and its payload, rounded up to 8.
        flags: eight int64 for the callers' own use, each set by one of the two sides; any time, without order.
    """

    def __init__(self, fd: int, size_bytes: int) -> None:
        self.fd = fd
        self.capacity = size_bytes
        self._is_closed = False
        self._map = mmap.mmap(fd, _HEAD_BYTES + size_bytes)
        self._words: Words = np.frombuffer(self._map, np.int64)
        self._data: Bytes = np.frombuffer(self._map, np.uint8, offset=_HEAD_BYTES)
        self._view = self._data.data.toreadonly()
        self._found: Words = np.zeros(_FOUND_WORDS, np.int64)
        self._found_bytes = self._found.data.cast("B")
        self.flags = self._words.data[_FLAGS : _FLAGS + FLAGS]
        self._push = direct(_push, self._words, self._data, 0, 0, 0, 0, memoryview(b""))
        self._pop = direct(_pop, self._words, self._data, self._found)

    @classmethod
    def create(cls, size_bytes: int) -> "Ring":
        """Make an empty ring of a power of two of bytes, from 4 KiB to 1 GiB (ValueError).

        Raises MyquantError where the system has no anonymous shared memory, or not so much.
        """
        if not SIZE_MIN <= size_bytes <= SIZE_MAX or size_bytes & (size_bytes - 1):
            raise ValueError(f"a ring of {size_bytes} bytes: must be a power of two from {SIZE_MIN} to {SIZE_MAX}")
        if not hasattr(os, "memfd_create"):
            raise MyquantError(
                "shared memory: this system has no memfd_create: use a hand-off and a log without a ring"
            )
        try:
            fd = os.memfd_create("myquant-ring")
            os.posix_fallocate(fd, 0, _HEAD_BYTES + size_bytes)  # else a later write may find no memory, and kill
        except OSError as error:
            raise MyquantError(f"shared memory of {size_bytes} bytes: {error.strerror}: free memory") from None
        ring = cls(fd, size_bytes)
        ring._words[_CAPACITY] = size_bytes
        ring._words[_MAGIC] = _MAGIC_WORD
        return ring

    @classmethod
    def attach(cls, fd: int, size_bytes: int) -> "Ring":
        """Take up a ring that another process made, with the size that it was made with. Raises MyquantError."""
        try:
            found = os.fstat(fd).st_size
        except OSError as error:
            raise MyquantError(
                f"descriptor {fd}: {error.strerror}: it must be inherited from who made the ring"
            ) from None
        if found != _HEAD_BYTES + size_bytes:
            raise MyquantError(f"descriptor {fd}: no ring of {size_bytes} bytes: pass the size that it was made with")
        ring = cls(fd, size_bytes)
        if ring._words[_MAGIC] != _MAGIC_WORD or ring._words[_CAPACITY] != size_bytes:
            ring.close()
            raise MyquantError(f"descriptor {fd}: no ring: pass the one that it was made with")
        return ring

    def push(self, kind: int, a: int, b: int, c: int, payload: bytes | memoryview) -> bool:
        """Append a record; False: there is no room, and it is counted as dropped. The producer's side only.

        `kind` is 0 to 63; `a`, `b`, `c` are int64; a memoryview is of bytes. ValueError: another kind, or a payload that
        takes more than half of the ring, which might never find room in one piece.
        """
        given = payload if type(payload) is memoryview else memoryview(payload)
        became = self._push(self._words, self._data, kind, a, b, c, given)
        if became < 0:
            raise self._refusal(became, kind, len(payload))
        return became == _PUSHED

    def _refusal(self, became: int, kind: int, length: int) -> ValueError:
        if became == _BAD_KIND:
            return ValueError(f"a record of kind {kind}: must be from 0 to {KINDS - 1}")
        most = self.longest
        return ValueError(
            f"a record of {length:,} bytes: at most {most:,} in a ring of {self.capacity:,}: make it larger"
        )

    def pop(self) -> tuple[int, int, int, int, memoryview] | None:
        """Return the oldest record (kind, a, b, c, payload), None: there is none. The consumer's side only.

        The payload is valid until the next pop, which lets go of it: a consumer that dies leaves the record that it had
        in hand to whoever pops next.
        """
        at = self._pop(self._words, self._data, self._found)
        if at < 0:
            return None
        kind, a, b, c, length = _FOUND.unpack_from(self._found_bytes)
        return kind, a, b, c, self._view[at : at + length]

    @property
    def longest(self) -> int:
        """Bytes of the longest payload."""
        return self.capacity // 2 - RECORD_BYTES

    @property
    def depth(self) -> int:
        """Bytes in use, those of the record that the consumer has in hand included."""
        return int(self._words[_END]) - int(self._words[_BEGIN])

    @property
    def high_water(self) -> int:
        """The most bytes that were in use at once."""
        return int(self._words[_HIGH_WATER])

    @property
    def dropped(self) -> int:
        """Records for which there was no room."""
        return int(self._words[_DROPPED])

    @property
    def dropped_by_kind(self) -> dict[int, int]:
        """Records for which there was no room, by kind; kinds without any are left out."""
        counts = self._words[_DROPPED_OF : _DROPPED_OF + KINDS]
        return {int(kind): int(counts[kind]) for kind in np.flatnonzero(counts)}

    @property
    def is_empty(self) -> bool:
        """Whether a pop of this side would find nothing."""
        return self.depth == int(self._found[_HELD])

    def close(self) -> None:
        """Let go of the memory; the other side keeps it. No payload of a pop is valid afterwards."""
        if self._is_closed:
            return
        self._is_closed = True
        self.flags.release()
        self._view.release()
        del self._words, self._data, self._push, self._pop
        with suppress(BufferError):  # someone keeps a payload: the memory goes with it
            self._map.close()
        os.close(self.fd)
