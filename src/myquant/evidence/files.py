"""Files of evidence: read with one clear line when they can't be, written whole or not at all."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from myquant.errors import ConfigError, DataError, cannot_write

BYTES_MAX: Final = 2**28
ELSEWHERE: Final = "choose another folder with --out"


def read_text(path: Path, remedy: str) -> str:
    """Return a file's text. Raises ConfigError when there is none, DataError when it can't be read as text."""
    try:
        if path.stat().st_size > BYTES_MAX:
            raise DataError(f"{path}: larger than {BYTES_MAX >> 20} MiB, so it is no file of evidence: {remedy}")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file: {remedy}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text, so it is no file of evidence: {remedy}") from None
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{path}: can't be read ({reason}): {remedy}") from None


def newest(folder: Path, pattern: str, remedy: str) -> Path:
    """Return the file of a pattern whose name, which has its time, comes last. Raises ConfigError when there is none."""
    found = sorted(folder.glob(pattern))
    if not found:
        raise ConfigError(f"{folder}: holds no {pattern}: {remedy}")
    return found[-1]


def put_text(path: Path, text: str) -> Path:
    """Write a file: after whatever happens it is there whole, or as it was. Raises ConfigError, or MyquantError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8", newline="\n")
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):  # it may never have come to be
            draft.unlink()
        raise cannot_write(path, error, ELSEWHERE) from error
    return path


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
