"""The monitor's folder is removed, replaced, read-only or full while it runs: it is told, and nothing is lost or told twice."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.made_views import MONO, NOON, SECOND, found, loaded
from monitor.mishaps import fill, read_only, small_disk
from monitor.posts import Lines
from monitor.told import IST, fault
from myquant.errors import MyquantError
from myquant.monitor.alert import Alert, alert_of
from myquant.monitor.alerting import Alerting
from myquant.monitor.book import ALERT, FILE, STATE, Book
from myquant.monitor.faults import Around
from myquant.monitor.finding import CRITICAL, Finding
from myquant.monitor.folder_watch import FolderWatch
from myquant.monitor.message import Message
from myquant.monitor.spool import DELIVERED, Spool
from myquant.monitor.state import CARD, LOCK, TOLD, FolderTakenError, MonitorCard, open_state

ONE = {f"alerts__{severity}": '["mail"]' for severity in ("info", "warning", "critical")}
DEAD = fault("engine_dead", CRITICAL)
BARE = fault("position_bare", CRITICAL)
CARD_OF_OURS = MonitorCard("127.0.0.1", 9464, os.getpid(), "token")


class Rig:
    """A monitor's folder with all that is in it, and alerting that delivers nothing by itself."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, Lines()
        self.left = self.unsaved = 0
        self.told: list[str] = []  # titles
        self.bodies: list[str] = []
        self.begin()

    def begin(self) -> None:
        self.state = open_state(self.folder, NOON)
        self.state.show(CARD_OF_OURS)
        self.spool, self.book = Spool(self.folder, lambda: NOON), Book(self.folder)
        self.alerting = Alerting(loaded(**ONE).config.alerts, IST, self.book, self.post)
        self.watch = FolderWatch(self.state, self.log, lambda: False, self.leave)

    def restart(self) -> None:
        """Begin again as after a kill: nothing is written at the end."""
        os.close(self.state._lock)
        self.spool.close()
        self.book.close()
        self.begin()

    def leave(self) -> None:
        self.left += 1

    def post(self, message: Message) -> None:
        if self.spool.add(message) is not None:
            self.told.append(message.title)
            self.bodies.append(message.body)

    def look(self, at_s: float, *faults: Finding, is_saved: bool = True) -> list[str]:
        """Look so long after noon; return what is found of the folder and the base."""
        at_ns = round(at_s * SECOND)
        self.watch.look(self.spool, self.book, NOON + at_ns, MONO + at_ns)
        if is_saved:
            try:
                self.state.save(NOON + at_ns)
            except MyquantError:
                self.unsaved += 1
        unkept = self.spool.trouble or self.book.trouble or self.watch.unwritten  # as the station does
        around = Around(spool=unkept, folder=self.watch.trouble)
        own = found(around=around, after_s=at_s)
        self.alerting.take([*faults, *own], [], NOON + at_ns)
        assert {each.rule for each in own} <= {"spool_failed"}
        return [each.text for each in own]

    def is_whole(self) -> bool:
        return self.watch.is_whole

    def on_disk(self) -> dict[str, Alert]:
        """Return the alerts that somebody else finds in the book, by rule."""
        with Book(self.folder) as book:
            return {each.rule: each for each in map(alert_of, book.rows(ALERT).values())}

    def deliver(self) -> None:
        """Deliver all that waits."""
        for each in self.spool.waiting("mail"):
            each.state, each.ended_ns = DELIVERED, NOON
            self.spool.note(each)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "state" / "monitor")
    for second in range(3):
        assert made.look(second, DEAD) == []
    assert len(made.told) == 1
    made.deliver()
    yield made
    made.spool.close()
    made.book.close()
    made.state.close()


def remove(folder: Path) -> None:
    shutil.rmtree(folder.parent)


def move(folder: Path) -> None:
    folder.rename(folder.with_name("aside"))


def replace(folder: Path) -> None:
    """Put a copy from a day ago there, in which other alerts last, and messages wait that were delivered since."""
    shutil.rmtree(folder)
    other = Rig(folder)
    other.look(0, fault("feed_stale"), fault("halted"))
    other.look(3, fault("feed_stale"), fault("halted"))
    other.spool.add(Message("mail", CRITICAL, "of another day", "", (), 1))
    other.spool.close()
    other.book.close()
    os.close(other.state._lock)


@pytest.mark.parametrize("befalls", [remove, move, replace])
def test_a_folder_that_is_gone_is_told_and_made_anew(rig: Rig, befalls: Callable[[Path], None]) -> None:
    befalls(rig.folder)
    (text,) = rig.look(3, DEAD, BARE)
    assert all(name in text for name in (LOCK, FILE, "removed or replaced", "made anew"))
    with pytest.raises(FolderTakenError):
        open_state(rig.folder, NOON)
    assert set(rig.on_disk()) == {"engine_dead", "position_bare", "spool_failed"}
    assert rig.on_disk()["spool_failed"].severity == CRITICAL
    for second in range(4, 64):
        assert rig.look(second, DEAD, BARE) == ([text] if second < 63 else [])
    told = list(rig.told)
    assert [title.split(": ")[1] for title in told[1:]].count("engine_dead") == 0
    assert rig.is_whole()
    waiting = [each.message.title for each in rig.spool.waiting("mail")]
    rig.restart()
    assert [each.message.title for each in rig.spool.waiting("mail")] == waiting == told[1:]
    rig.look(64, DEAD, BARE)
    rig.look(70, DEAD, BARE)
    assert [title for title in rig.told[len(told) :] if "resolved" not in title] == []
    assert {name for name, alert in rig.on_disk().items() if alert.is_firing} == {"engine_dead", "position_bare"}


@pytest.mark.parametrize("name", [LOCK, CARD, FILE, f"{FILE}-wal"])
def test_one_file_that_is_gone_is_made_anew(rig: Rig, name: str) -> None:
    (rig.folder / name).unlink()
    (text,) = rig.look(3, DEAD, BARE)
    assert name.removesuffix("-wal") in text
    assert all((rig.folder / each).exists() for each in (LOCK, CARD, FILE))
    with pytest.raises(FolderTakenError):
        open_state(rig.folder, NOON)
    rig.look(4.5, DEAD, BARE)
    told = list(rig.told)
    assert set(rig.on_disk()) == {"engine_dead", "position_bare", "spool_failed"}
    rig.restart()
    rig.look(5, DEAD, BARE)
    rig.look(8, DEAD, BARE)
    assert [title for title in rig.told[len(told) :] if "resolved" not in title] == []


def test_a_monitor_whose_folder_another_has_leaves_and_writes_nothing_there(rig: Rig) -> None:
    rig.spool.add(Message("mail", CRITICAL, "waits", "", (), 1))
    remove(rig.folder)
    other = open_state(rig.folder, NOON)
    other.show(MonitorCard("127.0.0.1", 9465, 4711, "theirs"))
    with pytest.raises(MyquantError, match="removed or replaced"):
        rig.state.save(NOON)
    (text,) = rig.look(3, DEAD, BARE)
    assert "a monitor runs here already (process 4711)" in text
    assert "this one ran, which leaves" in text
    assert rig.left == 1
    rig.look(5, DEAD, BARE)
    assert rig.left == 1
    assert "waits" in [each.message.title for each in rig.spool.waiting("mail")]  # it is still delivered, from memory
    rig.state.close()
    assert sorted(path.name for path in rig.folder.iterdir()) == sorted((LOCK, CARD))  # the other's
    assert "another monitor has the state folder: this one leaves" in rig.log.events()
    other.close()


def test_a_folder_that_cannot_be_made_anew_is_told_until_it_can(rig: Rig) -> None:
    remove(rig.folder)
    rig.folder.parent.write_text("a file")
    (text,) = rig.look(3, DEAD)
    assert "can't be made anew, so what is told is in memory only" in text
    assert not rig.is_whole()
    for second in range(4, 100):
        assert rig.look(second, DEAD, BARE) == [text]
    assert any("position_bare" in title for title in rig.told)
    rig.folder.parent.unlink()
    (text,) = rig.look(100, DEAD, BARE)
    assert "were made anew" in text
    assert rig.is_whole()
    told = list(rig.told)
    rig.restart()
    rig.look(101, DEAD, BARE)
    rig.look(104, DEAD, BARE)
    assert [title for title in rig.told[len(told) :] if "resolved" not in title] == []


def tell_while_it_takes_nothing(rig: Rig) -> None:
    """See that a folder that takes nothing is told, and what is found meanwhile."""
    rig.look(10, DEAD, BARE)
    (text,) = rig.look(11.5, DEAD, BARE)
    assert "may be kept in memory only" in text
    rig.look(14, DEAD, BARE)
    kinds = [title.split(": ")[1] for title in rig.told]
    assert (kinds.count("position_bare"), kinds.count("engine_dead")) == (1, 1)
    assert any("spool_failed" in text for text in rig.bodies)
    assert rig.spool.lengths() == {"mail": len(rig.told) - 1}


def see_that_nothing_is_told_twice(rig: Rig) -> None:
    """See that what could not be written is, now that it can, and is not told again."""
    rig.spool.save()  # as the courier does, once a second
    rig.look(20, DEAD, BARE)
    assert rig.look(22, DEAD, BARE) == []
    rig.look(25, DEAD, BARE)
    assert (rig.spool.trouble, rig.book.trouble, rig.state.trouble) == (None, None, None)
    told = list(rig.told)
    rig.restart()
    rig.look(26, DEAD, BARE)
    rig.look(30, DEAD, BARE)
    assert rig.told == told
    assert {name for name, alert in rig.on_disk().items() if alert.is_firing} == {"engine_dead", "position_bare"}


@pytest.mark.parametrize("is_open", [True, False])
def test_a_folder_that_becomes_read_only_is_told(rig: Rig, is_open: bool) -> None:
    """SQLite's files are open, or have to be opened anew meanwhile, which fails then."""
    if not is_open:
        rig.spool.close()
        rig.book.close()
    with read_only(rig.folder) as is_there:
        if not is_there:
            pytest.skip("only a superuser who may mount can make a folder read-only for himself")
        if not is_open:
            rig.spool.save()
        tell_while_it_takes_nothing(rig)
        assert rig.state.trouble
        assert bool(rig.book.trouble) != is_open
    see_that_nothing_is_told_twice(rig)


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as is_there:
        if not is_there:
            pytest.skip("only a superuser who may mount can make a small disk")
        rig = Rig(tmp_path / "disk" / "monitor")
        for second in range(3):
            rig.look(second, DEAD)
        rig.deliver()
        fill(tmp_path / "disk" / "filler")
        tell_while_it_takes_nothing(rig)
        (tmp_path / "disk" / "filler").unlink()
        see_that_nothing_is_told_twice(rig)
        rig.spool.close()
        rig.book.close()
        rig.state.close()


def test_a_book_that_is_moved_away_while_it_could_not_be_written_is_written_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Book(tmp_path) as book:
        assert book.write({(ALERT, "1"): "first"}, NOON)

        def damaged(*_: Any) -> None:
            raise sqlite3.DatabaseError("database disk image is malformed")

        with monkeypatch.context() as patched:
            patched.setattr(book, "_connected", damaged)
            assert not book.write({(STATE, "x"): "second"}, NOON)
        assert book._file.connection is None
        (tmp_path / FILE).unlink()
        assert book.write({}, NOON)
    with Book(tmp_path) as book:
        assert (book.rows(ALERT), book.rows(STATE)) == ({"1": "first"}, {"x": "second"})


def test_what_is_saved_before_the_watch_has_looked_is_no_trouble_of_its_own(rig: Rig) -> None:
    remove(rig.folder)
    with pytest.raises(MyquantError, match="removed or replaced"):
        rig.state.save(NOON)
    assert rig.state.trouble is None
    (text,) = rig.look(3, DEAD)
    assert "made anew" in text


def test_what_was_told_is_put_into_the_new_folder_at_once(rig: Rig) -> None:
    rig.state.told_of(rig.folder / "runs", "monday", NOON).record = 7
    remove(rig.folder)
    rig.look(3, DEAD, is_saved=False)
    assert '"record": 7' in (rig.folder / TOLD).read_text()
