"""All that judges and tells, wired: what fails beside the rules does not keep them from being asked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.made_views import MONO, NOON, loaded, view
from monitor.test_loop import Told
from myquant.monitor.drift_watch import DriftWatch
from myquant.monitor.replay_watch import ReplayWatch
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
    station = Station(config, tmp_path, {}, log, is_on_time=lambda: True, folders=list)
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
