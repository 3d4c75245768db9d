"""Law: the hash of a password stands in the file or the variable that it was given in, and in no file that is written."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.day import write_day
from dashboard.doors import HASH, VIEWERS_HASH
from evidence.baselines import make_breakdown, make_facts
from myquant.api import backtest
from myquant.cli import main
from myquant.config.audit import ConfigAudit, Use
from myquant.config.loading import LoadedConfig, load_config
from myquant.config.watching import HIDDEN
from myquant.errors import ConfigError
from myquant.evidence.build import build_report
from myquant.evidence.plan import BaselineResult
from myquant.evidence.write import write_baseline
from myquant.monitor.shipped import SECRET_FILES
from myquant.session import archive
from myquant.strategies.loading import default_strategy
from session.test_archive import facts_of

HASHES = dict(zip(HIDDEN, (HASH, VIEWERS_HASH), strict=True))
PARTS = [part.encode() for each in HASHES.values() for part in each.split("$")[-2:]]  # salt and sum
ASSIGNMENTS = [f"{name}={value}" for name, value in HASHES.items()]
OPTIONS = [word for each in ASSIGNMENTS for word in ("--set", each)]


@pytest.fixture
def planted() -> LoadedConfig:
    return load_config(assignments=ASSIGNMENTS)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in HIDDEN:
        monkeypatch.delenv(f"MYQUANT_{name.replace('.', '__').upper()}", raising=False)


def leaks(folder: Path) -> list[str]:
    """Return the files that have any of it; there must be some file to look at."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path.name for path in files if any(part in path.read_bytes() for part in PARTS)]


def test_a_session_a_run_a_trail_and_a_baseline_have_none(tmp_path: Path, planted: LoadedConfig) -> None:
    archive.create(tmp_path / "s", facts_of(planted), planted, default_strategy())
    backtest(write_day(tmp_path / "day.csv", rows=500), config=planted, out=tmp_path / "run")
    ConfigAudit(tmp_path).record(Use("asha@desk", "a command", "s", "e" * 64), load_config(), datetime.now(UTC))
    line = ConfigAudit(tmp_path).record(Use("asha@desk", "a command", "s", "e" * 64), planted, datetime.now(UTC))
    breakdown = make_breakdown({"logging": 60.0})
    write_baseline(
        BaselineResult(build_report(breakdown, make_facts(planted)), breakdown), planted, tmp_path / "baseline"
    )
    assert leaks(tmp_path) == []
    assert line["changed"] == [f'{name} = "" -> (set)' for name in HIDDEN]
    assert archive.config_of(tmp_path / "s", planted).hash == planted.hash


def test_units_have_none_and_the_file_of_secrets_has_both(tmp_path: Path) -> None:
    assert main(["monitor-files", str(tmp_path / "files"), *OPTIONS]) == 0
    assert leaks(tmp_path / "files") == ["monitor-secrets.env"]
    assert "monitor-secrets.env" in SECRET_FILES
    lines = (tmp_path / "files" / "monitor-secrets.env").read_text().splitlines()
    assert f"MYQUANT_DASHBOARD__PASSWORD_HASH='{HASH}'" in lines
    assert f"MYQUANT_DASHBOARD__VIEWER_PASSWORD_HASH='{VIEWERS_HASH}'" in lines


def test_what_is_printed_has_none_and_loads_back(
    tmp_path: Path, planted: LoadedConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(
        "[dashboard]\n" + "".join(f'{name.partition(".")[2]} = "{value}"\n' for name, value in HASHES.items())
    )
    calls = (["show", *OPTIONS], ["show", "--toml", *OPTIONS], ["check", str(mine)], ["diff", "defaults", str(mine)])
    shown = []
    for call in calls:
        assert main(["config", *call]) == 0
        shown.append(capsys.readouterr().out)
    assert not any(part.decode() in text for text in shown for part in PARTS)
    for text in (shown[0], *shown[2:]):
        assert all(name in text for name in HIDDEN)
        assert text.count("(set)") == len(HIDDEN)
    (tmp_path / "again.toml").write_text(shown[0])
    assert load_config(files=[tmp_path / "again.toml"]).hash == planted.hash


def test_a_password_where_its_hash_belongs_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as found:
        load_config(assignments=["dashboard.password_hash=hunter2"])
    assert "dashboard.password_hash = (not shown) (--set): must be a hash" in str(found.value)
    assert "hunter2" not in str(found.value)
