"""`myquant status`, `halt`, `resume`, `flatten`, `stop`: against a session that listens in this process."""

import asyncio
import copy
import io
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli.ended import Run
from myquant.cli.status_print import print_status
from myquant.errors import MyquantError
from myquant.session.operator import OperatorServer
from myquant.session.status import PositionStatus, SessionStatus

LIMIT_S = 10.0
TIME_NS = 1_759_463_467_120_400_300  # 2025-10-03 09:21:07.120400300 in India

HELD: PositionStatus = {
    "quantity": 75,
    "entry_price_paise": 29_005,
    "opened_ns": TIME_NS,
    "stop_paise": 27_505,
    "trailing_stop_paise": None,
    "target_paise": 29_505,
    "open_pnl_paise": 37_500,
}
STATUS: SessionStatus = {
    "session": "20251003-nifty",
    "kind": "paper",
    "pid": 4711,
    "time_zone": "Asia/Kolkata",
    "wall_now_ns": TIME_NS + 86_400 * 10**9,
    "exchange_now_ns": TIME_NS,
    "started_ns": TIME_NS - 700 * 10**9,
    "feed": {"healthy": False, "since_ns": TIME_NS, "reason": "connection 1 silent for 4 s"},
    "entries": {"allowed": False, "reason": "the feed is stale", "broker_funds_paise": None},
    "halt": None,
    "day_pnl_paise": -1_234_567,
    "instruments": [
        {
            "symbol": "NIFTY07OCT2524900CE",
            "ticks": 12_345,
            "last_tick_ns": TIME_NS,
            "last_price_paise": 29_505,
            "position": HELD,
            "order": None,
            "stop_order": "sell 75 at 85.05, working",
        },
        {
            "symbol": "BANKNIFTY28OCT2554900PE",
            "ticks": 0,
            "last_tick_ns": None,
            "last_price_paise": None,
            "position": None,
            "order": None,
            "stop_order": None,
        },
    ],
    "orders": {"sent": 3, "working": 1, "rejected": 0, "not_sent": 0, "unknown": 0},
    "journal": {"records": 123_456, "used_bytes": 23_703_552, "free_bytes": 5_000_000_000},
    "errors": 2,
    "last_error": {"time_ns": TIME_NS, "text": "connection 1: reset by peer"},
}

asked: list[tuple[str, str]] = []


def ask(request: str, reason: str, _who: str) -> Mapping[str, Any]:
    asked.append((request, reason))
    if request == "resume":
        raise MyquantError("an order is of unknown state")
    return STATUS if request == "status" else {"message": f"{request} done"}


@contextmanager
def serving(folder: Path) -> Iterator[None]:
    """Let a session listen in a folder, on a loop in another thread."""
    folder.mkdir(parents=True, exist_ok=True)
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def run() -> None:
        server = OperatorServer(folder, ask)
        await server.start()
        over = asyncio.Event()
        started.set_result((asyncio.get_running_loop(), over))
        await over.wait()
        await server.close()

    thread = threading.Thread(target=asyncio.run, args=(asyncio.wait_for(run(), LIMIT_S),))
    thread.start()
    loop, over = started.result(LIMIT_S)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(LIMIT_S)
        assert not thread.is_alive()


@pytest.fixture(autouse=True)
def _nothing_asked() -> None:
    asked.clear()


@pytest.fixture
def session() -> Iterator[Path]:
    folder = Path("runs/20251003-nifty")
    with serving(folder):
        yield folder


@pytest.mark.usefixtures("session")
def test_the_status_for_people(run: Run) -> None:
    ended = run("status")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[:10] == [
        "20251003-nifty (paper)",
        "  Clocks      here 2025-10-04 09:21:07 IST, exchange 2025-10-03 09:21:07 IST",
        "  Running     since 2025-10-03 09:09:27 IST (here), process 4711",
        "  Feed        stale since 09:21:07 IST (here): connection 1 silent for 4 s",
        "  Entries     not allowed: the feed is stale",
        "  Day P&L     -12,345.67",
        "  Orders      3 sent, 1 working, 0 rejected, 0 unknown",
        "  Journal     123,456 records, 23.7 MB; 5,000.0 MB free on its disk",
        "  Errors      2 since this process began, the last at 09:21:07 IST (here): connection 1: reset by peer",
        "",
    ]
    assert [" ".join(line.split()) for line in ended.out.splitlines()[10:]] == [
        "Instrument Ticks Last tick (exchange) Price Position Entry Stop Trailing Target Open P&L Order",
        "NIFTY07OCT2524900CE 12,345 09:21:07 IST 295.05 75 290.05 275.05 - 295.05 375.00 sell 75 at 85.05, working",
        "BANKNIFTY28OCT2554900PE 0 - - flat",
    ]


def test_the_status_tells_apart_what_was_not_sent_and_what_limits_entries(capsys: pytest.CaptureFixture[str]) -> None:
    status = copy.deepcopy(STATUS)
    status["orders"] |= {"rejected": 1, "not_sent": 4}
    status["entries"] = {"allowed": True, "reason": "", "broker_funds_paise": 500_000}
    status["exchange_now_ns"] = status["last_error"] = None
    status["errors"] = 0
    print_status(status)
    lines = capsys.readouterr().out.splitlines()
    assert "  Orders      3 sent, 1 working, 1 rejected, 4 not sent (held back here), 0 unknown" in lines
    assert "  Entries     allowed; the broker's funds limit them to 5,000.00" in lines
    assert "  Clocks      here 2025-10-04 09:21:07 IST, exchange not told yet" in lines
    assert "  Errors      none since this process began" in lines
    halt: Any = {"reason": "margin", "text": "no funds", "remedy": "see to them", "since_ns": TIME_NS}
    status["halt"] = halt
    print_status(status)
    halt["since_ns"] = None
    print_status(status)
    lines = capsys.readouterr().out.splitlines()
    assert "  Halted      since 09:21:07 IST (here): no funds. What to do: see to them" in lines
    assert "  Halted      since before this process began: no funds. What to do: see to them" in lines


@pytest.mark.usefixtures("session")
def test_the_status_as_json(run: Run) -> None:
    assert json.loads(run("status", "--json").out) == STATUS


@pytest.mark.parametrize("name", ["20251003-nifty", "runs/20251003-nifty"])
@pytest.mark.parametrize("command", ["halt", "stop", "flatten"])
@pytest.mark.usefixtures("session")
def test_a_request_with_its_reason(run: Run, name: str, command: str) -> None:
    ended = run(command, name, "--reason", "news at ten", *(["--yes"] if command == "flatten" else []))
    assert ended == (0, f"20251003-nifty: {command} done\n", "")
    assert asked == [(command, "news at ten")]


@pytest.mark.usefixtures("session")
def test_what_the_session_refuses(run: Run) -> None:
    ended = run("resume")
    assert (ended.code, ended.errors) == (1, ["runs/20251003-nifty: refused: an order is of unknown state"])


def test_without_a_name_it_is_the_only_one_that_runs(run: Run, session: Path) -> None:
    (session.parent / "ended").mkdir()
    assert run("halt").out == "20251003-nifty: halt done\n"
    with serving(session.parent / "another"):
        ended = run("halt")
    assert (ended.code, ended.errors) == (1, ["name one of the sessions: running in runs: 20251003-nifty, another"])
    assert run("halt", "nothing").errors == ["nothing: no such session; running in runs: 20251003-nifty"]


def test_nothing_runs(run: Run) -> None:
    assert run("status").errors == ["no session runs in runs: name the folder of one"]
    Path("runs/old").mkdir(parents=True)
    Path("runs/old/log.jsonl").touch()
    ended = run("stop", "old")
    assert ended.code == 1
    assert ended.errors[0].startswith("runs/old: no session runs here; it was last written to at ")
    assert run("stop", "old", "--directory", "elsewhere").errors == [
        "old: no such session; no session runs in elsewhere"
    ]


def test_without_a_name_those_that_have_not_ended_are_told_of(run: Run) -> None:
    for name, ended, age_s in (("first", None, 60), ("over", 0, 30), ("stale", None, 90_000)):
        folder = Path("runs", name)
        (folder / "journal").mkdir(parents=True)
        (folder / "session.json").write_text(json.dumps({"ended": ended, "symbols": ["NIFTY"]}))
        (folder / "journal" / "lock").touch()
        os.utime(folder / "journal" / "lock", (time.time() - age_s,) * 2)
    (told,) = run("status").errors
    assert told.startswith("runs/first: no session runs here; it was last written to at ")
    assert "; it has not ended: the command that started it goes on with it; what it held can't be told (" in told
    (told,) = run("status", "over").errors
    assert told.endswith("; it has ended (exit code 0)")
    shutil.copytree("runs/first", "runs/second")
    os.utime("runs/second/journal/lock")
    assert run("stop").errors == [
        "no session runs in runs: name the folder of one; not ended, the last one first: second, first"
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize(("typed", "code"), [("yes\n", 0), ("y\n", 1), ("", 1), ("no\n", 1)])
def test_flatten_asks_first(run: Run, monkeypatch: pytest.MonkeyPatch, typed: str, code: int) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    ended = run("flatten")
    assert ended.code == code
    assert ended.out.startswith("20251003-nifty: exit every position and halt entries? Type yes to do it: ")
    assert asked == ([("flatten", "")] if code == 0 else [])
    assert ended.errors == ([] if code == 0 else ["not flattened: the answer was not yes"])


@pytest.mark.usefixtures("session")
def test_flatten_needs_yes_where_nobody_can_be_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    ended = run("flatten")
    assert (ended.code, asked) == (2, [])
    assert ended.errors == ["flatten: nobody can be asked, as stdin is no terminal: give --yes"]
    assert run("flatten", "--yes").code == 0
