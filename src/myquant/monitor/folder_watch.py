"""Is the monitor's folder still the one that it has? Somebody may remove it, or put another one into its place, while it runs."""

from collections.abc import Callable
from typing import Final

from myquant.errors import MyquantError
from myquant.monitor.book import FILE, Book
from myquant.monitor.loop import Log
from myquant.monitor.spool import Spool
from myquant.monitor.state import CARD, LOCK, FolderTakenError, MonitorState
from myquant.session.log_files import FILE as LOG_FILE

LOOK_NS: Final = 10**9
TOLD_NS: Final = 60 * 10**9  # so long it is told that files had to be written anew


class FolderWatch:
    """Looks once a second whether the files that the monitor writes to are those in its folder.

    A file that was removed takes all that is written to it and shows it to nobody, and a folder without its lock is free to
    a second monitor, which would tell everything once more. So what is not there is made anew, from what is in memory.

    Args:
        state: the folder, and its lock.
        log: where it says what it finds.
        follow_log: opens the log's file anew where it is another one; returns whether it was.
        leave: ends this monitor, as another one has the folder.

    Attributes:
        trouble: since when (ns) something is wrong with the folder, and what; None: nothing.
        is_whole: whether the folder can be relied upon now; what was mended is told for a while.
        taken: why this monitor has to leave; "": it has not.
    """

    def __init__(
        self, state: MonitorState, log: Log, follow_log: Callable[[], bool], leave: Callable[[], None]
    ) -> None:
        self.trouble: tuple[int, str] | None = None
        self.is_whole = True
        self.taken = ""
        self._state, self._log, self._follow_log, self._leave = state, log, follow_log, leave
        self._looked_mono_ns: int | None = None
        self._lost: list[str] = []  # files that had to be made anew, or have to be
        self._lost_ns = self._lost_mono_ns = 0

    @property
    def unwritten(self) -> tuple[int, str] | None:
        """Since when (ns) the folder does not take what is written to it every few seconds, and why; None: it does.

        None as well where `trouble` says what is wrong with it.
        """
        return self._state.trouble if self.trouble is None else None

    def look(self, spool: Spool, book: Book, now_wall_ns: int, now_mono_ns: int) -> bool:
        """Look, where it is time, and mend what can be mended; return whether another monitor was found to have the folder."""
        if self.taken or (self._looked_mono_ns is not None and now_mono_ns - self._looked_mono_ns < LOOK_NS):
            return False
        self._looked_mono_ns = now_mono_ns
        why = ""
        try:
            self._mend(spool, book, now_wall_ns, now_mono_ns)
        except FolderTakenError as error:
            self._give_way(spool, book, str(error))
        except MyquantError as error:
            why = str(error)
        self.is_whole = not (why or self.taken)
        self._conclude(why, now_wall_ns, now_mono_ns)
        return self.taken != ""

    def _mend(self, spool: Spool, book: Book, now_wall_ns: int, now_mono_ns: int) -> None:
        """Make anew what is not there. Raises MyquantError where that can't be; FolderTakenError: another monitor has it."""
        state = self._state
        if not state.has_folder():
            self._lose(LOCK, now_wall_ns, now_mono_ns)
            state.take_again()
            state.save(now_wall_ns)
        if self._follow_log():
            self._lose(LOG_FILE, now_wall_ns, now_mono_ns)
        if spool.is_lost() or book.is_lost():
            self._lose(FILE, now_wall_ns, now_mono_ns)
            spool.close()  # both before one is opened: they are one file, and what SQLite has beside it
            book.close()
            spool.save()
            book.save(now_wall_ns)
        if state.show_again():
            self._lose(CARD, now_wall_ns, now_mono_ns)

    def _lose(self, name: str, now_wall_ns: int, now_mono_ns: int) -> None:
        """Note that a file was not there."""
        if not self._lost:
            self._lost_ns = now_wall_ns
        if name not in self._lost:
            self._lost.append(name)
        self._lost_mono_ns = now_mono_ns

    def _give_way(self, spool: Spool, book: Book, why: str) -> None:
        """Leave the folder to the monitor that has it."""
        self.taken = f"{why}; its state folder was removed or replaced while this one ran, which leaves"
        spool.retire()
        book.retire()
        self._log.error("another monitor has the state folder: this one leaves", why=self.taken)
        self._leave()

    def _conclude(self, why: str, now_wall_ns: int, now_mono_ns: int) -> None:
        """Say what is wrong, and for a while what was."""
        if self.is_whole and now_mono_ns - self._lost_mono_ns >= TOLD_NS:
            self._lost.clear()
        folder = self._state.folder
        text = self.taken
        if not text and self._lost:
            rest = f"and can't be made anew, so what is told is in memory only: {why}" if why else "and were made anew"
            text = f"files of the monitor's state folder {folder} were removed or replaced ({', '.join(self._lost)}) {rest}"
        elif not text and why:
            text = f"the monitor's state folder {folder} can't be written: {why}"
        since_ns = self._lost_ns if self._lost else now_wall_ns
        self.trouble = (since_ns if self.trouble is None else self.trouble[0], text) if text else None
