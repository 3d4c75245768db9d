"""A disk that fails under a running session: entries stop, exits do not, it is told, and nothing written is lost."""

import asyncio
import errno
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from journal.journal_faults import BrokenDisk, FaultyDisk
from journal.journal_samples import QUICK
from myquant.core import codes
from myquant.errors import JournalError
from myquant.exchange.handle import KIND
from myquant.journal import record
from myquant.session import supervisor as supervisor_module
from myquant.session.loop import SessionLoop
from myquant.session.runner import Words
from myquant.session.supervisor import JOURNAL_TROUBLE, SNAPSHOT_TROUBLE
from session.sessions import LIMIT, RICH, open_session
from session.stage import Journal, journal_of
from session.supervised import Supervised, market_inputs, supervised

ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS)
FEW_ROWS = 100
UNIMPORTANT = {"close", "unlink"}  # what fails of them is harmless, and not told


@cache
def inputs() -> Words:
    return market_inputs(8, 3000)


@pytest.fixture(autouse=True)
def _near_the_end_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "LAST_ROWS", FEW_ROWS)


def assert_recovers(run: Supervised, values: dict[str, Any]) -> Journal:
    """Hold that the journal leads to the very state that the session was in, and return it."""
    run.session.journal.close()
    again = open_session(run.session.folder, values)
    assert again.recovered.missing == 0
    assert again.state() == run.session.state()
    again.journal.close()
    return journal_of(run.session.folder)


def troubles(journal: Journal) -> list[int]:
    found: list[int] = journal.notes_of(record.TROUBLE)["code"].tolist()
    return found


def entries_behind_halt(journal: Journal) -> int:
    halts = journal.commands_of(codes.HALTED)
    assert halts["reason"].tolist() == [codes.BY_JOURNAL]
    submits = journal.commands_of(codes.SUBMIT)
    return int(((submits["side"] == codes.BUY) & (submits["sequence"] > halts["sequence"][0])).sum())


def exits_behind_halt(journal: Journal) -> int:
    halts, closed = journal.commands_of(codes.HALTED), journal.commands_of(codes.TRADE_CLOSED)
    return int((closed["sequence"] > halts["sequence"][0]).sum())


@pytest.mark.parametrize("error", ERRORS, ids=[errno.errorcode[error] for error in ERRORS])
def test_each_call_that_fails_once(tmp_path: Path, error: int) -> None:
    def play(folder: Path, disk: FaultyDisk) -> Supervised:
        run = supervised(folder, RICH, inputs()[:450], disk, segment_records=256, snapshot_interval_s=300, durable=True)
        run.take(450)
        return run

    good = FaultyDisk()
    reference = play(tmp_path / "good", good)
    last = len(good.calls)
    begun = FaultyDisk()
    session = open_session(tmp_path / "begun", RICH, segment_records=256, disk=begun)
    first = len(begun.calls) + 1
    session.journal.close()
    assert {"allocate", "sync_data", "rename", "write"} <= set(good.calls[first:])
    reference.session.journal.close()
    told = {JOURNAL_TROUBLE: 0, SNAPSHOT_TROUBLE: 0}
    for at in range(first, last + 1):
        name = good.calls[at - 1]
        run = play(tmp_path / f"{at}", FaultyDisk(at, error))
        journal = assert_recovers(run, RICH)
        assert troubles(journal) or name in UNIMPORTANT, (at, name)
        assert bool(run.supervisor.last_error) == bool(troubles(journal))
        for code in troubles(journal):
            told[code] += 1
        if JOURNAL_TROUBLE in troubles(journal):
            assert entries_behind_halt(journal) == 0, (at, name)
        else:
            assert not len(journal.commands_of(codes.HALTED))
    assert all(told.values())


@pytest.mark.parametrize("error", ERRORS, ids=[errno.errorcode[error] for error in ERRORS])
def test_no_room_for_a_while(tmp_path: Path, error: int) -> None:
    disk = BrokenDisk()
    run = supervised(tmp_path / "s", RICH, inputs(), disk, segment_records=1500)
    run.take(200)
    disk.error = error
    run.take_until(lambda: run.is_halted() and run.has_position())
    run.take_until_flat()
    assert "made to fail" in str(run.supervisor.last_error)
    assert any("trouble" in line for line in run.log.of("error"))
    disk.error = 0
    run.take(20)
    assert "the journal has room again" in run.log.of("warning")[-1]
    assert run.is_halted()
    before = run.session.journal.cursor[0]
    run.supervisor.event(codes.OPERATOR, codes.ASK_RESUME)
    run.take_until_open()
    journal = assert_recovers(run, RICH)
    assert troubles(journal).count(JOURNAL_TROUBLE) == 1
    assert exits_behind_halt(journal) > 0
    submits = journal.rows[
        (journal.rows[:, 2] == record.COMMAND) & (journal.rows[:, record.BODY + KIND] == codes.SUBMIT)
    ]
    assert submits[-1, 1] > before


def test_entries_that_are_resumed_without_room_halt_again(tmp_path: Path) -> None:
    disk = BrokenDisk()
    run = supervised(tmp_path / "s", RICH, inputs(), disk)
    disk.error = errno.ENOSPC
    run.take_until(run.is_halted)
    run.supervisor.event(codes.OPERATOR, codes.ASK_RESUME)
    assert not run.is_halted()
    run.supervisor.on_timer()
    assert run.is_halted()


@pytest.mark.parametrize("values", [RICH, LIMIT], ids=["at_once", "limit"])
def test_no_room_for_good(tmp_path: Path, values: dict[str, Any]) -> None:
    disk = BrokenDisk()
    run = supervised(tmp_path / "s", values, inputs(), disk)
    run.take(200)
    disk.error = errno.ENOSPC
    run.take(len(inputs()))
    assert run.supervisor.stopping == JournalError.exit_code == 4
    assert run.supervisor.closing
    assert run.session.journal.rows_left() > FEW_ROWS // 2
    run.supervisor.stopping = None
    run.take(20)  # the loop's wait for the exits
    assert not run.has_position()
    journal = assert_recovers(run, values)
    assert entries_behind_halt(journal) == 0
    assert codes.ASK_FLATTEN in journal.events[journal.events["kind"] == codes.OPERATOR]["code"]


def test_not_a_row_left_stops_at_once_and_takes_nothing_more(tmp_path: Path) -> None:
    disk = BrokenDisk()
    run = supervised(tmp_path / "s", RICH, inputs(), disk)
    disk.error = errno.ENOSPC
    while run.supervisor.stopping is None:  # no timer comes: a burst
        run.supervisor.on_frame(1, *run.tape.frame(run.at))
        run.at += 1
    assert run.supervisor.stopping == 4
    taken, lines = run.session.engine.inputs, len(run.log.lines)
    for number in range(run.at, run.at + 50):
        run.supervisor.on_frame(1, *run.tape.frame(number))
    assert (run.session.engine.inputs, len(run.log.lines)) == (taken, lines)
    run.supervisor.on_timer()
    run.supervisor.stopped(4)
    disk.error = 0
    run.supervisor.save()  # of a state that the answer to the last order may be missing in
    run.session.journal.close()
    again = open_session(run.session.folder, RICH)
    again.journal.close()
    shutil.rmtree(run.session.folder / "snapshots", ignore_errors=True)
    from_the_beginning = open_session(run.session.folder, RICH)
    assert again.state() == from_the_beginning.state()
    from_the_beginning.journal.close()


@pytest.mark.parametrize("values", [RICH, LIMIT], ids=["at_once", "limit"])
def test_a_sync_that_fails_lets_exits_out_and_no_entries(tmp_path: Path, values: dict[str, Any]) -> None:
    disk = BrokenDisk(("sync_data",))
    run = supervised(tmp_path / "s", values, inputs(), disk, durable=True)
    run.take_until_open()
    disk.error = errno.EIO
    run.take_until_flat()
    assert run.is_halted()
    disk.error = 0
    run.take(30)
    assert not any("room again" in line for line in run.log.of("warning"))
    run.supervisor.event(codes.OPERATOR, codes.ASK_RESUME)  # what the kernel forgot does not come back
    run.take_until(run.is_halted)
    assert not run.has_position()
    journal = assert_recovers(run, values)
    rejects = journal.events[journal.events["kind"] == codes.ORDER_REJECT]
    assert rejects["code"].tolist() == [codes.NOT_SENT]
    counts = run.session.engine.instruments["counts"].sum(axis=0)
    assert (counts[codes.COUNT_NOT_SENT], counts[codes.COUNT_ORDER_REJECTS]) == (1, 0)
    assert troubles(journal) == [JOURNAL_TROUBLE] * 2


def test_a_snapshot_that_fails_stops_nothing(tmp_path: Path) -> None:
    disk = BrokenDisk(("create",), "snapshots")
    run = supervised(tmp_path / "s", RICH, inputs()[:600], disk, snapshot_interval_s=60)
    disk.error = errno.ENOSPC
    run.take(300)
    disk.error = 0
    run.take(300)
    journal = assert_recovers(run, RICH)
    assert set(troubles(journal)) == {SNAPSHOT_TROUBLE}
    assert not len(journal.commands_of(codes.HALTED))
    assert len(journal.notes_of(record.SNAPSHOT))
    assert QUICK.names(tmp_path / "s" / "snapshots")


@pytest.mark.parametrize("values", [RICH, LIMIT], ids=["at_once", "limit"])
def test_a_loop_that_leaves_for_want_of_room_waits_for_the_exits(tmp_path: Path, values: dict[str, Any]) -> None:
    run = supervised(tmp_path / "s", values, inputs(), QUICK)
    loop = SessionLoop(run.supervisor, tmp_path / "s", "s", lambda _: None, flatten_on_stop=False, hide=lambda _: None)
    run.take_until(lambda: run.has_position() and not loop._waits_for())

    async def feed() -> None:
        while True:
            run.supervisor.on_frame(1, *run.tape.frame(run.at))
            run.at += 1
            await asyncio.sleep(0.001)

    async def stop() -> None:
        feeding = asyncio.create_task(feed())
        await asyncio.wait_for(loop._stop(), 20)
        feeding.cancel()

    asyncio.run(stop())
    assert run.has_position()  # as the configuration wishes
    run.supervisor.closing = True
    asyncio.run(stop())
    assert not run.has_position()
    assert_recovers(run, values)


def test_a_status_that_the_disk_refuses_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    run = supervised(tmp_path / "s", RICH, inputs(), QUICK)
    loop = SessionLoop(run.supervisor, tmp_path / "s", "s", lambda _: None, flatten_on_stop=False, hide=lambda _: None)
    assert loop._ask("status", "", "uid 0")["journal"]["records"] > 0
    (tmp_path / "s" / "journal").rename(tmp_path / "away")
    with pytest.raises(JournalError, match="can't be looked at"):
        loop._ask("status", "", "uid 0")
    assert run.supervisor.stopping is None
