import asyncio
import json
from pathlib import Path

import pytest

from dashboard.doors import Lines
from monitor.made_views import loaded
from myquant.dashboard.facts import MonitorFacts
from myquant.dashboard.logs import LogSearch, search_logs
from myquant.errors import ConfigError
from myquant.monitor.alert import Alert, as_text
from myquant.monitor.book import ALERT, Book
from myquant.monitor.loop import Monitor
from myquant.session.log_files import FILE


@pytest.fixture
def facts(tmp_path: Path) -> MonitorFacts:
    config = loaded()
    (tmp_path / "runs").mkdir()
    monitor = Monitor(
        [tmp_path / "runs", tmp_path / "none"],
        config.config.monitor,
        judge=lambda *_: [],
        alerting=lambda *_: None,
        log=Lines(),
    )
    (tmp_path / "monitor").mkdir()
    return MonitorFacts(monitor, config, tmp_path / "monitor", {}, lambda: (10**18, 10**15))


def test_of_nothing_there_is_nothing(facts: MonitorFacts) -> None:
    assert facts.health()["sessions"] == {}
    assert (facts.view("monday"), facts.session("monday"), facts.alerts(every=True)) == (None, None, [])
    assert (facts.log_names(), facts.search([], LogSearch()).lines) == (["monitor"], [])
    folders = list(facts.runs(5)["folders"].values())
    assert [(each["total"], "error" in each) for each in folders] == [(0, False), (None, True)]


def test_alerts_are_listed_and_acknowledged(facts: MonitorFacts, tmp_path: Path) -> None:
    lasts = Alert(3, "disk_low", "monday", "", "warning", "little room", "free it", 10**18, 10**18)
    over = Alert(2, "halted", "", "", "info", "halted", "", 10**18, 10**18, ended_ns=10**18, resolved_ns=10**18)
    with Book(tmp_path / "monitor") as book:
        book.write({(ALERT, str(each.number)): as_text(each) for each in (lasts, over)}, 10**18)
    assert [each["number"] for each in facts.alerts(every=True)] == [2, 3]
    (found,) = facts.alerts(every=False)
    assert (found["state"], found["since"], found["note"]) == ("firing", "2001-09-09T01:46:40.000000000Z", None)
    assert [facts.acknowledge(number, "on it") for number in (3, 2, 9)] == [True, False, False]
    (found,) = facts.alerts(every=False)
    assert (found["state"], found["note"]) == ("acknowledged", "on it")


def test_without_a_channel_none_is_tested(facts: MonitorFacts) -> None:
    with pytest.raises(ConfigError, match="no channel is set"):
        asyncio.run(facts.test_alerts())


LINES = [
    {"time": "2025-10-03T03:51:07.000000000Z", "level": "info", "event": "tick", "price": 1.5},
    {"time": "2025-10-03T03:51:08.000000000Z", "level": "error", "event": "Order (refused)"},
    {"time": "2025-10-03T03:51:09.000000000Z", "level": "warning", "event": "order late"},
]


@pytest.mark.parametrize(
    ("search", "events", "is_cut"),
    [
        (LogSearch(), ["tick", "Order (refused)", None, "order late"], False),
        (LogSearch(limit=1), ["order late"], True),
        (LogSearch(text="ORDER"), ["Order (refused)", "order late"], False),
        (LogSearch(text="(refused)"), ["Order (refused)"], False),
        (LogSearch(text="(a+)+$"), [], False),
        (LogSearch(level="error", text="r"), ["Order (refused)", None], False),
        (LogSearch(since_ns=1_759_463_469 * 10**9), ["order late"], False),
        (LogSearch(until_ns=1_759_463_468 * 10**9), ["tick"], False),
    ],
)
def test_lines_are_found(tmp_path: Path, search: LogSearch, events: list[str | None], is_cut: bool) -> None:
    first, second = tmp_path / "monday", tmp_path / "tuesday"
    for folder, lines in ((first, LINES[:2]), (second, LINES[2:])):
        folder.mkdir()
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        (folder / FILE).write_text(text + ("torn, or \x1b[31mworse\n" if folder == first else ""), encoding="utf-8")
    found = search_logs([first, second, tmp_path / "none"], search)
    assert ([line.get("event") for line in found.lines], found.is_cut, found.unread) == (events, is_cut, [])


def test_a_log_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "monday" / FILE).mkdir(parents=True)
    assert search_logs([tmp_path / "monday"], LogSearch()) == ([], False, ["monday"])
