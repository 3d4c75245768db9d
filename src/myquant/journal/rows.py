"""The compiled loops over records: int64 arrays of shape (n, WORDS), mapped from segments."""

import numpy as np
from numpy.typing import NDArray

from myquant.journal.record import CHECKSUM, NUMBER, PADDING, WORDS, append, checksum
from myquant.ticks.compiled import kept

RECORDS, BEFORE, KEY, STATUS = range(4)  # places of the writer's cursor


@kept
def append_rows(
    rows: NDArray[np.int64], cursor: NDArray[np.int64], holds: int, words: NDArray[np.int64], begin: int, end: int
) -> int:
    """Append `words[begin:end]` (shape (n, BODY_WORDS)) as far as the segment has room; return the first left out."""
    while begin < end and cursor[RECORDS] - cursor[BEFORE] < len(rows):
        append(rows, cursor[RECORDS] - cursor[BEFORE], cursor[RECORDS] + 1, holds, cursor[KEY], words, begin)
        cursor[RECORDS] += 1
        begin += 1
    return begin


@kept
def pad_rows(rows: NDArray[np.int64], cursor: NDArray[np.int64], nothing: NDArray[np.int64]) -> None:
    """Fill what is left of the segment with paddings; `nothing`: a row of BODY_WORDS zeros, shape (1, BODY_WORDS)."""
    while cursor[RECORDS] - cursor[BEFORE] < len(rows):
        append(rows, cursor[RECORDS] - cursor[BEFORE], cursor[RECORDS] + 1, PADDING, cursor[KEY], nothing, 0)
        cursor[RECORDS] += 1


@kept
def sound_until(rows: NDArray[np.int64], begin: int, end: int, first: int, key: int) -> int:
    """Return the first of the rows `begin` to `end` that is not a whole record of its number; row 0 is number `first`."""
    while begin < end and rows[begin, NUMBER] == first + begin and rows[begin, CHECKSUM] == checksum(rows, begin, key):
        begin += 1
    return begin


@kept
def blank_until(rows: NDArray[np.int64], begin: int) -> int:
    """Return the first row from `begin` on that holds anything; the number of rows if none does."""
    while begin < len(rows):
        found = 0
        for word in range(WORDS):
            found |= rows[begin, word]
        if found != 0:
            return begin
        begin += 1
    return begin


@kept
def sound_count(rows: NDArray[np.int64], begin: int, first: int, key: int) -> int:
    """Return how many rows from `begin` on are whole records of their number."""
    count = 0
    for at in range(begin, len(rows)):
        if rows[at, NUMBER] == first + at and rows[at, CHECKSUM] == checksum(rows, at, key):
            count += 1
    return count
