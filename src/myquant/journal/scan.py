"""Where the sound records of a journal end, and what stands behind them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from myquant.errors import JournalError
from myquant.journal.rows import blank_until, sound_count
from myquant.journal.segment import Header, Segment, SegmentDamageError

NOTHING: Final = "nothing"  # the records end where the last process left off
TORN: Final = "torn"  # one record that was being written when its process was killed
DAMAGE: Final = "damage"  # something else: bytes were changed, or files are missing or cut


class End(NamedTuple):
    """The end of a journal's sound records."""

    last: int  # number of the last sound record; 0: there is none
    what: str  # NOTHING, TORN or DAMAGE
    path: Path  # the segment that holds record `last` + 1, or would
    text: str  # for a person, in one line; "" where nothing stands behind

    def refuse_damage(self) -> None:
        """Raise JournalError if what stands behind the sound records was once more than one torn record."""
        if self.what == DAMAGE:
            remedy = f"restore the file from a copy, or keep the {self.last} sound records"
            session = self.path.parents[1]
            raise JournalError(
                f"{self.path}: {self.text}: {remedy} (myquant journal cut {session} --after {self.last})"
            )


def refuse_misplaced(header: Header, path: Path, index: int, first: Header) -> None:
    """Raise SegmentDamageError for one that is not segment `index` (from 1) of the journal that begins with `first`."""
    begins = 1 + (index - 1) * first.segment_records
    if header.key != first.key:
        raise SegmentDamageError(path, "is a segment of another session")
    if header != Header(first.segment_records, begins, first.key):
        raise SegmentDamageError(path, f"begins with record {header.first} instead of {begins}")


def find_end(segments: Sequence[Segment], sound: int) -> End:
    """Return the end of a journal of which `segments[0]` holds the last `sound` records, and the others are behind it."""
    segment, *later = segments
    header = segment.header
    last = header.first + sound - 1
    damaged = f"record {last + 1} is damaged"
    for each in segments:
        if each.file_bytes != each.header.file_bytes:
            text = f"{each.path.name} has {each.file_bytes} bytes instead of {each.header.file_bytes}"
            return End(last, DAMAGE, segment.path, f"{text}; the records up to {last} are sound")
    behind = sound_count(segment.rows, sound, header.first, header.key)
    behind += sum(sound_count(each.rows, 0, each.header.first, each.header.key) for each in later)
    if behind:
        return End(last, DAMAGE, segment.path, f"{damaged}, and {behind} sound ones stand behind it")
    blank = blank_until(segment.rows, sound)
    is_torn = blank == sound < len(segment.rows)
    if is_torn:
        blank = blank_until(segment.rows, sound + 1)
    if blank < len(segment.rows) or any(blank_until(each.rows, 0) < len(each.rows) for each in later):
        return End(last, DAMAGE, segment.path, f"{damaged}, or what stands behind it")
    if is_torn:
        return End(last, TORN, segment.path, f"record {last + 1} is torn: its process was killed while writing it")
    return End(last, NOTHING, segment.path, "")
