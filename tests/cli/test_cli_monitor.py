"""`myquant monitor` and `myquant health`: what they print, their codes, and how a monitor ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cli.ended import Run
from monitor.watched import begun, note, put_session
from myquant.journal import record
from myquant.journal.record import NOTE
from myquant.monitor.folder import monitor_folder
from myquant.monitor.state import read_card

WAIT_S = 60.0


@pytest.fixture(autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MYQUANT_STATE", str(tmp_path_factory.mktemp("state")))
    return monitor_folder()


def put_dead(name: str) -> None:
    begun(put_session(Path("runs") / name), 2**22 + 1, wall_ns=time.time_ns()).close()


def put_left(name: str) -> None:
    journal = begun(put_session(Path("runs") / name), 2**22 + 1)
    journal.append(NOTE, note(record.STOPPED, 0))
    journal.close()


def test_one_look_has_the_code_of_its_verdict(run: Run) -> None:
    ended = run("monitor", "--once")
    assert (ended.code, ended.out) == (0, "ok\n")
    assert ended.err == "note: runs: no such folder of runs yet: nothing is watched there until it comes\n"
    put_left("left")
    ended = run("monitor", "--once")
    assert (ended.code, ended.out, ended.err) == (0, "ok\nleft: ok, left\n", "")
    put_dead("dead")
    ended = run("monitor", "--once")
    assert ended.code == 7
    assert ended.out.splitlines()[:2] == [
        "failed",
        "  dead: its process 4194305 is gone without a word; it held nothing",
    ]


def test_health_without_a_monitor_says_so_and_looks_by_itself(run: Run) -> None:
    ended = run("health")
    assert ended.code == 6
    assert ended.out.splitlines()[0] == "degraded"
    assert "no monitor runs" in ended.out
    put_dead("dead")
    ended = run("health", "--json")
    report = json.loads(ended.out)
    assert (ended.code, report["verdict"], report["monitor"]) == (7, "failed", None)
    assert report["sessions"]["dead"]["state"] == "dead"


def test_folders_can_be_named(run: Run) -> None:
    put_dead("dead")
    Path("elsewhere").mkdir()
    assert run("monitor", "--once", "--directory", "elsewhere").code == 0
    assert run("monitor", "--once", "--directory", "elsewhere", "--directory", "runs").code == 7


def test_a_monitor_is_asked_is_alone_and_ends_in_order(run: Run, state: Path) -> None:
    put_left("left")
    process = subprocess.Popen(
        [sys.executable, "-m", "myquant", "monitor", "--port", "0", "--no-dashboard"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    try:
        end = time.monotonic() + WAIT_S
        while read_card(state) is None and time.monotonic() < end:
            time.sleep(0.05)
        while not (ended := run("health", "--json")).out.startswith("{") or "left" not in ended.out:
            assert time.monotonic() < end
        report = json.loads(ended.out)
        assert (ended.code, report["verdict"], report["monitor"]["pid"]) == (6, "degraded", process.pid)
        assert [each.partition(",")[0] for each in report["reasons"]] == ["no alert channel is set"]
        second = run("monitor", "--port", "0")
        assert second.code == 1
        assert f"a monitor runs here already (process {process.pid})" in second.err
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0
    assert "watching" in said
    assert "left looks=" in said
    assert read_card(state) is None
    first = (state / "log.jsonl").read_text().splitlines()[0]
    assert json.loads(first)["event"] == "watching"
    assert run("health").code == 6


@pytest.mark.parametrize(
    ("words", "pages"),
    [
        (("--directory", "runs"), ["dashboard", "--no-link", "--directory", "runs"]),
        (
            ("--directory", "a", "--directory", "b", "--set", "dashboard.port=0", "--config", "mine.toml"),
            [
                "dashboard",
                "--no-link",
                "--directory",
                "a",
                "--directory",
                "b",
                "--config",
                "mine.toml",
                "--set",
                "dashboard.port=0",
            ],
        ),
        (("--no-dashboard",), None),
        (("--set", "dashboard.enabled=false"), None),
    ],
)
def test_the_pages_have_the_folders_and_settings_of_the_monitor(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], pages: list[str] | None
) -> None:
    begun_with: list[Any] = []
    monkeypatch.setattr("myquant.monitor.service.run_monitor", lambda *given: begun_with.append(given[-1]))
    Path("mine.toml").write_text("")
    assert run("monitor", *words).code == 0
    assert begun_with == [[] if pages is None else [sys.executable, "-m", "myquant", *pages]]


def test_channels_without_any_address_end_it_with_code_2(run: Run) -> None:
    ended = run("monitor", "--port", "0", "--set", 'alerts.critical=["nowhere"]')
    assert ended.code == 2
    assert "MYQUANT_ALERT_NOWHERE" in ended.err
