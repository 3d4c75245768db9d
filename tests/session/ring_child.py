"""Another process at a ring.

python ring_child.py FD SIZE COUNT SEED    pushes so many records, as fast as there is room
"""

import sys
from itertools import count
from random import Random
from zlib import crc32

from myquant.session.spsc import KINDS, RECORD_BYTES, Ring


def record(number: int, rng: Random, longest: int) -> tuple[int, int, int, int, bytes]:
    """Return the record of a number: of any length, and with a sum of itself."""
    length = rng.choice((0, rng.randrange(8), rng.randrange(400), rng.randrange(longest + 1)))
    payload = rng.randbytes(length)
    return number % KINDS, number, -number, crc32(payload), payload


def main(fd: int, size_bytes: int, records: int, seed: int) -> None:
    ring, rng = Ring.attach(fd, size_bytes), Random(seed)
    longest = size_bytes // 2 - RECORD_BYTES
    assert longest == ring.longest
    for number in count() if records < 0 else range(records):
        kind, a, b, c, payload = record(number, rng, longest)
        while not ring.push(kind, a, b, c, payload):
            pass


if __name__ == "__main__":
    main(*map(int, sys.argv[1:5]))
