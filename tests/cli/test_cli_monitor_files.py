"""`myquant monitor-files`: writes them, filled in for this machine, and says what to do with each."""

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from myquant.cli import failures, main
from myquant.monitor.shipped import FILES, SECRET_FILES


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MYQUANT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("MYQUANT_CACHE", str(tmp_path / "cache"))


def test_they_are_written_for_this_installation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["monitor-files", "out", "--set", "monitor.port=9999"]) == failures.DONE
    printed = capsys.readouterr().out
    assert [line for line in printed.splitlines() if line.startswith("out/")] == [
        f"out/{name}" for name in (*FILES, *SECRET_FILES)
    ]
    paragraphs = printed.split("\n\n", 1)[1]
    assert "promtool test rules out/myquant_rules_test.yml" in paragraphs
    unit = (tmp_path / "out" / "myquant-monitor.service").read_text()
    assert f'ExecStart="{sys.executable}" -m myquant monitor --directory "{tmp_path / "runs"}"' in unit
    assert '--set "monitor.port=9999"' in unit
    assert f'"MYQUANT_STATE={tmp_path / "state"}"' in unit
    assert f"WorkingDirectory={tmp_path}\n" in unit
    assert [name for name in ("runs", "state", "cache") if not (tmp_path / name).is_dir()] == []


def test_the_token_is_shown_nowhere_and_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["monitor-files", "out"]) == failures.DONE
    token = (tmp_path / "out" / "myquant_token").read_text()
    assert f"MYQUANT_MONITOR_TOKEN={token}\n" in (tmp_path / "out" / "monitor-secrets.env").read_text()
    assert main(["monitor-files", "out"]) == failures.BAD_USAGE
    assert "give --force" in capsys.readouterr().err
    assert main(["monitor-files", "out", "--force"]) == failures.DONE
    assert (tmp_path / "out" / "myquant_token").read_text() == token
    told = capsys.readouterr()
    assert token not in told.out + told.err
    modes = {name: stat.S_IMODE((tmp_path / "out" / name).stat().st_mode) for name in (*FILES, *SECRET_FILES)}
    assert {name for name, mode in modes.items() if not mode & 0o077} == set(SECRET_FILES)


def test_a_free_port_is_nothing_for_prometheus(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["monitor-files", "out", "--set", "monitor.port=0"]) == failures.DONE
    assert "note: monitor.port is 0" in capsys.readouterr().err


def test_what_is_printed_to_try_works(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: apt install prometheus)")
    assert main(["monitor-files", "out"]) == failures.DONE
    for words in (("check", "config", "out/prometheus.yml"), ("test", "rules", "out/myquant_rules_test.yml")):
        ended = subprocess.run(
            [promtool, *words], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_folder_that_can_not_be_made_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["monitor-files", "file/out"]) == failures.BAD_USAGE
    assert "choose another folder" in capsys.readouterr().err
