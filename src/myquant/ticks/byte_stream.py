"""The bytes of a file, decompressed on the way, in blocks."""

from pathlib import Path
from typing import Any, Final, Self

from myquant.errors import DataError
from myquant.ticks.parse import Bytes

MAGIC: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"PAR1": "parquet", b"PK\x03\x04": "zip"}


def kind_of(path: Path) -> str | None:
    """Return what a file's first bytes say it is: gzip, zstd, parquet, zip, or None.

    Raises DataError when it is missing, a folder or no regular file, not readable or empty.
    """
    try:
        if path.is_dir():
            raise DataError(f"{path}: is a folder; name the files in it")
        if not path.exists():
            raise DataError(f"{path}: no such file; check the path")
        if not path.is_file():
            raise DataError(f"{path}: not a regular file; it is read more than once, so copy it to a file first")
        with path.open("rb") as file:
            begin = file.read(4)
    except OSError as error:
        raise unreadable(path, error) from error
    if not begin:
        raise DataError(f"{path}: the file is empty; expected a header and rows")
    return next((kind for magic, kind in MAGIC.items() if begin.startswith(magic)), None)


def unreadable(path: Path, error: Exception) -> DataError:
    """Return the error of a file that the system, or a decompressor, cannot read."""
    reason = (error.strerror if isinstance(error, OSError) else None) or " ".join(str(error).split())
    return DataError(f"{path}: cannot be read ({reason}); check that it is whole and that you may read it")


class ByteStream:
    """Reads a file from its beginning. A context manager; raises DataError for what cannot be read."""

    def __init__(self, path: Path, compression: str | None) -> None:
        """Open the file; `compression` is gzip, zstd or None."""
        self._path = path
        try:
            self._file: Any = path.open("rb", buffering=0)
        except OSError as error:
            raise unreadable(path, error) from error
        self._text: Any = self._file
        if compression is not None:
            import pyarrow as pa  # noqa: PLC0415  (0.15 s, for compressed files only)

            self._text = pa.CompressedInputStream(self._file, compression)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._text.close()
        self._file.close()

    def fill(self, block: Bytes, filled: int) -> int:
        """Read into block[filled:] until it is full or the text ends; return how much of the block is filled then."""
        view = memoryview(block)  # type: ignore[arg-type]  # NumPy arrays are buffers
        try:
            while filled < len(view) and (count := self._text.readinto(view[filled:])):
                filled += count
        except (OSError, ValueError) as error:
            raise unreadable(self._path, error) from error
        return filled

    def consumed_bytes(self) -> int:
        """Return how many bytes of the file have been read."""
        return int(self._file.tell())
