"""All that judges and tells, wired: what fails beside the rules does not keep them from being asked."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.made_views import MONO, NOON, SECOND, loaded, view
from monitor.posts import until
from monitor.test_loop import Told
from myquant.errors import MyquantError
from myquant.monitor.courier import Courier
from myquant.monitor.drift_watch import DriftWatch
from myquant.monitor.folder_watch import FolderWatch
from myquant.monitor.replay_watch import ReplayWatch
from myquant.monitor.state import LOCK, TOLD, open_state
from myquant.monitor.station import Station
from myquant.monitor.view import Spent


def refuse(*_: object) -> Any:
    raise OSError(28, "No space left on device")


def no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ReplayWatch, "look", refuse)


def no_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DriftWatch, "take", refuse)


@pytest.mark.parametrize(("spoil", "where"), [(no_disk, "the replays"), (no_baseline, "the baselines")])
def test_what_fails_beside_the_rules_does_not_blind_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[pytest.MonkeyPatch], None], where: str
) -> None:
    log, config = Told(), loaded()
    station = Station(config, tmp_path, {}, log, can_tell=lambda: True, folders=list)
    bad = view(damage="record 7", spent=[Spent(view().delay_min_ns, None)])  # type: ignore[arg-type]
    views = {bad.name: bad}
    with monkeypatch.context() as spoiled:
        spoil(spoiled)
        for _ in range(2):
            found = {(each.rule, each.subject) for each in station.judge(views, config.config.monitor, NOON, MONO)}
            assert found == {("rule_failed", where), ("journal_damaged", "")}
    assert [fields["where"] for event, fields in log.lines if event == "a defect in the monitor"] == [where]
    bad.spent.clear()
    assert [each.rule for each in station.judge(views, config.config.monitor, NOON, MONO)] == ["journal_damaged"]


def test_a_delivery_that_fails_is_found_and_stops_the_outgoing_heartbeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Courier, "run", refuse)
    log, config, can_tell = Told(), loaded(), True
    station = Station(config, tmp_path, {}, log, can_tell=lambda: can_tell, folders=list)
    assert station.is_at_work()

    async def run() -> None:
        station.start()
        await until(lambda: log.lines)
        assert not station.is_at_work()
        for _ in range(2):
            (found,) = station.judge({}, config.config.monitor, NOON, MONO)
            assert (found.rule, found.subject) == ("rule_failed", "the delivery of alerts")
        with monkeypatch.context() as later:
            later.setattr("myquant.monitor.station.STEADY_S", 0.0)  # it has gone on for long
            assert station.is_at_work()
            assert station.judge({}, config.config.monitor, NOON, MONO) == []
        monkeypatch.setattr("myquant.monitor.station.LEAVE_S", 0.0)
        await station.aclose()

    asyncio.run(run())
    can_tell = False
    assert not station.is_at_work()


def test_a_folder_that_is_gone_is_found_and_a_monitor_is_not_ready_until_it_is_there_again(tmp_path: Path) -> None:
    folder, log, config = tmp_path / "state" / "monitor", Told(), loaded()
    state = open_state(folder, NOON)
    watch = FolderWatch(state, log, lambda: False, lambda: None)
    station = Station(config, folder, {}, log, can_tell=lambda: True, folders=list, watch=watch)

    def look(second: int) -> list[str]:
        after_ns = second * SECOND
        found = station.judge({}, config.config.monitor, NOON + after_ns, MONO + after_ns)
        return [each.rule for each in found if each.rule != "monitor_late"]

    assert (look(0), station.unready()) == ([], "")
    shutil.rmtree(folder.parent)
    folder.parent.write_text("a file")
    assert (look(1), station.unready()) == (["spool_failed"], "its state folder is gone")
    folder.parent.unlink()
    assert (look(2), station.unready()) == (["spool_failed"], "")  # that it was gone is told for a minute
    (folder / TOLD).unlink()
    (folder / TOLD).mkdir()
    with pytest.raises(MyquantError):
        state.save(NOON)
    assert (look(90), station.unready()) == (["spool_failed"], "its state folder can't be written")
    asyncio.run(station.aclose())
    state.close()


def test_who_finds_his_folder_taken_says_so_on_the_channels_of_what_is_critical(tmp_path: Path) -> None:
    folder, log = tmp_path / "monitor", Told()
    config = loaded(alerts__info='["chat"]', alerts__critical='["mail", "phone"]')
    environ = {f"MYQUANT_ALERT_{name}": "json://127.0.0.1:9" for name in ("CHAT", "MAIL", "PHONE")}
    state, left = open_state(folder, NOON), list[int]()
    watch = FolderWatch(state, log, lambda: False, lambda: left.append(1))
    station = Station(config, folder, environ, log, can_tell=lambda: True, folders=list, watch=watch)
    shutil.rmtree(folder)
    other = open_state(folder, NOON)
    for second in (0, 2):
        station.judge({}, config.config.monitor, NOON, MONO + second * SECOND)
    assert (left, station.counts().spool) == ([1], {"chat": 0, "mail": 1, "phone": 1})
    assert [path.name for path in folder.iterdir()] == [LOCK]  # nothing of ours
    asyncio.run(station.aclose())
    state.close()
    other.close()
