"""What is asked of the logs and what is shown: text only, whatever a line or an address holds."""

import os
from pathlib import Path

import pytest
from starlette.datastructures import QueryParams

from monitor.made_views import NOON, SECOND
from monitor.told import IST
from myquant.dashboard.log_html import lines_html
from myquant.dashboard.log_query import LogQuery, query_of
from myquant.dashboard.log_sources import chosen_of, sources_in
from myquant.dashboard.pages_logs import said_of, troubles_of
from myquant.errors import ConfigError
from myquant.monitor.log_merge import Line, fields_of
from myquant.monitor.log_text import line_text

HOSTILE = "<script>alert(1)</script>\"'&\x1b[2J\u202e"


def test_nothing_of_a_line_is_markup() -> None:
    fields = {
        "time": HOSTILE,
        "level": HOSTILE,
        "event": HOSTILE,
        "session": HOSTILE,
        HOSTILE: HOSTILE,
        "exception": HOSTILE,
    }
    shown = [line_text(Line("", HOSTILE, HOSTILE.encode(), each), IST) for each in (fields, None)]
    html = lines_html(shown)
    assert "<script" not in html
    assert "\x1b" not in html
    assert html.count("<div") == 2


def test_a_line_is_shown_in_the_zone_of_the_session() -> None:
    raw = (
        b'{"time": "2026-11-23T03:51:07.120400300Z", "level": "error", "event": "halted", "session": "monday", "a": 1}'
    )
    html = lines_html([line_text(Line("2026-11-23T03:51:07.120400300Z", "monday", raw, fields_of(raw)), IST)])
    assert "<time>2026-11-23 09:21:07.120 IST</time> <b>monday</b>" in html
    assert 'is-failed">error</span>' in html
    assert "<strong>halted</strong> a=1" in html


def test_the_address_says_what_is_asked() -> None:
    assert query_of({}) == LogQuery()
    asked = QueryParams("since=10m&until=&level=error&text=a%2Bb&regex=1&of=x&of=y&of=x&order=oldest&follow=1&most=200")
    assert query_of(asked) == LogQuery(
        since="10m",
        level="error",
        text="a+b",
        is_pattern=True,
        names=("x", "y"),
        is_newest_first=False,
        follows=True,
        most=200,
    )
    assert query_of({"since": ""}).times(IST, NOON) == (0, None)
    assert query_of({"since": "10m", "until": "12:00"}).times(IST, NOON) == (NOON - 600 * SECOND, NOON)


@pytest.mark.parametrize(
    "params", [{"level": "x"}, {"most": "9"}, {"most": "x"}, {"text": "x" * 301}, {"since": "x" * 301}]
)
def test_what_can_not_be_asked_is_refused(params: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        query_of(params)


def test_a_time_that_is_none_is_said() -> None:
    with pytest.raises(ConfigError, match="From 'soon': no time"):
        query_of({"since": "soon"}).times(IST, NOON)


def test_all_logs_are_found_and_told_apart(tmp_path: Path) -> None:
    ages = {"states/monitor": 5, "runs/old": 1, "runs/new": 3, "runs/monitor": 2, "more/new": 4}
    for name, at_s in ages.items():
        log = tmp_path / name / "log.jsonl"
        log.parent.mkdir(parents=True)
        log.write_text("")
        os.utime(log, ns=(at_s * SECOND, at_s * SECOND))
    (tmp_path / "runs" / "none").mkdir()
    sources = sources_in([tmp_path / "runs", tmp_path / "more", tmp_path / "runs"], tmp_path / "states")
    assert [each.name for each in sources] == ["monitor", "more/new", "new", "session monitor", "old"]
    assert [each.name for each in chosen_of(sources, (), 3 * SECOND)] == ["monitor", "more/new", "new"]
    assert [each.name for each in chosen_of(sources, ("old", "../new"), 3 * SECOND)] == ["old"]


def test_what_is_left_out_is_said() -> None:
    assert said_of(0, 0, "", follows=False) == "no line is wanted by these fields"
    assert said_of(3, 2, "", follows=True).startswith("3 lines, of which the last 2 are shown")
    assert "searched up to 10:00" in said_of(3, 3, "10:00", follows=False)
    assert troubles_of({}, [], 1) == ""
    told = troubles_of({"monday": 2}, ["x: torn, read in part"], 201)
    assert told.startswith("monday: 2 lines are no JSON, x: torn, read in part; 201 logs")
