"""A process that writes a journal: `python journal_child.py FOLDER LAST`; it ends there, or is killed before."""

import sys
from pathlib import Path

import numpy as np

from myquant.journal.record import BODY_WORDS, INPUT
from myquant.journal.rows import RECORDS
from myquant.journal.writer import JournalWriter, has_journal

BATCH = 100
SEGMENT_RECORDS = 1000


def bodies(first: int) -> np.ndarray:
    """Return bodies whose words all tell the number of their record."""
    return np.repeat(np.arange(first, first + BATCH, dtype=np.int64), BODY_WORDS).reshape(BATCH, BODY_WORDS)


def main(folder: Path, last: int) -> None:
    if has_journal(folder):
        writer = JournalWriter.open(folder)
    else:
        writer = JournalWriter.create(folder, key=7, segment_records=SEGMENT_RECORDS)
    while (written := int(writer.cursor[RECORDS])) < last:
        writer.append_words(INPUT, bodies(written + 1), 0, min(BATCH, last - written))
        writer.reserve()
    writer.sync()
    sys.stdout.write("done\n")
    sys.stdout.flush()
    sys.stdin.read()  # the journal stays locked until the parent lets go


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
