"""The file that keeps a day's tokens, so that a restart need not log in again. Only its owner can read it."""

import json
import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from myquant.errors import ConfigError, cannot_write

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
BYTES_MAX: Final = 65_536


@dataclass(frozen=True)
class TokenCache:
    """A small JSON object of texts in a file of mode 0600."""

    path: Path

    def load(self) -> dict[str, str] | None:
        """Return what was saved; None where nothing was, or where it is damaged.

        Raises ConfigError where others than the owner can read the file, or it is not an ordinary file of this user's.
        """
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError(f"{self.path}: can't be read ({error.strerror}): delete it") from error
        try:
            self._refuse(os.fstat(descriptor))
            content = os.read(descriptor, BYTES_MAX)
        finally:
            os.close(descriptor)
        return _texts(content)

    def _refuse(self, status: os.stat_result) -> None:
        """Raise ConfigError for a file that is not this user's alone."""
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise ConfigError(f"{self.path}: should hold tokens and is no file of this user's: delete it")
        mode = stat.S_IMODE(status.st_mode)
        if mode & ~FILE_MODE:
            raise ConfigError(
                f"{self.path}: holds tokens and others may read it (mode {mode:04o}): log out at the broker, then delete "
                f"it, or chmod 600 it"
            )

    def save(self, values: dict[str, str]) -> None:
        """Write the file: the whole of it or nothing appears. Raises ConfigError, or MyquantError at a full disk."""
        draft = ""
        try:
            self.path.parent.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
            descriptor, draft = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")  # of mode 0600
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(values, file)
                file.flush()
                os.fsync(descriptor)
            Path(draft).replace(self.path)
        except OSError as error:
            if draft:
                Path(draft).unlink(missing_ok=True)
            raise cannot_write(self.path, error, "set MYQUANT_CACHE to a folder of your own") from error

    def delete(self) -> None:
        """Take the file away, if it is there."""
        with suppress(OSError):
            self.path.unlink()


def _texts(content: bytes) -> dict[str, str] | None:
    try:
        values = json.loads(content)
    except (UnicodeDecodeError, json.JSONDecodeError):
        return None
    is_sound = isinstance(values, dict) and all(isinstance(value, str) for value in values.values())
    return values if is_sound else None
