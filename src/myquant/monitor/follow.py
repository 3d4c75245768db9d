"""One session, followed: its journal, its log and its process, read into its view."""

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from myquant.config.loading import load_config
from myquant.errors import JournalError, MyquantError
from myquant.journal.reader import JournalReader
from myquant.journal.scan import DAMAGE
from myquant.journal.segment import FOLDER as JOURNAL
from myquant.journal.segment import SUFFIX
from myquant.monitor.finding import plain
from myquant.monitor.fold import Fold
from myquant.monitor.log_tail import LogTail
from myquant.monitor.news import NewsDesk
from myquant.monitor.process import ProcessWatch, lost_start
from myquant.monitor.state import Told
from myquant.monitor.view import SessionView
from myquant.session import archive
from myquant.session.archive import SessionFacts
from myquant.session.hours import trading_hours
from myquant.session.log_files import FILE as LOG
from myquant.session.operator import CARD, busy_with

SECOND_NS: Final = 1_000_000_000
WEIGH_NS: Final = SECOND_NS
RESTS_NS: Final = 10 * SECOND_NS  # files of one that rests are opened so often, should nothing have told of a change
STILL_NS: Final = 10 * SECOND_NS  # a journal that got nothing for so long is looked at for damage


class Followed:
    """A session that is watched. Raises MyquantError where its folder can't be understood.

    Attributes:
        view: what is known of it.
        told: until where its news were told.
        trouble: why its log can't be read; "": it can.
    """

    def __init__(self, name: str, folder: Path, told: Told) -> None:
        facts = archive.read(folder)
        loaded = archive.config_of(folder, load_config())
        self.view = view = SessionView(
            *(name, folder, plain(facts.kind), tuple(map(plain, facts.symbols))),
            *(plain(facts.strategy), loaded, plain(facts.engine_hash)),
        )
        view.config_hash, view.exchanges, view.ended_code = plain(facts.config_hash), facts.exchanges, facts.ended
        self.told = told
        self._desk = NewsDesk(view, told=told.record, since_wall_ns=told.since_wall_ns)
        self._fold = Fold(view, self._desk)
        self._log = LogTail(view)
        self.trouble = ""
        self._reader: JournalReader | None = None
        self._watch: ProcessWatch | None = None
        self._hours = trading_hours(loaded.config, facts.instruments)
        self._zone = ZoneInfo(loaded.config.session.timezone)
        self._weighed_ns = self._read_ns = 0
        self._looked_for_damage = -1
        self._lives = True  # by the last look at its process
        self._lived = False  # likewise, by an earlier look
        self._lost: tuple[int, int] | None = None  # a start that seemed lost a second ago: its card, and records then
        self._mark = _written(folder / archive.MARK)
        self._next = 1  # the first record that was not read
        self._changed: tuple[int, ...] = ()  # when its folder was, at the last look since it left
        self._rests: tuple[int, ...] | None = None  # likewise, when its files were closed; None: they are open
        self._rested_ns = 0

    @property
    def has_more(self) -> bool:
        """Whether some of its journal or its log was not read yet, and can be."""
        return self.view.unread_since_ns is not None or (self.view.is_log_behind and not self.trouble)

    def read(self, now_mono_ns: int) -> bool:
        """Take the next block of the journal; return whether there was one."""
        if self._rests is not None:
            return False
        try:
            if self._reader is None and (reader := _reader(self.view.folder)) is not None:
                reader.next, self._reader = self._next, reader
            block = None if self._reader is None else self._reader.poll()
            if self._reader is not None and block is not None and len(block):
                self._read_ns, self._next = now_mono_ns, self._reader.next
                self._fold.take(block)
                return True
        except JournalError as error:
            if self.view.gone_since_ns is None:  # else that is what is wrong
                self.view.damage = str(error)
        return False

    def before(self) -> None:
        """Look at the process before the journal is read: what a dead one wrote is all there then."""
        if not self.view.runs:
            self._changed = _changes(self.view.folder)
            if self._rests not in {None, self._changed}:
                self._rests = None
        process = self.view.process
        if process is None:
            return
        if self._watch is None or self._watch.process is not process:
            self._let_go()
            self._watch, self._lived = ProcessWatch(process), False
        # Told to be dead only by `after`, once its last words are read.
        self._lives = self._watch.look()
        self._lived |= self._lives
        process.is_alive = True

    def after(self, now_wall_ns: int, now_mono_ns: int, *, is_all_read: bool) -> None:
        """Note how it stands once the journal was read as far as it could be."""
        view = self.view
        view.unread_since_ns = None if is_all_read else view.unread_since_ns or now_wall_ns
        view.read_mono_ns = now_mono_ns if is_all_read else view.read_mono_ns
        if is_all_read:
            self._fold.execution.look_beside(view.folder, now_mono_ns)
        process = view.process
        is_watched = self._watch is not None and self._watch.process is process  # else from the next look on
        if process is not None and is_watched and is_all_read:
            process.is_alive, process.is_unseen = self._lives, False
            if view.is_dead and process.died_wall_ns is None:
                # One that was dead before anybody watched died when it last wrote, for all that is known.
                written_ns = view.written_wall_ns or process.started_wall_ns
                process.died_wall_ns = now_wall_ns if self._lived else min(now_wall_ns, written_ns)
        self._look_at_hours(now_mono_ns)
        if now_mono_ns - self._weighed_ns >= WEIGH_NS:
            self._weighed_ns = now_mono_ns
            self._weigh()
            if view.gone_since_ns is None:
                self._look_for_lost_start(is_all_read=is_all_read)
        if is_all_read and view.gone_since_ns is None and now_mono_ns - self._read_ns >= STILL_NS:
            self._look_for_damage()

    def read_log(self, limit_bytes: int) -> int:
        """Take what is new in the log, up to so many bytes; return how many, 0: there is no more."""
        if self._rests is not None:
            return 0
        try:
            taken = self._log.look(limit_bytes)
        except OSError as error:
            self.trouble = error.strerror or type(error).__name__
            return 0
        self.trouble = ""
        return taken

    def rest(self, now_mono_ns: int) -> None:
        """Close the files of one that has left once all of them is read, until something changes in its folder."""
        view = self.view
        if self._rests is not None:
            if now_mono_ns - self._rested_ns >= RESTS_NS:
                self._rests = None
            return
        has_left = not view.is_dead and (view.stopped_code is not None or view.ended_code is not None)
        is_read = view.unread_since_ns is None and not view.is_log_behind and not self.trouble
        if not (self._changed and has_left and is_read) or view.runs or view.gone_since_ns is not None:
            return
        if not (view.folder / CARD).exists():  # else a process is about to begin it, or died over that
            self._rests, self._rested_ns, self._reader = self._changed, now_mono_ns, None
            self._log.close()

    def note_told(self) -> bool:
        """Note that the news so far were told; return whether there were any."""
        has_news = bool(self.view.news)
        self.view.news.clear()
        self.told.record = self._desk.told = max(self.told.record, self.view.records)
        return has_news

    def close(self) -> None:
        """Let go of its files."""
        self._log.close()
        self._let_go()
        self._reader = None

    def _let_go(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _weigh(self) -> None:
        """Look at what needs a look a second only."""
        view = self.view
        if self._watch is not None:
            self._watch.weigh()
        has_to_say = view.runs and view.process is not None and view.beat_mono_ns is None
        view.doing = busy_with(view.folder, view.process.pid) if has_to_say and view.process is not None else ""
        with suppress(OSError):
            status = os.statvfs(view.folder)
            view.disk_free_bytes = status.f_bavail * status.f_frsize
        written = _written(view.folder / archive.MARK)
        if written != self._mark:
            self._mark = written
            with suppress(MyquantError):
                facts: SessionFacts = archive.read(view.folder)
                view.ended_code = facts.ended

    def _look_for_lost_start(self, *, is_all_read: bool) -> None:
        """Note a process that has put its card and is gone before its first note, once that was so at two looks.

        Between them is whatever it journaled in its last moment.
        """
        view, lost = self.view, lost_start(self.view.folder) if is_all_read and not self.view.runs else None
        if lost is not None and view.process is not None and view.process.pid == lost.pid:  # it has come to its note
            lost = None
        seen = None if lost is None else (lost.started_wall_ns, view.records)
        view.lost_start = lost if seen == self._lost else None
        self._lost = seen

    def _look_at_hours(self, now_mono_ns: int) -> None:
        """Note whether the market is open, by the exchange's clock carried on from the last beat."""
        view = self.view
        if view.exchange_ns is None or view.beat_mono_ns is None:
            view.is_market_open, view.open_for_ns = None, 0
            return
        time_ns = view.exchange_ns + max(0, now_mono_ns - view.beat_mono_ns)
        hours = self._hours(datetime.fromtimestamp(time_ns // SECOND_NS, self._zone).date())
        view.is_market_open = hours is not None and hours.open_ns <= time_ns < hours.close_ns
        view.open_for_ns = time_ns - hours.open_ns if hours is not None and view.is_market_open else 0

    def _look_for_damage(self) -> None:
        """See what stands behind the last record that can be read, once for each end."""
        reader = self._reader
        if reader is None or self._looked_for_damage == reader.next:
            return
        self._looked_for_damage = reader.next
        try:
            end = reader.end(known=reader.next - 1)
        except JournalError as error:
            self.view.damage = str(error)
            return
        self.view.damage = end.text if end.what == DAMAGE else ""


def _reader(folder: Path) -> JournalReader | None:
    """Return the reader of a session's journal; None: it has not begun one. Raises JournalError."""
    try:
        begun = any(name.endswith(SUFFIX) for name in os.listdir(folder / JOURNAL))  # noqa: PTH208  (names only)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JournalError(f"{folder / JOURNAL}: can't be listed ({error.strerror}): let this user read it") from None
    return JournalReader(folder) if begun else None


def _changes(folder: Path) -> tuple[int, ...]:
    """Return what shows that somebody writes there again: he puts a card, makes a segment or logs a line."""
    return _written(folder), _written(folder / JOURNAL), _written(folder / LOG)


def _written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
