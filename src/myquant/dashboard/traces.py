"""The traces of the sessions that somebody looks at: opened in a thread beside, then followed, and let go of after a while."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from myquant.dashboard.trace import Trace, empty_trace, prepare
from myquant.errors import MyquantError
from myquant.journal.reader import JournalReader
from myquant.journal.segment import FOLDER, segment_name

KEPT_NS: Final = 300_000_000_000  # for so long after nobody looked at it any more
TRACES_MAX: Final = 8  # at once; one more, and the one that was looked at longest ago goes
POLL_BLOCKS: Final = 4  # taken in one look: 5 ms; what is left is taken by the next
OPENING: Final = "The journal is being read."


class Look(NamedTuple):
    """What there is to be seen of a session. Without a trace `text` says why, with one what is wrong; "": nothing is."""

    trace: Trace | None
    text: str


@dataclass
class _Kept:
    """A trace, or the work on it."""

    opening: "Future[tuple[Trace, JournalReader]]"
    inode: int  # of the journal's first file: another one is another session's
    looked_ns: int


class Traces:
    """Keeps traces. All calls from one thread; only a trace that is not handed out yet is filled in another."""

    def __init__(self) -> None:
        self._kept: dict[Path, _Kept] = {}
        self._pool = ThreadPoolExecutor(1, "trace")
        self._pool.submit(prepare)

    def look(self, folder: Path, now_mono_ns: int) -> Look:
        """Return the trace of a session's folder with all that came since the last look; it begins to be opened by the first."""
        inode = _inode_of(folder)
        kept = self._kept.get(folder)
        if kept is None or (kept.inode != inode and inode):
            kept = self._kept[folder] = _Kept(self._pool.submit(_opened, folder), inode, now_mono_ns)
        kept.looked_ns = now_mono_ns
        self.forget(now_mono_ns)
        if not kept.opening.done():
            return Look(None, OPENING)
        try:
            trace, reader = kept.opening.result()
        except MyquantError as error:
            del self._kept[folder]  # the next look tries again
            return Look(None, str(error))
        return Look(trace, _follow(trace, reader))

    def forget(self, now_mono_ns: int) -> None:
        """Let go of traces that nobody has looked at for a while, and of those beyond the bound."""
        oldest_first = sorted(self._kept, key=lambda folder: self._kept[folder].looked_ns)
        for place, folder in enumerate(oldest_first):
            is_old = now_mono_ns - self._kept[folder].looked_ns >= KEPT_NS
            if is_old or len(oldest_first) - place > TRACES_MAX:
                self._kept.pop(folder).opening.cancel()

    def __len__(self) -> int:
        return len(self._kept)

    def close(self) -> None:
        """Let go of all of them."""
        self._kept.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)


def _opened(folder: Path) -> tuple[Trace, JournalReader]:
    trace = empty_trace(folder)
    reader = JournalReader(folder)
    while len(block := reader.poll()):
        trace.take(block)
    return trace, reader


def _follow(trace: Trace, reader: JournalReader) -> str:
    """Take what came; return what is wrong."""
    try:
        for _ in range(POLL_BLOCKS):
            if not len(block := reader.poll()):
                break
            trace.take(block)
    except MyquantError as error:
        return str(error)
    return ""


def _inode_of(folder: Path) -> int:
    """Return what tells a journal from another of the same name; 0: there is none."""
    try:
        return (folder / FOLDER / segment_name(1)).stat().st_ino
    except OSError:
        return 0
