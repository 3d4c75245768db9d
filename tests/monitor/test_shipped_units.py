"""The systemd units: without a fault by systemd's own checker, and their commands speak to it."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.prometheus import tool
from monitor.shipped import TOKEN, installation, settings
from myquant.cli.app import app
from myquant.monitor.shipped import render

UNITS = ("myquant-monitor.service", "myquant-health.service", "myquant-health.timer", "myquant-session@.service")
READY_S = 60.0


def units(folder: Path) -> dict[str, str]:
    """Return the units of this very installation, run by whoever runs the tests."""
    here = installation(folder)._replace(python=Path(sys.executable), user="root")
    for path in (here.runs, here.state, here.cache):
        path.mkdir()
    return {name: text for name, text in render(settings(), here, TOKEN).items() if name in UNITS}


def values(unit: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit, re.MULTILINE)


def test_systemd_finds_no_fault_in_the_units(tmp_path: Path) -> None:
    checker = tool("systemd-analyze")
    for name, text in units(tmp_path).items():
        (tmp_path / name).write_text(text)
    paths = [str(tmp_path / name.replace("@", "@monday")) for name in UNITS]
    (tmp_path / "myquant-session@monday.service").symlink_to(tmp_path / "myquant-session@.service")
    ended = subprocess.run(
        [checker, "verify", "--man=no", "--recursive-errors=no", *paths],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("line", ["NoSuchKey=1", "RestartSec=soon", "ReadWritePaths=below"])
def test_systemd_would_find_one(tmp_path: Path, line: str) -> None:
    checker = tool("systemd-analyze")
    unit = units(tmp_path)["myquant-monitor.service"].replace("[Service]\n", f"[Service]\n{line}\n")
    (tmp_path / "myquant-monitor.service").write_text(unit)
    ended = subprocess.run(
        [checker, "verify", "--man=no", tmp_path / "myquant-monitor.service"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert set(line.split("=")) & set(re.findall(r"\w+", ended.stderr))


def test_a_session_is_not_begun_again_where_a_person_has_to_look(tmp_path: Path) -> None:
    """By exit code: 2 configuration, 3 data, 4 journal, 5 a broker that refuses, or a session that was fenced off."""
    unit = units(tmp_path)["myquant-session@.service"]
    assert values(unit, "Restart") == ["on-failure"]
    assert values(unit, "RestartPreventExitStatus") == ["2 3 4 5"]
    assert int(values(unit, "StartLimitBurst")[0]) <= 3
    assert int(values(unit, "TimeoutStopSec")[0]) > 30
    assert values(unit, "KillSignal") == ["SIGTERM"]


@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith(".service")])
def test_every_service_may_do_little(tmp_path: Path, name: str) -> None:
    unit = units(tmp_path)[name]
    for key, value in {
        "NoNewPrivileges": "true",
        "ProtectSystem": "strict",
        "CapabilityBoundingSet": "",
        "ReadWritePaths": " ".join(f'"{tmp_path / each}"' for each in ("runs", "state", "cache")),
        "UMask": "0077",
    }.items():
        assert values(unit, key) == [value]
    assert TOKEN not in unit
    files = values(unit, "EnvironmentFile")
    assert files
    assert all(file.startswith("/etc/myquant/") for file in files)


def test_the_monitor_of_the_unit_tells_systemd_that_it_is_ready_and_lives(tmp_path: Path) -> None:
    if "monitor" not in {
        command.name or command.callback.__name__ for command in app.registered_commands if command.callback
    }:
        pytest.skip("this version has no `myquant monitor` yet")
    unit = units(tmp_path)["myquant-monitor.service"]
    assert values(unit, "Type") == ["notify"]
    command = shlex.split(values(unit, "ExecStart")[0])
    environment = {
        **os.environ,
        "MYQUANT_MONITOR_TOKEN": TOKEN,
        "MYQUANT_STATE": str(tmp_path / "state"),
        "MYQUANT_MONITOR__PORT": "0",
        "NOTIFY_SOCKET": str(tmp_path / "notify"),
        "WATCHDOG_USEC": str(30_000_000),
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(READY_S)
        process = subprocess.Popen(command, env=environment, cwd=tmp_path)
        try:
            told = told_until(systemd, "WATCHDOG=1")
            assert "READY=1" in told
            process.send_signal(signal.SIGTERM)
            assert process.wait(READY_S) == 0
        finally:
            process.kill()
            process.wait()


def told_until(systemd: socket.socket, last: str) -> list[str]:
    """Return the lines that come up to one; a time-out fails the test."""
    told: list[str] = []
    while last not in told:
        told += systemd.recv(4096).decode().splitlines()
    return told
