"""A file that changes while a session runs is told, once, and nothing else happens."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from myquant.config.loading import load_config
from myquant.session.config_watch import ConfigWatch, files_of, watch_of
from myquant.strategies.loading import default_strategy, load_strategy

OWN = """
from typing import NamedTuple
from pydantic import BaseModel

class State(NamedTuple):
    price: float = 0.0

def update(state, tick, params):
    return State(tick.price)

def entry(state, tick, context, params):
    return state.price > 100.0
"""


@dataclass
class Lines:
    """A log that keeps what it is told."""

    told: list[dict[str, Any]] = field(default_factory=list)

    def warning(self, event: str, **fields: Any) -> None:
        assert "noticed and ignored" in event
        self.told.append(fields)

    def info(self, event: str, **fields: Any) -> None:
        raise AssertionError((event, fields))

    error = info


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text("[risk]\nbase_sl_points = 20\n")
    return path


def test_each_change_is_told_once(file: Path) -> None:
    log = Lines()
    watch = ConfigWatch([file], log)
    for _ in range(3):
        watch.look()
    assert log.told == []
    file.write_text("[risk]\nbase_sl_points = 25\n")
    for _ in range(3):
        watch.look()
    assert [fields["file"] for fields in log.told] == [str(file)]
    file.write_text("[risk]\nbase_sl_points = 20\n")
    watch.look()
    assert len(log.told) == 2
    assert log.told[0]["was"] == log.told[1]["now"] != log.told[0]["now"]


def test_a_file_that_was_only_touched_is_not_told(file: Path) -> None:
    log = Lines()
    watch = ConfigWatch([file], log)
    os.utime(file, ns=(1, 1))
    watch.look()
    file.write_bytes(file.read_bytes())
    watch.look()
    assert log.told == []


def test_a_change_that_keeps_size_and_time_is_told(file: Path) -> None:
    log = Lines()
    watch = ConfigWatch([file], log)
    status = file.stat()
    file.write_text(file.read_text().replace("20", "30"))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    watch.look()
    assert len(log.told) == 1


def test_a_file_that_goes_away_and_comes_back_is_told(file: Path) -> None:
    log = Lines()
    watch = ConfigWatch([file], log)
    content = file.read_bytes()
    file.unlink()
    for _ in range(3):
        watch.look()
    assert [fields["now"] for fields in log.told] == ["gone"]
    file.write_bytes(content)
    watch.look()
    assert [fields["was"] for fields in log.told[1:]] == ["gone"]


def test_a_file_that_cannot_be_read_is_told_and_raises_nothing(file: Path) -> None:
    log = Lines()
    watch = ConfigWatch([file], log)
    file.unlink()
    file.mkdir()
    watch.look()
    watch.look()
    assert [fields["now"] for fields in log.told] == ["unreadable"]


def test_the_look_at_an_unchanged_file_does_not_read_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = ConfigWatch([file], Lines())

    def refused(*_: Any) -> Any:
        raise AssertionError("was opened")

    monkeypatch.setattr(Path, "open", refused)
    watch.look()


def test_the_files_are_those_that_gave_a_value(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "default").write_text("")
    (tmp_path / "own.py").write_text(OWN)
    loaded = load_config(
        files=[file],
        values={"risk": {"max_rejects": 2}},
        environment={"MYQUANT_RISK__STOP_LOSS_MODE": "percent"},
        assignments=["feed.stall_s=2"],
    )
    assert files_of(loaded, default_strategy()) == [file]
    assert files_of(load_config(), default_strategy()) == []
    own = load_strategy(tmp_path / "own.py")
    assert files_of(loaded, own) == [file, tmp_path / "own.py"]


def test_a_strategy_that_changed_since_it_was_loaded_is_told(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    strategy = load_strategy(tmp_path / "own.py")
    log = Lines()
    watch_of(load_config(), strategy, log).look()
    assert log.told == []
    (tmp_path / "own.py").write_text(OWN.replace("100.0", "101.0"))
    watch_of(load_config(), strategy, log).look()
    assert [fields["file"] for fields in log.told] == [str(tmp_path / "own.py")]
