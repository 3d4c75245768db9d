"""The recordings whose logs the monitor packs and exports."""

from pathlib import Path

from myquant.monitor.recordings import EVERY_S, Recordings
from myquant.session.recording_log import LOCK


def recording(folder: Path) -> Path:
    folder.mkdir()
    (folder / LOCK).touch()
    (folder / "log.jsonl").touch()
    return folder


def test_new_ones_are_found_after_ten_seconds(tmp_path: Path) -> None:
    now_s = [100.0]
    first = recording(tmp_path / "first")
    found = Recordings([tmp_path, tmp_path / "missing"], lambda: now_s[0])
    assert found.folders() == [first]
    second = recording(tmp_path / "second")
    now_s[0] += EVERY_S / 2
    assert found.folders() == [first]
    now_s[0] += EVERY_S / 2
    assert found.folders() == [first, second]
