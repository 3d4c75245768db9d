"""The systemd units: without a fault by systemd's own checker, and their commands speak to it."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from monitor.at_work import READY_S, SYMBOL, lab, needs, plain, running
from monitor.prometheus import tool
from monitor.shipped import TOKEN, installation, settings
from myquant.cli import main
from myquant.monitor.shipped import render

UNITS = ("myquant-monitor.service", "myquant-health.service", "myquant-health.timer", "myquant-session@.service")


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


class Told:
    """What a service manager is told, a line at a time."""

    def __init__(self, systemd: socket.socket) -> None:
        self._systemd = systemd
        self.lines: list[str] = []

    def until(self, line: str, after: str) -> None:
        """Wait for a line; fail unless another one came before."""
        while line not in self.lines:
            self.lines += self._systemd.recv(4096).decode().splitlines()
        assert after in self.lines[: self.lines.index(line) + 1]


@contextmanager
def told_by(
    words: list[str], folder: Path, environ: Mapping[str, str]
) -> Iterator[tuple[Told, subprocess.Popen[bytes]]]:
    """Run a command as a service manager does that wants to be told."""
    address = str(folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address)
        systemd.settimeout(READY_S)
        notified = {**environ, "NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000"}
        with running(words, folder, notified) as process:
            yield Told(systemd), process


def command_of(unit: str, **variables: str) -> list[str]:
    """Return the words of a unit's command, as systemd makes them."""
    (line,) = values(unit, "ExecStart")
    for name, value in variables.items():
        line = line.replace(name, value)
    return shlex.split(line.replace("%i", "monday"))


@pytest.mark.parametrize("name", ["monitor", "health"])
def test_the_command_of_a_unit_is_understood(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    needs(name)
    words = command_of(units(tmp_path)[f"myquant-{name}.service"])
    assert words[:4] == [sys.executable, "-m", "myquant", name]
    assert main([*words[3:], "--set", "monitor.look_s=1", "--help"]) == 0, capsys.readouterr().err


def test_the_monitor_of_the_unit_tells_systemd_that_it_is_ready_and_lives(tmp_path: Path) -> None:
    needs("monitor")
    unit = units(tmp_path)["myquant-monitor.service"]
    assert values(unit, "Type") == ["notify"]
    own = {"MYQUANT_MONITOR_TOKEN": TOKEN, "MYQUANT_STATE": str(tmp_path / "state"), "MYQUANT_MONITOR__PORT": "0"}
    with told_by(command_of(unit), tmp_path, {**plain(), **own}) as (told, process):
        told.until("WATCHDOG=1", after="READY=1")
        process.send_signal(signal.SIGTERM)
        assert process.wait(READY_S) == 0


def test_the_session_of_the_unit_tells_systemd_that_it_is_ready_and_lives(tmp_path: Path) -> None:
    pytest.importorskip("myquant.session.notify", reason="sessions of this version do not notify yet")
    unit = units(tmp_path)["myquant-session@.service"]
    assert values(unit, "Type") == ["notify"]
    words = command_of(unit, **{"$MYQUANT_COMMAND": f"paper --broker angelone {SYMBOL}"})
    with lab(tmp_path) as at_lab, told_by(words, tmp_path, at_lab) as (told, process):
        told.until("WATCHDOG=1", after="READY=1")
        process.send_signal(signal.SIGTERM)
        assert process.wait(READY_S) == 0
        told.until("STOPPING=1", after="WATCHDOG=1")
