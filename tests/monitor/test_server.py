"""What the monitor answers, and whom."""

import asyncio
import gc
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.web import RequestHandler
from prometheus_client.parser import text_string_to_metric_families

from monitor.test_loop import Told, monitor_of
from monitor.watched import begun, put_session
from myquant.config.loading import load_config
from myquant.errors import ConfigError, MyquantError
from myquant.monitor import server as server_module
from myquant.monitor.loop import Monitor
from myquant.monitor.server import CONNECTIONS_MAX, MonitorServer, is_ours, is_wide, monitor_token

TOKEN = "0123456789abcdef-of-a-test"  # noqa: S105
KEY = {"Authorization": f"Bearer {TOKEN}"}
NOW = (10**18, 10**12)


class NoKeyring:
    def why_not(self) -> str:
        return ""

    def get_password(self, _service: str, _name: str) -> str | None:
        return None


class KeptToken(NoKeyring):
    def get_password(self, service: str, name: str) -> str | None:
        assert (service, name) == ("myquant-monitor", "token")
        return TOKEN


def serving(
    monitor: Monitor, use: Callable[[MonitorServer, ClientSession, str], Awaitable[Any]], *settings: str
) -> MonitorServer:
    """Start a server of a monitor, use it, and close it."""
    loaded = load_config(assignments=["monitor.port=0", *settings])

    async def run() -> MonitorServer:
        server = MonitorServer(monitor, loaded.config.monitor, TOKEN, lambda: NOW)
        await server.start()
        try:
            async with ClientSession() as client:
                await use(server, client, f"http://127.0.0.1:{server.port}")
        finally:
            await server.close()
        return server

    return asyncio.run(run())


@pytest.fixture
def monitor(tmp_path: Path) -> Monitor:
    journal = begun(put_session(tmp_path / "s"), 2**22 + 1, wall_ns=time.time_ns())
    journal.close()
    monitor = monitor_of(tmp_path, Told())
    asyncio.run(monitor.look())
    asyncio.run(monitor.look())
    monitor.close()
    return monitor


CASES = {
    ("/healthz", "none"): 200,
    ("/readyz", "none"): 200,
    ("/health", "none"): 401,
    ("/metrics", "none"): 401,
    ("/health", "wrong"): 401,
    ("/metrics", "wrong scheme"): 401,
    ("/health", "right"): 503,  # a session is dead
    ("/metrics", "right"): 200,
    ("/", "none"): 401,  # nobody learns what is here
    ("/", "right"): 404,
    ("/health/", "right"): 404,
    ("/healthz", "foreign"): 403,
    ("/metrics", "foreign"): 403,
}
HEADERS = {
    "none": {},
    "wrong": {"Authorization": "Bearer x"},
    "wrong scheme": {"Authorization": f"Basic {TOKEN}"},
    "right": KEY,
    "foreign": {**KEY, "Host": "evil.example:80"},
}


def test_who_may_ask_what(monitor: Monitor) -> None:
    async def use(_: MonitorServer, client: ClientSession, address: str) -> None:
        for (path, who), status in CASES.items():
            async with client.get(address + path, headers=HEADERS[who]) as answer:
                text = await answer.text()
                assert (path, who, answer.status) == (path, who, status)
                assert answer.headers["Cache-Control"] == "no-store"
                assert "Access-Control-Allow-Origin" not in answer.headers
                assert (status < 400 or path == "/health") or "NIFTY" not in text
        async with client.post(address + "/health", headers=KEY, data=b"x") as answer:
            assert answer.status == 405
        async with client.get(address + "/health", headers=KEY, data=b"x" * 10) as answer:
            assert answer.status == 413
        async with client.get(address + "/healthz", headers={"X-Long": "x" * 9000}) as answer:
            assert answer.status == 400

    server = serving(monitor, use)
    assert server.requests["other", 404] == 2
    assert server.requests["/metrics", 401] == 2


def test_probes_can_be_closed_too(monitor: Monitor) -> None:
    async def use(_: MonitorServer, client: ClientSession, address: str) -> None:
        for headers, status in (({}, 401), (KEY, 200)):
            async with client.get(address + "/healthz", headers=headers) as answer:
                assert answer.status == status

    serving(monitor, use, "monitor.open_probes=false")


def test_a_monitor_that_has_not_looked_or_is_late_is_not_ready(tmp_path: Path) -> None:
    monitor = monitor_of(tmp_path, Told())

    async def use(_: MonitorServer, client: ClientSession, address: str) -> None:
        found = []
        clock = [0]
        monitor._mono_ns = lambda: clock[0]
        for step in (monitor.look, None):
            async with client.get(address + "/readyz") as answer:
                found.append((answer.status, await answer.text()))
            if step is not None:
                await step()
        clock[0] += 60 * 10**9
        async with client.get(address + "/readyz") as answer:
            found.append((answer.status, await answer.text()))
        async with client.get(address + "/health", headers=KEY) as answer:
            assert (await answer.json())["verdict"] == "degraded"
        assert found == [(503, "not looked yet\n"), (200, "ok\n"), (503, "late\n")]

    serving(monitor, use)


def test_a_monitor_that_cannot_keep_what_it_tells_lives_and_is_not_ready(tmp_path: Path) -> None:
    monitor, why = monitor_of(tmp_path, Told()), ["its state folder is gone"]

    async def use(server: MonitorServer, client: ClientSession, address: str) -> None:
        await monitor.look()
        server._unready = lambda: why[0]
        found = []
        for path in ("/healthz", "/readyz"):
            async with client.get(address + path) as answer:
                found.append((answer.status, await answer.text()))
        why[0] = ""
        async with client.get(address + "/readyz") as answer:
            found.append((answer.status, await answer.text()))
        assert found == [(200, "ok\n"), (503, "its state folder is gone\n"), (200, "ok\n")]

    serving(monitor, use)


def test_health_says_all_of_a_session_and_why(monitor: Monitor) -> None:
    async def use(_: MonitorServer, client: ClientSession, address: str) -> None:
        async with client.get(address + "/health", headers=KEY) as answer:
            report = json.loads(await answer.text())
        assert report["verdict"] == "failed"
        assert report["reasons"] == ["s: its process 4194305 is gone without a word; it held nothing"]
        session = report["sessions"]["s"]
        assert (session["state"], session["verdict"], session["trades"]) == ("dead", "failed", 0)
        assert session["heartbeat_age_s"] is None
        assert session["findings"][0]["rule"] == "engine_dead"

    serving(monitor, use)


def test_metrics_are_parsed_whatever_is_accepted(monitor: Monitor) -> None:
    async def use(_: MonitorServer, client: ClientSession, address: str) -> None:
        for accepted in (
            "*/*",
            "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3",
            "text/html",
        ):
            async with client.get(address + "/metrics", headers={**KEY, "Accept": accepted}) as answer:
                assert answer.headers["Content-Type"].startswith("text/plain; version=")
                found = {each.name: each for each in text_string_to_metric_families(await answer.text())}
            assert found["myquant_session_info"].samples[0].value == 1
            assert found["myquant_findings"].samples[0].labels == {"rule": "engine_dead", "severity": "critical"}

    serving(monitor, use)


def test_connections_have_a_bound(monitor: Monitor) -> None:
    async def use(server: MonitorServer, client: ClientSession, address: str) -> None:
        idle = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(CONNECTIONS_MAX)]
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        assert await reader.read() == b""  # ended at once
        writer.close()
        for _, each in idle:
            each.close()
            await each.wait_closed()
        await asyncio.sleep(0)
        async with client.get(address + "/healthz") as answer:
            assert answer.status == 200

    serving(monitor, use)


def test_half_a_request_is_ended_after_a_while(monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "CONNECTION_S", 0.05)
    monkeypatch.setattr(server_module, "SWEEP_S", 0.01)

    async def use(server: MonitorServer, _: ClientSession, __: str) -> None:
        for said in (b"", b"GET /healthz HTTP/1.1\r\nHost: 127"):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(said)
            assert await asyncio.wait_for(reader.read(), 30) == b""
            writer.close()

    serving(monitor, use)


def test_connections_that_are_over_are_not_kept(monitor: Monitor) -> None:
    async def use(_server: MonitorServer, client: ClientSession, address: str) -> None:
        for _turn in range(20):
            async with client.get(address + "/healthz", headers={"Connection": "close"}) as answer:
                assert answer.status == 200
        gc.collect()
        assert sum(type(each) is RequestHandler for each in gc.get_objects()) <= CONNECTIONS_MAX // 8

    serving(monitor, use)


def test_what_is_no_request_is_in_no_log(
    monitor: Monitor, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def use(server: MonitorServer, _: ClientSession, __: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer mistyped\x00token\r\n\r\n")
        assert b" 400 " in await asyncio.wait_for(reader.read(), 30)
        writer.close()

    serving(monitor, use)
    assert "mistyped" not in "".join((*capfd.readouterr(), caplog.text))


def test_a_port_that_is_taken_is_named(monitor: Monitor) -> None:
    async def use(server: MonitorServer, _: ClientSession, __: str) -> None:
        settings = load_config(assignments=[f"monitor.port={server.port}"]).config.monitor
        second = MonitorServer(monitor, settings, TOKEN, lambda: NOW)
        with pytest.raises(MyquantError, match=r"can't listen there \(.*\): choose another port, or 0"):
            await second.start()

    serving(monitor, use)


def test_an_address_that_is_none_is_refused(monitor: Monitor) -> None:
    settings = load_config(assignments=["monitor.host=12"]).config.monitor
    with pytest.raises(ConfigError, match=r"monitor\.host = 12: must be an IP address"):
        asyncio.run(MonitorServer(monitor, settings, TOKEN, lambda: NOW).start())


@pytest.mark.parametrize(
    ("header", "host", "ours"),
    [
        ("127.0.0.1:9464", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("localhost:9464", "127.0.0.1", True),
        ("[::1]:9464", "::1", True),
        ("[::1]", "::1", True),
        ("192.168.1.7:9464", "192.168.1.7", True),
        ("192.168.1.7:9464", "0.0.0.0", True),  # noqa: S104
        ("192.168.1.8:9464", "192.168.1.7", False),
        ("evil.example:9464", "127.0.0.1", False),
        ("evil.example:9464", "0.0.0.0", False),  # noqa: S104
        ("127.0.0.1.evil.example", "127.0.0.1", False),
        ("", "127.0.0.1", False),
    ],
)
def test_a_host_header_must_be_an_address_of_ours(header: str, host: str, ours: bool) -> None:
    assert is_ours(header, host) == ours


def test_only_loopback_is_not_wide() -> None:
    assert [is_wide(host) for host in ("127.0.0.1", "::1", "0.0.0.0", "192.168.1.7")] == [False, False, True, True]  # noqa: S104


def test_a_token_is_made_unless_a_person_chose_one() -> None:
    made = {monitor_token({}, NoKeyring()) for _ in range(3)}
    assert len(made) == 3
    assert min(map(len, made)) >= 43
    assert monitor_token({"MYQUANT_MONITOR_TOKEN": TOKEN}, NoKeyring()) == TOKEN
    assert monitor_token({}, KeptToken()) == TOKEN
    with pytest.raises(ConfigError, match="too short to be safe") as refused:
        monitor_token({"MYQUANT_MONITOR_TOKEN": "short"}, NoKeyring())
    assert "short:" not in str(refused.value)
