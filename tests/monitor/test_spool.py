"""The spool on disk: what a full disk, a damaged file or another writer does to it."""

import sqlite3
import stat
from pathlib import Path

from monitor.posts import Clock, message_of
from myquant.monitor.message import Message
from myquant.monitor.spool import BODY_MAX, DELIVERED, ENDED_MAX, FILE, GIVEN_UP, KEPT_NS, Delivery, Spool


def titles(spool: Spool, channel: str = "mail") -> list[str]:
    return [each.message.title for each in spool.waiting(channel)]


def reopened(folder: Path) -> Spool:
    return Spool(folder, Clock())


def added(spool: Spool, message: Message) -> Delivery:
    delivery = spool.add(message)
    assert delivery is not None
    return delivery


def trouble(spool: Spool) -> str:
    return "" if spool.trouble is None else spool.trouble[1]


def end(spool: Spool, delivery: Delivery, at_ns: int) -> None:
    delivery.state, delivery.ended_ns = DELIVERED, at_ns
    spool.note(delivery)


def test_what_was_added_is_on_disk_at_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "state" / "monitor", Clock())
    added(spool, message_of("a"))
    other = reopened(tmp_path / "state" / "monitor")  # the first one was not closed: as after a kill
    assert titles(other) == ["a"]
    assert other.waiting("mail")[0].message == message_of("a")
    files = list((tmp_path / "state" / "monitor").iterdir())
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
    spool.close()
    other.close()


def test_it_is_synced_in_full(tmp_path: Path) -> None:
    spool = Spool(tmp_path, Clock())
    assert spool._base is not None
    assert spool._base.execute("pragma synchronous").fetchone() == (2,)
    assert spool._base.execute("pragma journal_mode").fetchone() == ("wal",)
    spool.close()


def test_a_long_or_broken_text_is_made_fit(tmp_path: Path) -> None:
    spool = Spool(tmp_path, Clock())
    delivery = added(spool, message_of("a")._replace(title="two\r\nlines " * 100, body="x" * 10**6))
    assert delivery.message.title.startswith("two lines two lines")
    assert len(delivery.message.title) == 250
    assert len(delivery.message.body) == BODY_MAX
    spool.close()


def test_a_full_disk_keeps_messages_in_memory_and_they_are_written_once_there_is_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path, Clock())
    first = added(spool, message_of("first"))
    assert spool._base is not None
    pages = spool._base.execute("pragma page_count").fetchone()[0]
    spool._base.execute(f"pragma max_page_count = {pages}")  # from here on SQLite says that the disk is full
    names = [f"m{number}" for number in range(50)]
    for name in names:
        added(spool, message_of(name)._replace(body="x" * 4096))
    assert "free the disk" in trouble(spool)
    assert titles(spool) == ["first", *names]
    end(spool, first, 5)
    seen = reopened(tmp_path)
    assert len(titles(seen)) < 51
    seen.close()
    spool.save()
    assert trouble(spool)
    spool._base.execute("pragma max_page_count = 1000000")
    spool.save()
    assert trouble(spool) == ""
    spool.close()
    spool = reopened(tmp_path)
    assert titles(spool) == names
    spool.close()


def test_a_damaged_file_is_told_and_delays_nothing(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database at all, " * 500)
    spool = Spool(tmp_path, Clock())
    assert "move a damaged file away" in trouble(spool)
    added(spool, message_of("a"))
    (tmp_path / FILE).unlink()
    spool.save()
    assert trouble(spool) == ""
    spool.close()
    spool = reopened(tmp_path)
    assert titles(spool) == ["a"]
    spool.close()


def test_what_came_before_the_file_could_be_read_goes_behind_what_is_in_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path, Clock())
    for name in ("a", "b"):
        added(spool, message_of(name))
    spool.close()
    (tmp_path / FILE).rename(tmp_path / "aside")
    (tmp_path / FILE).mkdir()
    spool = Spool(tmp_path, Clock())
    assert trouble(spool)
    late = added(spool, message_of("late"))
    (tmp_path / FILE).rmdir()
    (tmp_path / "aside").rename(tmp_path / FILE)
    spool.save()
    assert trouble(spool) == ""
    assert titles(spool) == ["a", "b", "late"]
    end(spool, late, 5)
    added(spool, message_of("later"))
    spool.close()
    spool = reopened(tmp_path)
    assert titles(spool) == ["a", "b", "later"]
    spool.close()


def test_another_process_that_writes_for_long_only_delays_the_writing(tmp_path: Path) -> None:
    spool = Spool(tmp_path, Clock())
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("begin immediate")
    added(spool, message_of("a"))
    assert "locked" in trouble(spool)
    other.execute("commit")
    spool.save()
    assert trouble(spool) == ""
    assert other.execute("select title from deliveries").fetchall() == [("a",)]
    other.close()
    spool.close()


def test_beyond_its_limit_the_oldest_of_what_matters_least_is_given_up(tmp_path: Path) -> None:
    spool = Spool(tmp_path, Clock(), waiting_max=3)
    for name, severity in (("a", "critical"), ("b", "info"), ("c", "info"), ("d", "warning"), ("e", "critical")):
        added(spool, message_of(name, severity=severity))
    assert titles(spool) == ["a", "e", "d"]
    assert [(each.message.title, each.state) for each in spool.overflow] == [("b", GIVEN_UP), ("c", GIVEN_UP)]
    assert spool.lengths() == {"mail": 3}
    spool.close()


def test_old_receipts_are_removed_and_what_waits_is_not(tmp_path: Path) -> None:
    clock = Clock()
    spool = Spool(tmp_path, clock)
    added(spool, message_of("waits"))
    for name, age_ns in (("old", KEPT_NS + 1), ("new", KEPT_NS - 1)):
        end(spool, added(spool, message_of(name)), clock.now_ns - age_ns)
    spool.clean()
    assert spool._base is not None
    found = spool._base.execute("select title from deliveries order by id").fetchall()
    assert found == [("waits",), ("new",)]
    spool.close()


def test_too_many_receipts_are_removed_the_oldest_first(tmp_path: Path) -> None:
    clock = Clock()
    spool = Spool(tmp_path, clock)
    base = spool._base
    assert base is not None
    end(spool, added(spool, message_of("oldest")), clock.now_ns)
    row = f"'mail', 'info', '', '', '[]', 1, 1, 0, 'delivered', 1, 1, {clock.now_ns}, ''"
    count = f"with recursive n(i) as (select 2 union all select i + 1 from n where i < {ENDED_MAX + 1})"  # noqa: S608  (numbers of a test)
    base.execute(f"insert into deliveries {count} select i, 'd' || i, {row} from n")  # noqa: S608  (numbers of a test)
    spool.clean()
    assert base.execute("select count(*), min(id) from deliveries").fetchone() == (ENDED_MAX, 2)
    spool.close()
