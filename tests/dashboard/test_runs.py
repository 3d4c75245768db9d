"""The list of runs: nothing is left out, a damaged one breaks nothing, and what has not changed is not read again."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dashboard.made_runs import book_of, put_baseline, put_facts, put_run, without_rights
from myquant.dashboard import runs
from myquant.dashboard.runs import FILES, ListedRun, RunBook, Wanted, choose, kinds_of, safe_file
from myquant.dashboard.runs_read import RunContent, read_content
from myquant.dashboard.verdicts import Verdicts
from myquant.errors import MyquantError
from myquant.results.index import Found, RunEntry, read_entry


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, a session without results, a baseline, a damaged run and a folder that is none."""
    directory = tmp_path_factory.mktemp("runs")
    put_run(directory / "day", 1_000_000_000)
    put_facts(directory / "monday", ended=4)
    put_baseline(directory / "base")
    (directory / "broken").mkdir()
    (directory / "broken" / "summary.json").write_text("{")
    (directory / "empty").mkdir()
    return directory


def test_every_folder_is_listed_and_a_damaged_one_says_so(folder: Path) -> None:
    book = book_of(folder)
    seen = {row.key: (row.entry.kind, row.entry.state) for row in book.rows}
    assert seen == {
        "day": ("backtest", "done"),
        "monday": ("paper", "stopped"),
        "base": ("baseline", "done"),
        "broken": (None, "damaged"),
        "empty": (None, "unknown"),
    }
    assert [row.key for row in book.rows][-1] == "day"  # newest first
    assert book.problems == ()
    found = book.find("broken")
    assert found is not None
    assert "summary.json" in found.entry.reason
    assert book.find("day").as_dict()["files"] == ["report.html"]  # type: ignore[union-attr]


def test_runs_of_another_folder_bear_its_name_and_no_two_are_called_alike(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    put_run(one / "other" / "day")
    put_run(other / "day")
    book = book_of(one, other, one)
    assert sorted(row.key for row in book.rows) == ["other/day", "other/day~"]
    assert {book.find(row.key) for row in book.rows} == set(book.rows)


def test_a_folder_that_is_not_there_is_told_and_hides_no_other(folder: Path, tmp_path: Path) -> None:
    book = book_of(tmp_path / "nowhere", folder)
    assert len(book.rows) == 5
    assert len(book.problems) == 1
    assert "nowhere" in book.problems[0]


def test_a_folder_that_may_not_be_looked_into_is_listed_and_hides_no_other(tmp_path: Path) -> None:
    for name in ("mine", "locked", "half"):
        put_facts(tmp_path / "runs" / name, ended=4)
    put_run(tmp_path / "runs" / "day")
    book, verdicts = RunBook([tmp_path / "runs"], is_running=lambda _: False), Verdicts(tmp_path, is_automatic=True)
    contents: list[RunContent] = []
    (tmp_path / "runs" / "locked").chmod(0)
    (tmp_path / "runs" / "half" / "journal").chmod(0)
    try:
        for _ in range(2):
            without_rights(book.refresh)
            without_rights(lambda: verdicts.consider(book.rows))
        without_rights(lambda: contents.extend(read_content(row.key, row.entry) for row in book.rows))
    finally:
        (tmp_path / "runs" / "locked").chmod(0o700)
        (tmp_path / "runs" / "half" / "journal").chmod(0o700)
    states = {row.key: row.entry.state for row in book.rows}
    assert states == {"mine": "stopped", "half": "stopped", "day": "done", "locked": "damaged"}
    assert "can't be read (Permission denied)" in book.find("locked").entry.reason  # type: ignore[union-attr]
    assert verdicts.of(tmp_path / "runs" / "mine").text == "it holds no journal"
    assert {content.key for content in contents} == set(states)


def test_only_what_has_changed_is_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counted(found: Found, *rest: Any) -> RunEntry:
        read.append(found.folder.name)
        return read_entry(found, *rest)

    monkeypatch.setattr(runs, "read_entry", counted)
    book = RunBook([folder], is_running=lambda _: False)
    book.refresh()
    assert len(read) == 5
    read.clear()
    book.refresh()
    assert read == []
    os.utime(folder / "day" / "summary.json", (1_000_000_001, 1_000_000_001))
    book.refresh()
    assert read == ["day"]


def test_a_session_whose_socket_is_there_is_asked_each_time(tmp_path: Path) -> None:
    put_facts(tmp_path / "s", ended=None)
    (tmp_path / "s" / "operator.sock").touch()
    runs_now = [True]
    book = RunBook([tmp_path], is_running=lambda _: runs_now[0])
    states = []
    for now in (True, False, True):
        runs_now[0] = now
        book.refresh()
        states.append(book.rows[0].entry.state)
    assert states == ["running", "stopped", "running"]


def row(name: str, **facts: object) -> ListedRun:
    return ListedRun(name, RunEntry(name, f"/r/{name}", "done", **facts), ())  # type: ignore[arg-type]


ROWS = [
    row("a", kind="paper", strategy="default", net_pnl=5.0, symbols=("NIFTY07OCT2524900CE",), days=("2025-10-03",)),
    row("b", kind="live", strategy="mine", net_pnl=-1.0),
    row("c", kind="paper", strategy="mine", net_pnl=None),
]


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        (Wanted(sort="net_pnl"), "abc"),
        (Wanted(sort="net_pnl", is_descending=False), "bac"),
        (Wanted(sort="name", is_descending=False), "abc"),
        (Wanted(kind="paper", sort="name"), "ca"),
        (Wanted(strategy="mine", kind="paper"), "c"),
        (Wanted(text="nifty 10-03"), "a"),
        (Wanted(state="running"), ""),
    ],
)
def test_one_finds_the_runs_that_are_wanted(wanted: Wanted, keys: str) -> None:
    assert "".join(each.key for each in choose(ROWS, wanted)) == keys


def test_an_order_that_there_is_not_is_refused() -> None:
    with pytest.raises(MyquantError, match="sort: size"):
        choose(ROWS, Wanted(sort="size"))
    assert kinds_of(ROWS, "strategy") == ["default", "mine"]


def link(folder: Path, outside: Path) -> None:
    (folder / "baseline.html").symlink_to(outside)


@pytest.mark.parametrize(
    ("name", "prepare", "is_shown"),
    [
        ("report.html", None, True),
        ("workbook.xlsx", None, False),
        ("config.toml", None, False),
        ("../secret.html", None, False),
        ("baseline.html", link, False),
    ],
)
def test_only_known_files_of_a_run_are_shown(
    tmp_path: Path, name: str, prepare: Callable[[Path, Path], None] | None, *, is_shown: bool
) -> None:
    folder = put_run(tmp_path / "runs" / "day")
    outside = tmp_path / "secret.html"
    outside.write_text("secret")
    if prepare is not None:
        prepare(folder, outside)
    listed = book_of(tmp_path / "runs").find("day")
    assert listed is not None
    assert (safe_file(listed, name) == folder / name) is is_shown
    assert all(safe_file(listed, each) is None for each in FILES if not (folder / each).exists())
