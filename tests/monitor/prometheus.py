"""A real Prometheus beside a test: on loopback, with its files in a folder of the test's, ended with it."""

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import pytest

READY_S: Final = 60.0
WAIT_S: Final = 60.0
PAUSE_S: Final = 0.1
SCRAPE: Final = "500ms"

Found = TypeVar("Found")


def tool(name: str) -> str:
    """Return where a program is; the test skips where there is none."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: apt install prometheus; systemd-analyze is part of systemd)")
    return found


def faster(configuration: str) -> str:
    """Return a configuration that scrapes and evaluates twice a second; all else in it stays."""
    changed, count = re.subn(r"_interval: 5s", f"_interval: {SCRAPE}", configuration)
    assert count == 2
    changed, count = re.subn(r"scrape_timeout: 4s", f"scrape_timeout: {SCRAPE}", changed)
    assert count == 1
    return changed


@dataclass
class Prometheus:
    """A Prometheus that is ready."""

    port: int
    process: subprocess.Popen[bytes]

    def get(self, path: str, **query: str) -> Any:
        """Return the data of an answer of its API; an error of it fails the test."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", f"/api/v1/{path}?{urlencode(query)}")
            answer = json.load(connection.getresponse())
        finally:
            connection.close()
        assert answer["status"] == "success", (path, query, answer)
        return answer["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an instant query: each with `metric` and `value`."""
        found: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return found

    def firing(self) -> dict[str, dict[str, str]]:
        """Return the labels of the alerts that fire, by their names."""
        alerts = self.get("alerts")["alerts"]
        return {alert["labels"]["alertname"]: alert["labels"] for alert in alerts if alert["state"] == "firing"}

    def rules(self) -> list[dict[str, Any]]:
        """Return every rule, as Prometheus understood it."""
        return [rule for group in self.get("rules")["groups"] for rule in group["rules"]]


def until(look: Callable[[], Found | None], what: str, limit_s: float = WAIT_S) -> Found:
    """Look again and again until there is something; fail after `limit_s`."""
    deadline = time.monotonic() + limit_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {limit_s} s: {what}"
        time.sleep(PAUSE_S)
    return found


@contextmanager
def prometheus(configuration: Path) -> Iterator[Prometheus]:
    """Run Prometheus with a configuration, its data beside it; skip where it is not installed."""
    program = tool("prometheus")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    words = [
        program,
        f"--config.file={configuration}",
        f"--storage.tsdb.path={configuration.parent / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--storage.tsdb.retention.time=1h",
    ]
    log = configuration.with_suffix(".log")
    with log.open("wb") as out:
        process = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT)
    try:
        until(lambda: _is_ready(port, process, log), "Prometheus is ready", READY_S)
        yield Prometheus(port, process)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()


def _is_ready(port: int, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/-/ready")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
