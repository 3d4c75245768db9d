"""Exporting logs to a collector that is there, is not, fails, is slow, asks to wait, refuses, and answers nonsense."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from myquant.errors import ConfigError
from myquant.monitor import export
from myquant.monitor.export import LogExport, export_token
from myquant.monitor.otlp import request_of
from myquant.session.log import open_log
from myquant.session.log_files import Bounds, pack
from session.supervised import Lines

TIME_NS = 1_795_000_000_123_456_789
BOUNDS = Bounds(4000, 2**20, is_daily=False)
LIMIT_S = 30.0


def write(folder: Path, count: int, first: int = 0) -> None:
    folder.mkdir(exist_ok=True)
    clock = iter(range(TIME_NS + first, TIME_NS + first + count))
    log = open_log(folder, str, session="mon", clock=lambda: next(clock), bounds=BOUNDS, stderr=io.StringIO())
    for number in range(first, first + count):
        log.info("line", number=number)
    log.close()


@dataclass
class Sink:
    """A collector: `answers` are given one after the other, then all is taken."""

    answers: list[web.Response | Callable[[], Awaitable[web.Response]]] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.headers.append(request.headers)
        self.asked.append(body)
        if self.answers:
            answer = self.answers.pop(0)
            if not isinstance(answer, web.Response):
                answer = await answer()
            if answer.status != 200:
                return answer
        else:
            answer = web.json_response({})
        self.taken += numbers_of(body)
        return answer


def numbers_of(body: Any) -> list[int]:
    (resource,) = body["resourceLogs"]
    (scope,) = resource["scopeLogs"]
    return [
        int(each["value"]["intValue"])
        for record in scope["logRecords"]
        for each in record["attributes"]
        if each["key"] == "number"
    ]


@asynccontextmanager
async def collector(*answers: Any) -> AsyncIterator[Sink]:
    sink = Sink(list(answers))
    app = web.Application()
    app.router.add_post("/v1/logs", sink.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sink.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/logs"
    try:
        yield sink
    finally:
        await runner.cleanup()


class Run:
    """An export whose waits are noted and take no time."""

    def __init__(self, url: str, folder: Path, **options: Any) -> None:
        self.waits: list[float] = []
        self.log = Lines()
        place = folder.parent / "export.json"
        self.export = LogExport(
            url, lambda: [folder], place, self.log, sleep=self.sleep, wall_ns=lambda: TIME_NS, **options
        )

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0.01 if seconds == export.BATCH_S else 0)

    async def until(self, true: Callable[[], bool]) -> None:
        task = asyncio.create_task(self.export.run())
        try:
            async with asyncio.timeout(LIMIT_S):
                while not true():
                    assert not task.done(), task.exception()
                    await asyncio.sleep(0.005)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def events(self) -> list[str]:
        return [event for _, event, _ in self.log.lines]


def test_all_lines_are_sent_in_batches_and_what_comes_later_too(tmp_path: Path) -> None:
    async def play() -> None:
        write(tmp_path / "mon", 1200)
        pack(tmp_path / "mon")
        async with collector() as sink:
            run = Run(sink.url, tmp_path / "mon", token="abc")  # noqa: S106  (a made-up one)
            # It rests once it has noted on the disk how far it is: cut off before, it would send its last batch again.
            await run.until(lambda: run.export.counts.sent == 1200 and run.waits[-1:] == [export.BATCH_S])
            write(tmp_path / "mon", 100, 1200)
            again = Run(sink.url, tmp_path / "mon")
            await again.until(lambda: again.export.counts.sent == 100)
        assert sink.taken == list(range(1300))
        assert [len(numbers_of(body)) for body in sink.asked] == [512, 512, 176, 100]
        assert sink.headers[0]["Authorization"] == "Bearer abc"
        assert sink.headers[0]["Content-Type"] == "application/json"
        assert "Authorization" not in sink.headers[-1]
        counts = again.export.counts
        assert (counts.failed, counts.waiting, counts.waiting_bytes, counts.gaps, counts.is_up) == (0, 0, 0, 0, True)
        assert run.log.lines == []

    asyncio.run(play())


FAILS: list[tuple[list[Any], list[float]]] = [
    ([web.Response(status=500)] * 3, [1, 2, 4]),
    ([web.Response(status=503)] * 8, [1, 2, 4, 8, 16, 32, 60, 60]),
    ([web.Response(status=429, headers={"Retry-After": "7"})], [7]),
    ([web.Response(status=429, headers={"Retry-After": "100000"})], [300]),
    ([web.Response(status=429, headers={"Retry-After": "soon"})], [1]),
    ([web.Response(status=429, headers={"Retry-After": "Wed, 18 Nov 2026 11:07:20 GMT"})], [40]),
    ([web.Response(status=401)], [1]),
]


@pytest.mark.parametrize(("answers", "waits"), FAILS)
def test_a_collector_that_fails_is_asked_again_later_and_nothing_is_lost(
    tmp_path: Path, answers: list[Any], waits: list[float]
) -> None:
    async def play() -> None:
        write(tmp_path / "mon", 5)
        fresh = [web.Response(status=each.status, headers=each.headers) for each in answers]
        async with collector(*fresh) as sink:
            run = Run(sink.url, tmp_path / "mon")
            await run.until(lambda: run.export.counts.sent == 5)
        assert sink.taken == list(range(5))
        assert [round(wait) for wait in run.waits[: len(waits)]] == waits
        assert run.export.counts.attempts_failed == len(waits)
        assert run.export.counts.failed == 0
        assert run.events() == ["logs can't be exported: they wait on disk", "logs are exported again"]

    asyncio.run(play())


@pytest.mark.parametrize("status", [302, 400, 413])
def test_a_batch_that_is_refused_is_given_up_counted_and_told_once(tmp_path: Path, status: int) -> None:
    async def play() -> None:
        write(tmp_path / "mon", 1100)
        async with collector(web.Response(status=status), web.Response(status=status, text="bad lines")) as sink:
            run = Run(sink.url, tmp_path / "mon")
            await run.until(lambda: run.export.counts.sent == 76)
        assert sink.taken == list(range(1024, 1100))
        assert run.export.counts.failed == 1024
        (line,) = run.log.lines
        assert line[1] == "lines of logs are not exported: the collector refuses them"
        assert line[2]["lines"] == 512

    asyncio.run(play())


def test_lines_that_a_collector_rejects_among_others_are_counted(tmp_path: Path) -> None:
    async def play() -> None:
        write(tmp_path / "mon", 5)
        answer = web.json_response({"partialSuccess": {"rejectedLogRecords": "2", "errorMessage": "too old"}})
        async with collector(answer) as sink:
            run = Run(sink.url, tmp_path / "mon")
            await run.until(lambda: run.export.counts.sent == 3)
        assert run.export.counts.failed == 2
        assert run.log.of("error")

    asyncio.run(play())


@pytest.mark.parametrize("body", ["", "nonsense", "[]", '{"partialSuccess": 7}', "[" * 60_000])
def test_what_a_collector_says_of_success_may_be_anything(tmp_path: Path, body: str) -> None:
    async def play() -> None:
        write(tmp_path / "mon", 5)
        async with collector(web.Response(text=body)) as sink:
            run = Run(sink.url, tmp_path / "mon")
            await run.until(lambda: run.export.counts.sent == 5)
        assert (sink.taken, run.export.counts.failed) == (list(range(5)), 0)

    asyncio.run(play())


async def talk_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"\x00\x01 no HTTP at all\r\n\r\n")
    writer.close()


@pytest.mark.parametrize("answers", [True, False])
def test_a_collector_that_is_down_or_no_collector_comes_back(tmp_path: Path, answers: bool) -> None:
    async def play() -> None:
        write(tmp_path / "mon", 5)
        server = await asyncio.start_server(talk_nonsense, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        if not answers:
            server.close()
            await server.wait_closed()
        run = Run(f"http://127.0.0.1:{port}/v1/logs", tmp_path / "mon")
        await run.until(lambda: run.export.counts.attempts_failed >= 3)
        assert (run.export.counts.sent, run.export.counts.is_up) == (0, False)
        server.close()
        async with collector() as sink:
            again = Run(sink.url, tmp_path / "mon")
            await again.until(lambda: again.export.counts.sent == 5)
        assert sink.taken == list(range(5))
        assert run.events() == ["logs can't be exported: they wait on disk"]

    asyncio.run(play())


def test_a_slow_collector_is_given_up_for_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never() -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    async def play() -> None:
        write(tmp_path / "mon", 5)
        async with collector(never) as sink:
            run = Run(sink.url, tmp_path / "mon")
            await run.until(lambda: run.export.counts.sent == 5)
        assert sink.taken == list(range(5))
        assert run.export.counts.attempts_failed == 1

    monkeypatch.setattr(export, "ATTEMPT_S", 0.1)
    asyncio.run(play())


def test_a_restart_in_the_middle_of_a_batch_sends_it_again(tmp_path: Path) -> None:
    async def play() -> None:
        write(tmp_path / "mon", 600)
        async with collector(web.json_response({}), web.Response(status=500)) as sink:
            first = Run(sink.url, tmp_path / "mon")
            await first.until(lambda: first.export.counts.attempts_failed == 1)
            again = Run(sink.url, tmp_path / "mon")
            await again.until(lambda: again.export.counts.sent + first.export.counts.sent >= 600)
        assert sorted(set(sink.taken)) == list(range(600))
        assert len(sink.taken) <= 600 + 88

    asyncio.run(play())


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"a": 1}', '{"a": ["x", "y"]}'])
def test_a_damaged_place_sends_all_again_and_says_so(tmp_path: Path, content: str) -> None:
    async def play() -> None:
        write(tmp_path / "mon", 5)
        (tmp_path / "export.json").write_text(content)
        async with collector() as sink:
            run = Run(sink.url, tmp_path / "mon")
            await run.until(lambda: run.export.counts.sent == 5)
        assert run.events() == ["how far logs were exported can't be read: all is sent again"]

    asyncio.run(play())


def test_a_place_that_can_not_be_written_is_told_once(tmp_path: Path) -> None:
    async def play() -> None:
        write(tmp_path / "mon", 1100)
        (tmp_path / "export.json.new").mkdir()
        async with collector() as sink:
            run = Run(sink.url, tmp_path / "mon")
            await run.until(lambda: run.export.counts.sent == 1100)
        assert run.events() == ["the export of logs meets a file that it can't read or write"]

    asyncio.run(play())


def test_a_line_as_otlp_has_it() -> None:
    fields = {"symbol": "N", "order": 7, "price": 1.5, "up": True, "none": None, "list": [1, "a"], "map": {"k": 2**70}}
    head = {"time": "2026-11-23T03:51:07.120400300Z", "level": "warning", "event": "odd", "session": "mon"}
    lines = [json.dumps({**head, **fields, "exception": "Traceback"}).encode(), b"no json \xff"]
    (resource,) = json.loads(request_of("mon", lines, 5))["resourceLogs"]
    assert resource["resource"]["attributes"] == [
        {"key": "service.name", "value": {"stringValue": "myquant"}},
        {"key": "myquant.session", "value": {"stringValue": "mon"}},
    ]
    record, other = resource["scopeLogs"][0]["logRecords"]
    assert record["timeUnixNano"] == other["timeUnixNano"] == "1795405867120400300"
    assert (record["observedTimeUnixNano"], record["severityNumber"], record["severityText"]) == ("5", 13, "warning")
    assert record["body"] == {"stringValue": "odd"}
    assert {each["key"]: each["value"] for each in record["attributes"]} == {
        "symbol": {"stringValue": "N"},
        "order": {"intValue": "7"},
        "price": {"doubleValue": 1.5},
        "up": {"boolValue": True},
        "none": {"stringValue": ""},
        "list": {"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "a"}]}},
        "map": {"kvlistValue": {"values": [{"key": "k", "value": {"stringValue": str(2**70)}}]}},
        "exception.stacktrace": {"stringValue": "Traceback"},
    }
    assert other["body"] == {"stringValue": "no json \ufffd"}
    assert "severityNumber" not in other


class Ring:
    def __init__(self, value: str | None) -> None:
        self.value = value

    def why_not(self) -> str:
        return ""

    def get_password(self, service: str, name: str) -> str | None:
        assert (service, name) == ("myquant-logs", "EXPORT_TOKEN")
        return self.value


def test_the_token_is_a_secret_that_need_not_be_there() -> None:
    assert export_token({}, Ring(None)) is None
    assert export_token({"MYQUANT_LOGS_EXPORT_TOKEN": "a"}, Ring("b")) == "a"
    assert export_token({}, Ring("b")) == "b"
    with pytest.raises(ConfigError, match="white space"):
        export_token({"MYQUANT_LOGS_EXPORT_TOKEN": "a b"}, Ring(None))
