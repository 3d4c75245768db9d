import errno
from dataclasses import replace
from pathlib import Path

import pytest

from laws.driver import settings
from myquant.config.loading import LoadedConfig
from myquant.errors import ConfigError, DataError, MyquantError
from myquant.session import archive
from myquant.session.archive import SessionFacts
from myquant.strategies.loading import default_strategy, load_strategy

OWN = """
from typing import NamedTuple
from pydantic import BaseModel
from helper_of_mine import LEVEL

class State(NamedTuple):
    price: float = 0.0

def update(state, tick, params):
    return State(tick.price)

def entry(state, tick, context, params):
    return state.price > LEVEL
"""


def facts_of(loaded: LoadedConfig) -> SessionFacts:
    return SessionFacts(
        kind="paper",
        name="s",
        broker="angelone",
        symbols=("NIFTY07OCT2524900CE", "NIFTY07OCT2525000CE"),
        exchanges=("NFO", None),
        listed=((75, 5), (75, 5)),
        strategy="default",
        strategy_file=None,
        config_hash=loaded.hash,
        engine_hash=default_strategy().engine_hash,
        key=2**62,
        created="2025-10-03T03:00:00+00:00",
    )


@pytest.fixture
def loaded() -> LoadedConfig:
    return settings({})


@pytest.fixture
def folder(tmp_path: Path, loaded: LoadedConfig) -> Path:
    folder = tmp_path / "s"
    archive.create(folder, facts_of(loaded), loaded, default_strategy())
    return folder


def test_what_is_archived_comes_back(folder: Path, loaded: LoadedConfig) -> None:
    facts = archive.read(folder)
    assert facts == facts_of(loaded)
    strategy = archive.archived_strategy(folder, facts)
    assert archive.archived_config(folder, strategy).hash == loaded.hash
    engine = facts.engine(loaded, strategy)
    assert [name.symbol for name in engine.names] == list(facts.symbols)
    assert engine.listed == {0: (75, 5), 1: (75, 5)}
    assert (folder / archive.MARK).stat().st_mode & 0o777 == 0o600
    assert (folder / "market" / "calendar.toml").is_file()


def test_a_strategy_is_archived_with_what_it_imports(tmp_path: Path, loaded: LoadedConfig) -> None:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    (tmp_path / "helper_of_mine.py").write_text("LEVEL = 100.0\n", encoding="utf-8")
    strategy = load_strategy(tmp_path / "own.py")
    facts = replace(facts_of(loaded), strategy_file="own.py", engine_hash=strategy.engine_hash)
    folder = tmp_path / "s"
    archive.create(folder, facts, loaded, strategy)
    (tmp_path / "own.py").unlink()
    (tmp_path / "helper_of_mine.py").unlink()
    assert archive.archived_strategy(folder, facts).engine_hash == strategy.engine_hash


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"broker": "other"}, "a session of broker angelone is there, not other"),
        (
            {"symbols": ("NIFTY07OCT2524900CE",)},
            "a session of symbols NIFTY07OCT2524900CE, NIFTY07OCT2525000CE is there",
        ),
        ({"engine_hash": "f" * 20}, "a session of another engine is there"),
    ],
)
def test_another_session_is_not_gone_on_with(
    folder: Path, loaded: LoadedConfig, change: dict[str, object], said: str
) -> None:
    facts = archive.read(folder)
    archive.refuse_another(folder, facts, facts, loaded)
    with pytest.raises(ConfigError, match=said) as caught:
        archive.refuse_another(folder, facts, replace(facts, **change), loaded)  # type: ignore[arg-type]
    assert "choose another name with --session" in str(caught.value)


def test_another_configuration_is_named(folder: Path) -> None:
    other = settings({"risk.base_sl_points": 7})
    facts = archive.read(folder)
    with pytest.raises(ConfigError, match=r"risk.base_sl_points was 15.0, is 7"):
        archive.refuse_another(folder, facts, replace(facts, config_hash=other.hash), other)


def test_a_session_goes_on_with_other_addresses(folder: Path, loaded: LoadedConfig) -> None:
    other = settings({"angelone.public_ip": "10.0.0.9", "angelone.update_url": "wss://b.example"})
    first = archive.read(folder)
    archive.refuse_another(folder, first, replace(first, config_hash=other.hash), other)
    assert archive.moves(folder, first, other) == (
        "goes on with angelone.update_url = wss://b.example, before it was wss://tns.angelone.in/smart-order-update",
        "goes on with angelone.public_ip = 10.0.0.9, before it was 127.0.0.1",
    )
    archive.move(folder, other)
    facts = archive.read(folder)
    assert facts == replace(first, moved={"angelone.update_url": "wss://b.example", "angelone.public_ip": "10.0.0.9"})
    assert archive.moves(folder, facts, other) == ()
    assert archive.account_settings(folder)["angelone.public_ip"] == "10.0.0.9"
    assert archive.account_settings(folder)["angelone.product"] == "INTRADAY"
    assert archive.archived_config(folder, default_strategy()).hash == loaded.hash  # replays as it was made
    archive.move(folder, loaded)
    assert archive.read(folder) == first


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"angelone.public_ip": "10.0.0.9", "angelone.product": "CARRYFORWARD"},
            "there: angelone.product was INTRADAY",
        ),
        ({"angelone.rest_url": "http://127.0.0.1:80"}, "there: angelone.rest_url was https://apiconnect.angelone.in"),
    ],
)
def test_no_session_moves_to_another_product_or_from_the_broker_to_a_lab(
    folder: Path, change: dict[str, object], said: str
) -> None:
    other, facts = settings(change), archive.read(folder)
    with pytest.raises(ConfigError, match=said):
        archive.refuse_another(folder, facts, replace(facts, config_hash=other.hash), other)


def test_a_changed_archive_is_not_gone_on_with_at_other_addresses(folder: Path) -> None:
    path = folder / archive.CONFIG
    path.write_text(path.read_text(encoding="utf-8").replace("points = 15.0", "points = 16.0"), encoding="utf-8")
    other = settings({"angelone.public_ip": "10.0.0.9", "risk.base_sl_points": 16})
    facts = archive.read(folder)
    with pytest.raises(ConfigError, match=r"its config.toml is not as it was made"):
        archive.refuse_another(folder, facts, replace(facts, config_hash=other.hash), other)


def test_a_session_that_has_ended_stays_so(folder: Path, loaded: LoadedConfig) -> None:
    archive.end(folder, 0)
    with pytest.raises(ConfigError, match="this session has ended; choose another name"):
        archive.refuse_another(folder, archive.read(folder), archive.read(folder), loaded)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, loaded: LoadedConfig) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="is not empty and no folder of a session"):
        archive.create(tmp_path, facts_of(loaded), loaded, default_strategy())
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert [path.name for path in tmp_path.parent.iterdir() if path.name.startswith(f".{tmp_path.name}")] == []
    with pytest.raises(ConfigError, match=r"no session is there \(session.json is missing\)"):
        archive.read(tmp_path)


def test_what_could_not_be_made_whole_is_not_there(
    tmp_path: Path, loaded: LoadedConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archive, "_write_facts", full)
    with pytest.raises(MyquantError, match="No space left on device"):
        archive.create(tmp_path / "s", facts_of(loaded), loaded, default_strategy())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "symbols": 3}', '{"format": 1, "who": 1}']
)
def test_a_damaged_session_json_is_told(folder: Path, text: str) -> None:
    (folder / archive.MARK).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"session.json: "):
        archive.read(folder)


def test_a_changed_config_is_told(folder: Path) -> None:
    path = folder / archive.CONFIG
    path.write_text(
        path.read_text(encoding="utf-8").replace("base_sl_points = 15.0", "base_sl_points = 16.0"), encoding="utf-8"
    )
    with pytest.raises(DataError, match="not the configuration of this session any more"):
        archive.archived_config(folder, default_strategy())
