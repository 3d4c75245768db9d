"""What a file is, and blocks of its bytes."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from myquant.errors import DataError
from myquant.ticks.byte_stream import ByteStream, kind_of

Make = Callable[[str, str | bytes], Path]
CONTENT = bytes(range(256)) * 500


def zstd(content: bytes) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as stream:
        stream.write(content)
    return bytes(out.getvalue())


def read_all(path: Path, compression: str | None, block_bytes: int = 1000) -> bytes:
    parts = []
    block = np.zeros(block_bytes, np.uint8)
    with ByteStream(path, compression) as stream:
        while filled := stream.fill(block, 0):
            parts.append(block[:filled].tobytes())
        assert stream.consumed_bytes() == path.stat().st_size
    return b"".join(parts)


@pytest.mark.parametrize(
    ("kind", "packed"),
    [(None, CONTENT), ("gzip", gzip.compress(CONTENT)), ("zstd", zstd(CONTENT))],
    ids=["plain", "gzip", "zstd"],
)
def test_bytes_come_decompressed(make: Make, kind: str | None, packed: bytes) -> None:
    assert kind_of(make("file", packed)) == kind
    assert read_all(make("file", packed), kind) == CONTENT
    if kind is not None:
        assert read_all(make("file", packed * 2), kind) == CONTENT * 2  # as `cat a.gz b.gz` makes them


def test_fill_continues_a_block_that_is_part_full(make: Make) -> None:
    block = np.zeros(6, np.uint8)
    with ByteStream(make("file", b"abcdefg"), None) as stream:
        assert stream.fill(block[:3], 0) == 3
        assert stream.fill(block, 3) == 6
        assert block.tobytes() == b"abcdef"
        assert stream.fill(block, 6) == 6
        assert stream.fill(block, 2) == 3


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize("damage", ["cut", "cut at the end", "changed"])
def test_a_damaged_file(make: Make, kind: str, damage: str) -> None:
    packed = bytearray(gzip.compress(CONTENT) if kind == "gzip" else zstd(CONTENT))
    if damage == "changed":
        packed[4:60] = b"\xff" * 56  # Arrow's zstd writes no checksum: a change of a letter in the text goes unnoticed
    else:
        del packed[len(packed) // 2 if damage == "cut" else -2 :]
    path = make("ticks.csv.gz", bytes(packed))
    with pytest.raises(DataError, match=r"ticks.csv.gz: cannot be read \(.+\); check that it is whole"):
        read_all(path, kind)


def test_other_kinds(make: Make) -> None:
    assert kind_of(make("a", b"PAR1....")) == "parquet"
    assert kind_of(make("b", b"PK\x03\x04..")) == "zip"
    assert kind_of(make("c", b"x")) is None


def test_what_is_no_file(tmp_path: Path, make: Make) -> None:
    for path, message in [
        (tmp_path, "is a folder; name the files in it"),
        (tmp_path / "none.csv", "no such file; check the path"),
        (make("empty.csv", ""), "the file is empty"),
        (Path("/dev/null"), "not a regular file"),
    ]:
        if path.exists() or path.parent == tmp_path:
            with pytest.raises(DataError, match=f"^{path}: {message}"):
                kind_of(path)
    with pytest.raises(DataError, match="cannot be read"):
        ByteStream(tmp_path / "gone.csv", None)
