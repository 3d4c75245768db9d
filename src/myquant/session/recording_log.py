"""The log of a recorder: `log.jsonl` in the folder that it records into, and short lines on stderr."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, TextIO
from zoneinfo import ZoneInfo

from myquant.brokers.secrets import Redactor
from myquant.config.schema import Config
from myquant.errors import MyquantError
from myquant.session.clock import MachineClock
from myquant.session.log import SessionLog, open_log
from myquant.session.log_files import FILE, bounds_of, start_packing

PROCESS: Final = "recorder"
LOCK: Final = ".lock"  # in the folder; holds the recorder's process id


@contextmanager
def recording_log(
    folder: Path, config: Config, redactor: Redactor, stderr: TextIO | None = None
) -> Iterator[SessionLog]:
    """Give the log of a recording, whose name is its folder's. Raises MyquantError where it can't be opened.

    What ends the recording is its last line. `stderr`: as of `log.open_log`.
    """
    log = open_log(
        folder,
        redactor.text,
        session=folder.resolve().name,
        process=PROCESS,
        clock=MachineClock.wall_ns,
        bounds=bounds_of(config.logs),
        zone=ZoneInfo(config.session.timezone),
        stderr=stderr,
        on_new=partial(start_packing, folder),
    )
    start_packing(folder)  # what an earlier process has left
    try:
        yield log
    except MyquantError as error:
        log.error("the recording has failed", error=str(error))  # noqa: TRY400  (its text is for people)
        raise
    finally:
        log.close()


def recordings_in(directory: Path) -> list[Path]:
    """Return the recordings that have a log, by name: a folder itself and those in it."""
    return [
        path.parent
        for path in (directory / LOCK, *sorted(directory.glob(f"*/{LOCK}")))
        if path.exists() and (path.parent / FILE).exists()
    ]


def is_recording(folder: Path) -> bool:
    """Return whether the process that recorded into a folder last lives."""
    try:
        os.kill(int((folder / LOCK).read_text()), 0)
    except (OSError, ValueError) as error:
        return isinstance(error, PermissionError) and (folder / LOCK).exists()
    return True
