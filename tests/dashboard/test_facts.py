import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from dashboard.doors import Lines
from dashboard.made_runs import put_facts, put_run
from monitor.made_views import loaded
from monitor.watched import put_session
from myquant.dashboard.answers import RefusedError
from myquant.dashboard.facts import LogFound, LogSearch, MonitorFacts
from myquant.dashboard.log_search import Searches
from myquant.dashboard.log_worker import RAW_MAX
from myquant.dashboard.runs_watch import RunsWatch
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
    runs = RunsWatch(config, monitor.directories, tmp_path / "monitor", dict, Lines())
    return MonitorFacts(monitor, config, tmp_path / "monitor", {}, runs, Searches(), lambda: (10**18, 10**15))


def test_of_nothing_there_is_nothing(facts: MonitorFacts) -> None:
    assert facts.health()["sessions"] == {}
    assert (facts.view("monday"), facts.session("monday"), facts.alerts(every=True)) == (None, None, [])


def test_a_session_that_left_long_ago_has_its_folder(facts: MonitorFacts, tmp_path: Path) -> None:
    put_session(tmp_path / "runs" / "old")
    put_run(tmp_path / "runs" / "test")
    facts._runs.book.refresh()
    assert [facts.folder(name) for name in ("old", "test", "none")] == [tmp_path / "runs" / "old", None, None]


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


LINES: list[dict[str, Any]] = [
    {"time": "2025-10-03T03:51:07.000000000Z", "level": "info", "event": "tick", "price": 1.5},
    {"time": "2025-10-03T03:51:08.000000000Z", "level": "error", "event": "Order (refused)"},
    {"time": "2025-10-03T03:51:09.000000000Z", "level": "warning", "event": "order late"},
]


def found(facts: MonitorFacts, *searches: LogSearch, names: tuple[str, ...] = ()) -> list[LogFound | None]:
    async def ask() -> list[LogFound | None]:
        return [await facts.search(names, each) for each in searches]

    return asyncio.run(ask())


def test_lines_are_found_by_the_process_that_the_page_has_too(facts: MonitorFacts, tmp_path: Path) -> None:
    for name, lines in (("monday", LINES[:2]), ("tuesday", LINES[2:])):
        (tmp_path / "runs" / name).mkdir()
        (tmp_path / "runs" / name / FILE).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    with (tmp_path / "runs" / "monday" / FILE).open("a") as log:
        log.write(f"torn, or \x1b[31mworse\n{json.dumps({**LINES[1], 'event': 'long', 'x': 'x' * RAW_MAX})}\n")
    every, one, refused, none = found(
        facts, LogSearch(), LogSearch(limit=1), LogSearch(level="error", text="(REF"), LogSearch(text="(a+)+$")
    )
    assert every is not None
    assert [line.get("event") for line in every.lines] == ["tick", "Order (refused)", None, None, "order late"]
    assert (every.total, every.until, every.unread) == (5, None, [])
    assert (every.lines[0]["source"], every.lines[0]["price"]) == ("monday", 1.5)
    assert [len(line["raw"]) for line in every.lines[2:4]] == [len("torn, or \x1b[31mworse"), RAW_MAX]
    assert one == LogFound([{"source": "tuesday", **LINES[2]}], 5, None, [])
    assert refused is not None
    assert [line["event"] for line in refused.lines] == ["Order (refused)"]
    assert none == LogFound([], 0, None, [])
    assert found(facts, LogSearch(), names=("wednesday",)) == [None]


def test_too_many_searches_are_refused(facts: MonitorFacts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("myquant.dashboard.log_search.SEARCHES_MAX", 0)
    with pytest.raises(RefusedError, match="searches are under way"):
        found(facts, LogSearch())


def test_runs_are_those_of_the_list_as_it_was_last_read(facts: MonitorFacts, tmp_path: Path) -> None:
    assert facts.runs(5) == {"as_of": None, "total": None, "runs": [], "problems": []}
    put_facts(tmp_path / "runs" / "monday")
    runs = facts._runs
    runs.book.refresh()
    runs.refreshed_ns = 10**18
    told = facts.runs(5)
    assert (told["as_of"], told["total"], len(told["problems"])) == ("2001-09-09T01:46:40.000000000Z", 1, 1)
    assert [each["key"] for each in told["runs"]] == ["monday"]
    assert facts.runs(0)["runs"] == []
