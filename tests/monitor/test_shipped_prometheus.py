"""What is shipped for Prometheus, held against Prometheus itself: its checker, its rule tests, and a server that scrapes."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from monitor.exposition import Exposition
from monitor.prometheus import Prometheus, faster, prometheus, tool, until
from monitor.shipped import TOKEN, alert_rules, expressions, rules, written


@pytest.mark.parametrize(
    "words",
    [("check", "config", "prometheus.yml"), ("check", "rules", "myquant_rules.yml")],
    ids=lambda words: words[1],
)
def test_promtool_finds_no_fault(tmp_path: Path, words: tuple[str, ...]) -> None:
    ended = subprocess.run(
        [tool("promtool"), *words], cwd=written(tmp_path), capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "SUCCESS" in ended.stdout


@pytest.mark.parametrize(
    "changes", [{}, {"silence_s": "1.5", "rejects": 9, "queue_percent": "12.5", "unknown_s": 3600, "disk_free_mib": 1}]
)
def test_every_rule_does_what_its_tests_say(tmp_path: Path, changes: dict[str, str | int]) -> None:
    """The thresholds are settings; the tests hold for any of them."""
    ended = rule_tests(written(tmp_path, **changes))
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_rule_tests_notice_each_alert_that_does_not_come(tmp_path: Path) -> None:
    path = written(tmp_path) / "myquant_rules.yml"
    names = [rule["alert"] for rule in alert_rules(path.read_text())]
    path.write_text(re.sub(r"(alert: \w+)\n", r"\1Not\n", path.read_text()))
    ended = rule_tests(tmp_path)
    assert ended.returncode != 0
    assert sorted(set(re.findall(r"alertname: ?(\w+)", ended.stdout + ended.stderr))) == sorted(names)


def rule_tests(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [tool("promtool"), "test", "rules", "myquant_rules_test.yml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


@contextmanager
def served(exposition: Exposition) -> Iterator[int]:
    """Serve an exposition to whoever shows the token; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_known = self.headers["Authorization"] == f"Bearer {TOKEN}" and self.path == "/metrics"
            body = exposition.text() if is_known else b""
            self.send_response(200 if is_known else 401)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def scraping(folder: Path, port: int) -> Iterator[Prometheus]:
    """Run Prometheus with the shipped files, more often than they say."""
    path = written(folder, port=port) / "prometheus.yml"
    path.write_text(faster(path.read_text()))
    with prometheus(path) as running:
        until(lambda: running.query('up{job="myquant"} == 1'), "a scrape")
        yield running


def test_prometheus_raises_and_resolves_what_the_rules_say(tmp_path: Path) -> None:
    exposition = Exposition()
    exposition.changed["myquant_position_quantity"] = 0
    with served(exposition) as port, scraping(tmp_path, port) as running:
        text = (tmp_path / "myquant_rules.yml").read_text()
        wanted = sorted(rule.get("alert") or rule["record"] for rule in rules(text))
        assert sorted(rule["name"] for rule in running.rules()) == wanted
        until(lambda: running.query("session:myquant_ticks:rate_1m > 0"), "a rate of ticks")
        assert "MyquantEngineDown" not in running.firing()

        exposition.changed["myquant_session_up"] = 0
        dead = until(lambda: running.firing().get("MyquantEngineDown"), "the alert of the dead engine")
        assert (dead["session"], dead["severity"]) == ("s", "critical")
        assert "MyquantEngineDownInPosition" not in running.firing()

        exposition.changed["myquant_position_quantity"] = 75
        until(lambda: running.firing().get("MyquantEngineDownInPosition"), "the loudest alert")

        exposition.changed = {"myquant_session_up": 1, "myquant_halted": 1}
        until(lambda: "MyquantEngineDown" not in running.firing(), "its end")
        assert until(lambda: running.firing().get("MyquantHalted"), "the halt")["reason"] == "journal"
        assert {rule["health"] for rule in running.rules()} == {"ok"}


def test_prometheus_tells_when_the_monitor_is_gone(tmp_path: Path) -> None:
    with ExitStack() as beside, ExitStack() as monitor:
        port = monitor.enter_context(served(Exposition()))
        running = beside.enter_context(scraping(tmp_path, port))
        assert "MyquantMonitorDown" not in running.firing()
        monitor.close()
        down = until(lambda: running.firing().get("MyquantMonitorDown"), "the alert of the monitor")
        assert down["severity"] == "critical"


def test_every_panel_of_the_dashboard_shows_something(tmp_path: Path) -> None:
    exposition = Exposition()
    exposition.changed["myquant_halted"] = 1
    with served(exposition) as port, scraping(tmp_path, port) as running:
        until(lambda: "MyquantHalted" in running.firing() and exposition.scrapes > 5, "an alert")
        named = expressions((tmp_path / "grafana_dashboard.json").read_text())
        assert len(named) > 70
        found = {each: running.query(filled(each)) for each in named}
        assert [each for each, series in found.items() if not series and not each.startswith("changes(")] == []


def filled(expression: str) -> str:
    """Return a panel's query as Grafana asks it: all sessions, an interval of a few scrapes."""
    for name, value in {"$session": ".*", "$__rate_interval": "5s", "$__interval": "5s"}.items():
        expression = expression.replace(name, value)
    return expression
