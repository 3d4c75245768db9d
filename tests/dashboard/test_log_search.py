"""Searches in a process of their own: what comes is added, and one that never comes to an end is ended."""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from myquant.dashboard.log_search import GONE, SEARCHES_MAX, TOO_SLOW, OpenSearch, Searches, request_of
from myquant.dashboard.log_worker import LOOK_LINES, Found, Request, Search

LINE = '{{"time": "2026-11-23T03:51:{:02}.000000000Z", "level": "{}", "event": "line", "session": "monday", "n": {}}}\n'


def write(folder: Path, first: int, last: int, level: str = "info") -> None:
    folder.mkdir(exist_ok=True)
    with (folder / "log.jsonl").open("a") as log:
        log.writelines(LINE.format(number % 60, level, number) for number in range(first, last))


def request(folder: Path, text: str = "", *, is_pattern: bool = False, most: int = 10, level: str = "debug") -> Request:
    return request_of(
        {folder.name: folder},
        since_ns=0,
        until_ns=None,
        level=level,
        text=text,
        is_pattern=is_pattern,
        most=most,
        zone="Asia/Kolkata",
    )


def looked(asked: Request, clock_s: Callable[[], float] = time.monotonic) -> Found:
    """Return what a single look finds."""
    with closing(Search(asked, clock_s)) as search:
        return search.look()


def numbers(found: Found) -> list[int]:
    return [int(line.rest.removeprefix("n=")) for line in found["lines"]]


def test_the_last_lines_are_kept_and_all_are_counted(tmp_path: Path) -> None:
    write(tmp_path / "a", 0, 30)
    with closing(Search(request(tmp_path / "a"))) as search:
        found = search.look()
        assert (numbers(found), found["total"]) == (list(range(20, 30)), 30)
        assert search.look()["total"] == 0
        write(tmp_path / "a", 30, 32, "error")
        assert numbers(search.look()) == [30, 31]


@pytest.mark.parametrize(
    ("text", "is_pattern", "total"),
    [("LINE", False, 5), ('"n": 3', False, 1), (".*", False, 0), ('"n": [34]', True, 2), ("<", False, 0)],
)
def test_text_is_text_and_an_expression_one(tmp_path: Path, text: str, is_pattern: bool, total: int) -> None:
    write(tmp_path / "a", 0, 5)
    assert looked(request(tmp_path / "a", text, is_pattern=is_pattern))["total"] == total


@pytest.mark.parametrize("text", ["(", "[", "a{99999999999999999999}", "(?P<x"])
def test_an_expression_that_is_none_is_said(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="no regular expression"):
        Search(request(tmp_path, text, is_pattern=True))


def test_levels_and_lines_that_are_none(tmp_path: Path) -> None:
    write(tmp_path / "a", 0, 2)
    write(tmp_path / "a", 2, 3, "error")
    with (tmp_path / "a" / "log.jsonl").open("a") as log:
        log.write("torn\n")
    found = looked(request(tmp_path / "a", level="warning"))
    assert [line.level for line in found["lines"]] == ["error", "no JSON"]
    assert found["damaged"] == {"a": 1}


def test_one_that_takes_too_long_says_how_far_it_got(tmp_path: Path) -> None:
    write(tmp_path / "a", 0, 2 * LOOK_LINES)
    clock = itertools.chain([0.0], itertools.repeat(100.0))
    found = looked(request(tmp_path / "a"), lambda: next(clock))
    assert found["total"] == LOOK_LINES - 1
    assert found["until"].startswith("2026-11-23 09:21:15.000 IST")


def test_a_log_that_is_not_there_is_not_searched(tmp_path: Path) -> None:
    found = looked(request(tmp_path / "none"))
    assert (found["total"], found["unreadable"]) == (0, ["none: can't be read by the pages' user"])


def test_long_lines_are_cut(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(
        json.dumps({"time": "x", "level": "info", "event": "e", "exception": "y\n" * 500, "n": "z" * 5000}) + "\n"
    )
    (line,) = looked(request(tmp_path))["lines"]
    assert (len(line.rest) < 2100, "5,002 characters" in line.rest, len(line.trace)) == (True, True, 40)


def test_a_process_searches_and_goes_on(tmp_path: Path) -> None:
    async def looks() -> None:
        searches = Searches()
        write(tmp_path / "a", 0, 3)
        search = searches.begin(request(tmp_path / "a"))
        assert search is not None
        assert numbers(await search.look()) == [0, 1, 2]
        write(tmp_path / "a", 3, 4)
        assert numbers(await search.look()) == [3]
        assert (await search.look())["total"] == 0
        await searches.close()
        assert (await search.look())["refused"] == GONE

    asyncio.run(looks())


def test_an_expression_without_an_end_is_ended(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(LINE.format(1, "info", f'"{"a" * 64}"'))

    async def looks() -> Found:
        search = Searches(hard_s=2.0).begin(request(tmp_path, "(a+)+$", is_pattern=True))
        assert search is not None
        return await search.look()

    assert asyncio.run(looks())["refused"] == TOO_SLOW


@pytest.mark.parametrize("code", ["", "print('{')", "print('[]')"])
def test_a_process_that_says_nothing_of_use_is_gone(tmp_path: Path, code: str) -> None:
    async def looks() -> Found:
        search = Searches((sys.executable, "-c", code)).begin(request(tmp_path))
        assert search is not None
        return await search.look()

    assert asyncio.run(looks())["refused"].startswith(GONE)


def test_so_many_at_a_time(tmp_path: Path) -> None:
    async def tries() -> None:
        searches = Searches()
        found = [searches.begin(request(tmp_path)) for _ in range(SEARCHES_MAX + 1)]
        assert [each is None for each in found] == [False] * SEARCHES_MAX + [True]
        first = found[0]
        assert isinstance(first, OpenSearch)
        await first.close()
        assert searches.begin(request(tmp_path)) is not None
        await searches.close()
        assert searches.begin(request(tmp_path)) is not None

    asyncio.run(tries())
