"""A session that plays a list of inputs into its folder, from wherever an earlier process of it was killed: a target of `forks`."""

import os
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from session.sessions import LIMIT, RICH, open_session

SETTINGS: Final[dict[str, dict[str, Any]]] = {"at_once": RICH, "limit": LIMIT}
SEGMENT_RECORDS: Final = 512
SAVE_EVERY: Final = 150  # inputs
RESERVE_EVERY: Final = 60  # inputs
STATE: Final = "state"
AT_WORK: Final = b"at work\n"  # said once what was there is taken up


def play(folder: str, inputs: str, settings: str, batch: int) -> None:
    """Take the inputs of a file, `batch` at a time, and write the state down when all are taken."""
    words = np.load(inputs)
    session = open_session(Path(folder), SETTINGS[settings], segment_records=SEGMENT_RECORDS)
    os.write(sys.stdout.fileno(), AT_WORK)
    while session.taken < len(words):
        end = min(len(words), session.taken + batch)
        before, session.taken = session.taken, end
        session.runner.take(words[before:end].copy())
        if before // RESERVE_EVERY != end // RESERVE_EVERY:
            session.journal.reserve()
        if before // SAVE_EVERY != end // SAVE_EVERY:
            session.save()
    (Path(folder) / STATE).write_bytes(session.state())
