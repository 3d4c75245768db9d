"""Where the monitor keeps what is its own."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from myquant.session.at_broker import state_folder

FILE_MODE: Final = 0o600


def monitor_folder() -> Path:
    """Return the monitor's folder in `MYQUANT_STATE`, else in the user's folder of states; it need not be there."""
    return state_folder() / "monitor"


def make_private(path: Path) -> None:
    """Make an empty file that only its owner can read, where there is none. Raises OSError.

    One that is there is not opened: whoever closes a file gives up every lock that this process has on it, SQLite's too.
    Another process may then take itself for the last user of a database, and remove what is written to.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
