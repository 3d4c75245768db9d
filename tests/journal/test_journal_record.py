"""The record: 24 words, one checksum, the same compiled and plain."""

from typing import Any

import numpy as np
import pytest

from core.jit import jitted
from journal.journal_samples import KEY, command, day, note, tick, words
from myquant.core.layout import dtype_of
from myquant.journal import record
from myquant.journal.record import BODIES, CHECKSUM, NUMBER, WORDS


@jitted
def append(rows: Any, at: int, number: int, holds: int, key: int, words: Any, row: int) -> None:
    record.append(rows, at, number, holds, key, words, row)


def plain_checksum(rows: Any, at: int, key: int) -> int:
    function = getattr(record.checksum, "py_func", record.checksum)
    return int(function(rows, at, key))


def written(count: int, key: int = KEY) -> Any:
    rows = np.zeros((count, WORDS), np.int64)
    bodies = words(count)
    for row in range(count):
        append(rows, row, row + 1, record.INPUT, key, bodies, row)
    return rows


@pytest.mark.parametrize("key", [0, 1, -1, KEY, 2**63 - 1, -(2**63)])
def test_compiled_and_plain_checksums_agree(key: int) -> None:
    rows = written(50, key)
    assert [plain_checksum(rows, at, key) for at in range(50)] == rows[:, CHECKSUM].tolist()


def test_the_checksum_of_a_known_record_never_changes() -> None:
    rows = np.arange(WORDS, dtype=np.int64).reshape(1, WORDS)
    assert plain_checksum(rows, 0, KEY) == -2503077551372448195


def test_the_checksum_is_the_one_that_the_format_names() -> None:
    row = written(1)[0]
    mixed = KEY % 2**64
    for word in row[1:].tolist():
        mixed = (mixed ^ (word % 2**64)) * 0x9E37_79B9_7F4A_7C15 % 2**64
        mixed ^= mixed >> 29
    assert int(row[CHECKSUM]) % 2**64 == mixed


def test_every_bit_of_a_record_and_of_the_key_counts() -> None:
    rows = written(1)
    whole = int(rows[0, CHECKSUM])
    for word in range(NUMBER, WORDS):
        for bit in range(64):
            mask = np.array([1 << bit], np.uint64).view(np.int64)[0]
            rows[0, word] ^= mask
            assert plain_checksum(rows, 0, KEY) != whole
            rows[0, word] ^= mask
    assert all(plain_checksum(rows, 0, KEY ^ (1 << bit)) != whole for bit in range(63))


def test_zeros_are_no_record() -> None:
    assert plain_checksum(np.zeros((1, WORDS), np.int64), 0, KEY) != 0


@pytest.mark.parametrize("body", [tick(1), command(1), day(), note(1)], ids=lambda body: type(body).__name__)
def test_every_body_fills_21_words_and_comes_back(body: Any) -> None:
    (holds,) = (holds for holds, kind in BODIES.items() if kind is type(body))
    assert dtype_of(BODIES[holds]).itemsize == 8 * record.BODY_WORDS
    assert record.record_dtype(holds).itemsize == record.RECORD_BYTES
    stored = np.zeros(1, record.record_dtype(holds))
    stored[0]["body"] = body
    assert _flat(stored[0]["body"].item()) == _flat(body)


def _flat(value: Any) -> list[int]:
    if isinstance(value, tuple | np.ndarray):
        return [word for part in value for word in _flat(part)]
    return [int(value)]
