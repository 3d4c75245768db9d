"""What only the monitor finds, of itself, stands on the overview beside what the pages find, once, and only while it runs."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from monitor.told import Told, fault
from myquant.config.loading import load_config
from myquant.dashboard.alert_look import AlertLook
from myquant.dashboard.components import Cell
from myquant.dashboard.pages_overview import alert_row, monitors_own, no_channel
from myquant.monitor.finding import Finding


def frame(*found: Finding, is_told: bool = True) -> Any:
    return SimpleNamespace(watch=SimpleNamespace(is_told=is_told, monitor=SimpleNamespace(findings=list(found))))


@pytest.mark.parametrize(("settings", "is_told"), [({}, False), ({"alerts.critical": '["hook"]'}, True)])
def test_where_nobody_is_told_the_overview_says_so(settings: dict[str, str], *, is_told: bool) -> None:
    assert (
        no_channel(load_config(assignments=[f"{name}={value}" for name, value in settings.items()])) == ""
    ) is is_told


def test_alerts_of_the_monitors_own_are_shown_once(tmp_path: Path) -> None:
    down = fault(rule="channel_down", session="", subject="mail")
    late = fault(rule="monitor_late", session="", subject="")
    told = Told(tmp_path)
    told.take(0, down, late, fault(session="monday"))
    look = AlertLook(tmp_path)
    asyncio.run(look.refresh())
    assert [each.rule for each in monitors_own(frame(), look)] == ["channel_down", "monitor_late"]
    assert [each.rule for each in monitors_own(frame(late), look)] == ["channel_down"]
    assert monitors_own(frame(is_told=False), look) == []
    (alert,) = monitors_own(frame(late), look)
    _, cells = alert_row(alert)
    assert cast("Cell", cells[1]).href == "/alerts"
    assert cells[2] == down.text
