"""The traces and orders of the sessions that somebody looks at: opened in a thread beside, then followed, and let go of after a while."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from myquant.dashboard.trace import Trace, empty_trace, prepare
from myquant.errors import MyquantError
from myquant.execution.reading import Reading, begin_reading, read_beside
from myquant.journal.reader import JournalReader
from myquant.journal.segment import FOLDER, segment_name

KEPT_NS: Final = 300_000_000_000  # for so long after nobody looked at it any more
TRACES_MAX: Final = 8  # that nobody looks at now are kept; one more, and the one that was looked at longest ago goes
LOOKED_AT_NS: Final = 10_000_000_000  # who has a page open looks more often: what he sees is not let go of
POLL_BLOCKS: Final = 4  # taken in one look: 5 ms; what is left is taken by the next
BESIDE_NS: Final = 30_000_000_000  # from one reading of what stands beside the journal to the next
RETRY_NS: Final = 10_000_000_000  # from one that could not be opened to the next try
OPENING: Final = "The journal is being read."


class Look(NamedTuple):
    """What there is to be seen of a session. Without a trace `text` says why, with one what is wrong; "": nothing is."""

    trace: Trace | None
    text: str
    reading: Reading | None = None  # the lives of its orders, and what stands beside the journal; None with the trace


class _Opened(NamedTuple):
    trace: Trace
    reading: Reading
    reader: JournalReader


@dataclass
class _Kept:
    """A trace, or the work on it."""

    opening: "Future[_Opened]"
    inode: int  # of the journal's first file: another one is another session's
    looked_ns: int
    beside_ns: int  # when what stands beside the journal was begun to be read
    beside: "Future[None] | None" = None  # that reading
    trouble: str = ""  # why it could not be opened
    failed_ns: int = 0  # when that was seen


class Traces:
    """Keeps traces. All calls from one thread. Another one fills a trace before it is handed out, and reads what stands beside it."""

    def __init__(self) -> None:
        self._kept: dict[Path, _Kept] = {}
        self._pool = ThreadPoolExecutor(1, "trace")
        self._pool.submit(prepare)

    def look(self, folder: Path, now_mono_ns: int) -> Look:
        """Return the trace of a session's folder with all that came since the last look; it begins to be opened by the first."""
        inode = _inode_of(folder)
        kept = self._kept.get(folder)
        if kept is None or (kept.inode != inode and inode):
            kept = self._kept[folder] = _Kept(self._pool.submit(_opened, folder), inode, now_mono_ns, now_mono_ns)
        kept.looked_ns = now_mono_ns
        self.forget(now_mono_ns)
        if kept.trouble and now_mono_ns - kept.failed_ns >= RETRY_NS and kept.opening.done():
            kept.opening, kept.failed_ns = self._pool.submit(_opened, folder), now_mono_ns
        if not kept.opening.done():
            return Look(None, kept.trouble or OPENING)
        try:
            opened = kept.opening.result()
        except (MyquantError, OSError) as error:
            if not kept.trouble:
                kept.failed_ns = now_mono_ns
            kept.trouble = str(error)
            return Look(None, kept.trouble)
        kept.trouble = ""
        if now_mono_ns - kept.beside_ns >= BESIDE_NS:
            kept.beside_ns = now_mono_ns
            kept.beside = self._pool.submit(read_beside, opened.reading)
        return Look(opened.trace, _follow(opened) or _failure_of(kept.beside), opened.reading)

    def forget(self, now_mono_ns: int) -> None:
        """Let go of traces that nobody has looked at for a while, and of those beyond the bound that nobody looks at now."""
        ages_ns = {folder: now_mono_ns - kept.looked_ns for folder, kept in self._kept.items()}
        unseen = sorted((age_ns, folder) for folder, age_ns in ages_ns.items() if age_ns >= LOOKED_AT_NS)
        for place, (age_ns, folder) in enumerate(unseen):
            if age_ns >= KEPT_NS or place >= TRACES_MAX:
                self._kept.pop(folder).opening.cancel()

    def __len__(self) -> int:
        return len(self._kept)

    def close(self) -> None:
        """Let go of all of them."""
        self._kept.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)


def _opened(folder: Path) -> _Opened:
    opened = _Opened(empty_trace(folder), begin_reading(folder), JournalReader(folder))
    while _take(opened):
        pass
    read_beside(opened.reading)
    return opened


def _take(opened: _Opened) -> bool:
    """Take a block of what came; return whether there was any."""
    block = opened.reader.poll()
    opened.trace.take(block)
    opened.reading.lives.take(block)
    opened.reading.records += len(block)
    return len(block) > 0


def _follow(opened: _Opened) -> str:
    """Take what came; return what is wrong."""
    try:
        for _ in range(POLL_BLOCKS):
            if not _take(opened):
                break
    except (MyquantError, OSError) as error:
        return str(error)
    return ""


def _failure_of(beside: "Future[None] | None") -> str:
    """Return why what stands beside the journal could not be read; a defect is raised."""
    if beside is None or not beside.done():
        return ""
    try:
        beside.result()
    except (MyquantError, OSError) as error:
        return f"what stands beside the journal is not new: {error}"
    return ""


def _inode_of(folder: Path) -> int:
    """Return what tells a journal from another of the same name; 0: there is none."""
    try:
        return (folder / FOLDER / segment_name(1)).stat().st_ino
    except OSError:
        return 0
