"""A recorder's log: what ends the recording is in it; and which folders are recordings."""

import io
import json
import os
from pathlib import Path

import pytest

from myquant.brokers.secrets import Redactor
from myquant.config.loading import load_config
from myquant.errors import BrokerError
from myquant.session.recording_log import LOCK, is_recording, recording_log, recordings_in

SECRET = "4711-secret"  # noqa: S105  (a test's)
NO_PROCESS = 2**22 + 1  # beyond the largest id that Linux gives


def test_what_ends_it_is_the_last_line_without_secrets(tmp_path: Path) -> None:
    stderr = io.StringIO()

    def record() -> None:
        with recording_log(tmp_path, load_config().config, Redactor((SECRET,)), stderr) as log:
            log.info("recording")
            raise BrokerError(f"refused: {SECRET}")

    with pytest.raises(BrokerError):
        record()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(line["level"], line["event"]) for line in lines] == [
        ("info", "recording"),
        ("error", "the recording has failed"),
    ]
    assert lines[1]["error"] == "refused: ***"
    assert {(line["process"], line["session"]) for line in lines} == {("recorder", tmp_path.name)}
    assert "error: the recording has failed error=refused: ***" in stderr.getvalue()


def recording(folder: Path, pid: int) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / LOCK).write_text(f"{pid:<10}\n")
    (folder / "log.jsonl").touch()
    return folder


def test_recordings_are_the_folder_itself_and_those_in_it(tmp_path: Path) -> None:
    second, first = recording(tmp_path / "b", os.getpid()), recording(tmp_path / "a", NO_PROCESS)
    recording(tmp_path / "of-an-earlier-version", os.getpid()).joinpath("log.jsonl").unlink()
    (tmp_path / "session").mkdir()
    (tmp_path / "session" / "log.jsonl").touch()
    assert recordings_in(tmp_path) == [first, second]
    assert recordings_in(first) == [first]
    assert recordings_in(tmp_path / "not-there") == []


@pytest.mark.parametrize(
    ("content", "runs"),
    [(str(os.getpid()), True), (str(NO_PROCESS), False), ("", False)],
    ids=["lives", "gone", "unknown"],
)
def test_one_runs_while_its_process_lives(content: str, runs: bool, tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text(content)
    assert is_recording(tmp_path) is runs
    assert not is_recording(tmp_path / "elsewhere")
