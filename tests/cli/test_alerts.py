"""`myquant alerts list` and `ack`, with no monitor running."""

import json
from pathlib import Path

import pytest

from monitor.told import Told, fault
from myquant.cli import main
from myquant.monitor.finding import CRITICAL


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    monkeypatch.setenv("MYQUANT_STATE", str(tmp_path))
    return Told(tmp_path / "monitor")


def test_there_may_be_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MYQUANT_STATE", str(tmp_path))
    assert main(["alerts", "list"]) == 0
    assert main(["alerts", "ack", "all"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err.partition(":")[0]) == ("no alert lasts\n" * 2, "note")
    assert "no monitor runs" in said.err
    assert main(["alerts", "ack", "3"]) == 2
    assert "no such alert lasts" in capsys.readouterr().err


def test_list_and_ack(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    told.take(0, fault(), fault("engine_dead", CRITICAL, subject="x"))
    told.take(1, fault())
    assert main(["alerts", "list"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert (
        first
        == "   1  warning   firing        monday: feed_stale: feed_stale of monday (since 2025-10-03 12:00:00 IST)"
    )
    assert "   2  critical  ended         monday: engine_dead x: " in second
    assert main(["alerts", "ack", "1", "--note", "seen"]) == 0
    assert capsys.readouterr().out == "acknowledged: 1 monday: feed_stale\n"
    for _ in range(2):  # before and after the monitor has taken it up
        assert main(["alerts", "list", "--json"]) == 0
        row, _ = json.loads(capsys.readouterr().out)
        assert (row["state"], row["note"]) == ("acknowledged", "seen")
        told.take(2, fault())
    assert main(["alerts", "ack", "all"]) == 0  # without a note the earlier one stays
    told.take(3, fault())
    capsys.readouterr()
    assert main(["alerts", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["note"] == "seen"
    told.take(100)
    told.take(200)
    assert main(["alerts", "list"]) == 0
    assert capsys.readouterr().out == "no alert lasts\n"
    assert main(["alerts", "list", "--all"]) == 0
    assert capsys.readouterr().out.count("resolved") == 2


@pytest.mark.parametrize("note", ["x" * 201, "two\nlines"])
def test_a_note_is_one_short_line(told: Told, note: str) -> None:
    told.take(0, fault())
    assert main(["alerts", "ack", "1", "--note", note]) == 2
