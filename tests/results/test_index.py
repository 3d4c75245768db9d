"""The index of runs: what is done, runs, stopped, or can't be read; nothing is left out."""

import json
import os
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import pytest

from myquant.errors import ConfigError
from myquant.results.index import BYTES_MAX, RunEntry, list_runs
from myquant.results.write import write_results
from results.sample import TWO_POSITIONS, make_record, rich_record

FACTS = {
    "format": 1,
    "kind": "paper",
    "name": "nifty",
    "symbols": ["NIFTY07OCT2524900CE"],
    "strategy": "default",
    "created": "2025-10-03T03:40:00+00:00",
    "config_hash": "c0ffee00" * 8,
    "engine_hash": "e" * 64,
    "ended": None,
}


def put_session(folder: Path, *, results: bool = False, **changes: Any) -> Path:
    folder.mkdir(parents=True)
    (folder / "session.json").write_text(json.dumps({**FACTS, **changes}))
    (folder / "journal").mkdir()
    if results:
        write_results(make_record(TWO_POSITIONS), folder / "results", report=False, excel=False)
    return folder


def put_run(folder: Path, written_s: int = 0) -> Path:
    write_results(rich_record(), folder, report=False, excel=False)
    if written_s:
        os.utime(folder / "summary.json", (written_s, written_s))
    return folder


def never(_folder: Path) -> bool:
    return False


def sound(_report: Path) -> None:
    """Find nothing wrong with a report."""


def only(directory: Path, *, running: bool = False) -> RunEntry:
    (entry,) = list_runs(directory, lambda _: running, sound).entries
    return entry


def test_a_finished_run_has_the_figures_of_its_summary(tmp_path: Path) -> None:
    folder = put_run(tmp_path / "one", 1_760_000_000)
    figures = json.loads((folder / "summary.json").read_text())
    assert only(tmp_path) == RunEntry(
        name="one",
        folder=str(folder),
        state="done",
        written="2025-10-09T08:53:20+00:00",
        kind="backtest",
        strategy=figures["strategy"],
        symbols=("NIFTY07OCT2524900CE", "NIFTY07OCT2524900PE"),
        days=tuple(day["date"] for day in figures["days"]),
        ticks=1000,
        trades=figures["trades"],
        net_pnl=figures["net_pnl"],
        max_drawdown=figures["max_drawdown"],
        config_hash=figures["config_hash"],
        engine_hash=figures["engine_hash"],
    )
    assert figures["trades"] > 0


def test_newest_first_and_no_more_than_asked_for(tmp_path: Path) -> None:
    for number, name in enumerate(("old", "new", "newer"), 1):
        put_run(tmp_path / name, 1_000_000 * number)
    index = list_runs(tmp_path, never, sound, limit=2)
    assert ([entry.name for entry in index.entries], index.total) == (["newer", "new"], 3)


def test_files_run_separately_are_found_in_their_folder(tmp_path: Path) -> None:
    for name in ("day1", "day2"):
        put_run(tmp_path / "both" / name)
    (tmp_path / "both" / "failed").mkdir()
    assert sorted(entry.name for entry in list_runs(tmp_path, never, sound).entries) == ["both/day1", "both/day2"]


def test_a_session_that_runs(tmp_path: Path) -> None:
    put_session(tmp_path / "s")
    entry = only(tmp_path, running=True)
    assert (entry.state, entry.kind, entry.reason) == ("running", "paper", "")
    assert (entry.symbols, entry.config_hash) == (("NIFTY07OCT2524900CE",), "c0ffee00" * 8)
    assert entry.trades is None


@pytest.mark.parametrize(
    ("results", "ended", "state", "reason"),
    [
        (False, None, "stopped", "not ended: it goes on when it is started again"),
        (True, None, "stopped", "not ended: it goes on when it is started again"),
        (False, 4, "stopped", "ended with exit code 4"),
        (True, 4, "stopped", "ended with exit code 4"),
        (True, 0, "done", ""),
        (False, 0, "done", "no results: no usable tick came, or they were removed"),
    ],
)
def test_a_session_that_does_not_run(tmp_path: Path, *, results: bool, ended: int, state: str, reason: str) -> None:
    put_session(tmp_path / "s", results=results, ended=ended)
    entry = only(tmp_path)
    assert (entry.state, entry.kind) == (state, "paper")
    assert entry.reason.endswith(reason)
    assert bool(entry.reason) == bool(reason)
    assert (entry.trades is not None) == results


@pytest.mark.parametrize(
    ("results", "said"),
    [(False, "no figures"), (True, "its figures are as of 2025-10-09 14:23:20 IST, when it was stopped before")],
)
def test_a_session_that_was_killed(tmp_path: Path, *, results: bool, said: str) -> None:
    folder = put_session(tmp_path / "s", results=results)
    (folder / "operator.json").touch()
    if results:
        os.utime(folder / "results" / "summary.json", (1_760_000_000, 1_760_000_000))
    entry = only(tmp_path)
    assert (entry.state, entry.reason) == ("killed", f"it goes on when it is started again; {said}")
    assert only(tmp_path, running=True).state == "running"


def test_a_session_that_never_began_is_none(tmp_path: Path) -> None:
    (put_session(tmp_path / "s") / "journal").rmdir()
    entry = only(tmp_path)
    assert (entry.state, entry.kind) == ("unknown", "paper")
    assert entry.reason.startswith("holds no journal: it was refused or killed before it began")


def test_whether_it_runs_may_be_hidden_from_us(tmp_path: Path) -> None:
    def denied(_folder: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    put_session(tmp_path / "s")
    (entry,) = list_runs(tmp_path, denied, sound).entries
    assert (entry.state, entry.reason) == ("unknown", "whether it runs can't be told (Permission denied)")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "session.json: Invalid JSON"),
        ("{}", "session.json: format: Field required"),
        (json.dumps({**FACTS, "format": 2}), "session.json: format: Input should be 1"),
        (json.dumps({**FACTS, "symbols": "NIFTY"}), "session.json: symbols: "),
        (json.dumps({**FACTS, "ended": "0"}), "session.json: ended: "),
        ("[" * 100_000, "session.json: Invalid JSON"),
    ],
)
def test_a_damaged_session_is_listed_with_the_reason(tmp_path: Path, text: str, reason: str) -> None:
    (put_session(tmp_path / "s") / "session.json").write_text(text)
    entry = only(tmp_path)
    assert entry.state == "damaged"
    assert reason in entry.reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema_version": 2}, "schema_version: "),
        ({"net_pnl": float("nan")}, "net_pnl: "),
        ({"net_pnl": None}, "net_pnl: "),
        ({"trades": 1.5}, "trades: "),
        ({"days": [{}]}, "days.0.date: Field required"),
    ],
)
def test_a_damaged_summary_is_listed_with_the_reason(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    path = put_run(tmp_path / "one") / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    entry = only(tmp_path)
    assert (entry.state, entry.kind, entry.trades) == ("damaged", None, None)
    assert f"{path}: {reason}" in entry.reason


def test_a_file_that_cannot_be_read_or_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "folder" / "summary.json").mkdir(parents=True)
    (tmp_path / "large").mkdir()
    with (tmp_path / "large" / "summary.json").open("wb") as file:
        file.truncate(BYTES_MAX + 1)
    found = {entry.name: (entry.state, entry.reason) for entry in list_runs(tmp_path, never, sound).entries}
    assert found == {
        "folder": ("damaged", f"{tmp_path}/folder/summary.json: can't be read (Is a directory)"),
        "large": ("damaged", f"{tmp_path}/large/summary.json: larger than 67,108,864 bytes"),
    }


def test_a_folder_of_another_user_is_listed(tmp_path: Path) -> None:
    folder = put_run(tmp_path / "runs" / "hidden")
    folder.chmod(0)
    above = [each for each in tmp_path.parents if each.is_relative_to(gettempdir()) and each != Path(gettempdir())]
    for each in (*above, tmp_path, tmp_path / "runs"):
        each.chmod(0o755)
    if os.getuid() == 0:
        os.seteuid(65534)
    try:
        entry = only(tmp_path / "runs")
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        folder.chmod(0o700)
    assert (entry.name, entry.state) == ("hidden", "damaged")
    assert entry.reason.endswith("summary.json: can't be read (Permission denied)")


def test_a_folder_that_is_no_run_is_listed_but_no_file_and_no_draft(tmp_path: Path) -> None:
    (tmp_path / "notes" / "a").mkdir(parents=True)
    (tmp_path / ".one.17.draft").mkdir()
    (tmp_path / "file").touch()
    entry = only(tmp_path)
    assert (entry.name, entry.state) == ("notes", "unknown")
    assert (
        entry.reason
        == "holds none of summary.json, session.json, baseline_report_*.json: a run that did not finish, or none"
    )


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none: no such folder: name the folder of your runs with --directory"):
        list_runs(tmp_path / "none", never, sound)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"file: can't be read \(Not a directory\)"):
        list_runs(tmp_path / "file", never, sound)
