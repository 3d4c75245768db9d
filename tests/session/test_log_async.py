"""The log that another process writes: the same lines, and what becomes of them where there is no room."""

import enum
import io
import time
from collections.abc import Iterator
from marshal import dumps, loads
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myquant.brokers.secrets import Redactor
from myquant.session import log_async
from myquant.session.log import TEXT_MAX, SessionLog, open_log
from myquant.session.log_async import INFO, AsyncLog, Place, Scribe
from session.async_logs import BOUNDS, SECRET, SMALL, TIME_NS, ZONE, Ticking, fill, lines, opened

PIN = "4321"
WITH_SECRET = f"login {SECRET}"


class Colour(enum.IntEnum):
    RED = 15


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[io.TextIOWrapper]:
    with (tmp_path / "said").open("w", encoding="utf-8") as file:
        yield file


def say(log: SessionLog | AsyncLog, redactor: Redactor) -> None:
    """Log one line of every sort."""
    log.info("connected", connection=1)
    log.debug("not seen", of="nobody")
    bound = log.bind(symbol="NIFTY", session="other", level="high")
    bound.warning("feed stale", silence_s=3.1, why=None, time=5, level="low")
    bound.bind(symbol="B").info(
        "numbers", a=np.int64(5), b=np.float64(0.5), c=Colour.RED, d=float("nan"), e=2**70, f=True
    )
    redactor.keep(SECRET)
    redactor.add(PIN)
    log.error(WITH_SECRET, pin=int(PIN), nested={"a": [f"x{SECRET}", (4321,), {PIN: {1, 2}}]}, net=-4321.78)
    log.info("deep", **{SECRET: 1}, deep=[[[[[[SECRET]]]]]], raw=SECRET.encode(), path=Path("a") / SECRET)
    log.info("long", text="x" * (TEXT_MAX - 4) + SECRET)
    log.info("odd\x1b[2J\nline", lone="\ud800", empty="")
    try:
        int(f"x{SECRET}")
    except ValueError as error:
        log.exception("odd", of=error)
        log.error("again", exc_info=error, of="it")  # noqa: TRY400  (an error that is given is to be told, too)
    for number in range(300):
        log.info("many", number=number, price=200.05)


def test_file_and_terminal_are_those_of_a_log_that_is_written_at_once(
    tmp_path: Path, terminal: io.TextIOWrapper
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    redactor, shown = Redactor(["key-of-the-app"]), io.StringIO()
    log = open_log(
        tmp_path / "a", redactor.text, session="nifty", clock=Ticking(), bounds=BOUNDS, zone=ZONE, stderr=shown
    )
    say(log, redactor)
    log.close()
    redactor = Redactor(["key-of-the-app"])
    beside = opened(tmp_path / "b", redactor, terminal)
    say(beside, redactor)
    beside.close()
    found = (tmp_path / "b" / "log.jsonl").read_text()
    assert found == (tmp_path / "a" / "log.jsonl").read_text()
    assert (tmp_path / "said").read_text() == shown.getvalue()
    for text in (found, shown.getvalue()):
        assert "hunter" not in text
        assert "***" in text
    assert (beside.lost, beside.unshown) == (0, 0)
    assert beside.errors.count > 1
    assert beside.errors == log.errors
    assert "hunter" not in beside.errors.text


def test_debugging_is_by_choice(tmp_path: Path, terminal: io.TextIOWrapper) -> None:
    with patch.object(log_async, "_start_writer", lambda *_: NoWriter()):
        log = opened(tmp_path, Redactor(), terminal, debug=True)
    beside = open_log(tmp_path, str, session="nifty", clock=Ticking(), bounds=BOUNDS, debug=True, stderr=io.StringIO())
    for each in (beside, log):
        each.bind(a=1).debug("seen", b=2)
        each.close()
    written, at_once = lines(tmp_path)
    assert written == at_once
    assert (written["level"], written["event"], written["a"], written["b"]) == ("debug", "seen", 1, 2)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.sampled_from([SECRET, 4321]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b", "level", f"c{SECRET}"]), VALUES))
def test_any_fields_make_the_line_that_they_would_make_at_once(fields: dict[str, Any]) -> None:
    redactor = Redactor([SECRET, PIN])
    found = []
    for is_async in (False, True):
        with TemporaryDirectory() as folder:
            stderr = io.StringIO()
            if is_async:
                scribe = Scribe(Place(folder, "nifty", ZONE.key, False, (*BOUNDS,)), redactor, stderr)
                plain = {name: log_async._plain(value) for name, value in fields.items()}
                scribe.write(TIME_NS, INFO, *loads(dumps(("said", plain))))  # noqa: S302  (our own)
                scribe.log.close()
            else:
                log = open_log(
                    Path(folder),
                    redactor.text,
                    session="nifty",
                    clock=lambda: TIME_NS,
                    bounds=BOUNDS,
                    zone=ZONE,
                    stderr=stderr,
                )
                log.info("said", **fields)
                log.close()
            found.append(((Path(folder) / "log.jsonl").read_bytes(), stderr.getvalue()))
    assert found[0] == found[1]


class NoWriter:
    """A writer that does nothing and lives."""

    stdin = None
    returncode = None
    code: int | None = None

    def poll(self) -> int | None:
        return self.code

    def wait(self, _: float = 0) -> None:
        self.code = 0

    def kill(self) -> None:
        pass


@pytest.fixture
def alone(tmp_path: Path, terminal: io.TextIOWrapper) -> Iterator[tuple[AsyncLog, NoWriter]]:
    """A log with a small ring that nobody empties."""
    writer = NoWriter()
    with patch.object(log_async, "RING_BYTES", SMALL), patch.object(log_async, "_start_writer", lambda *_: writer):
        log = opened(tmp_path, Redactor([SECRET]), terminal)
    yield log, writer
    log.close()


def test_a_full_ring_drops_what_may_be_dropped_and_counts_it(alone: tuple[AsyncLog, NoWriter], tmp_path: Path) -> None:
    log, _ = alone
    room = fill(log)
    for number in range(10):
        log.warning("dropped", number=number)
    assert log.lost == 11
    assert lines(tmp_path) == []
    log.close()
    told = [line["event"] for line in lines(tmp_path)]
    assert told == ["filling"] * room + ["log lines lost"]
    assert lines(tmp_path)[-1]["count"] == 11
    assert lines(tmp_path)[-1]["level"] == "error"
    assert log.lost == 11


def test_what_was_dropped_is_told_as_soon_as_there_is_room(alone: tuple[AsyncLog, NoWriter], tmp_path: Path) -> None:
    log, _ = alone
    room = fill(log)
    scribe = Scribe(log._post._place, Redactor(), io.StringIO())
    scribe.drain(log._post._ring)
    log.info("room again", text=SECRET)
    log.info("later")
    log.close()
    told = [(line["event"], line.get("count")) for line in lines(tmp_path)][room:]
    assert told == [("log lines lost", 1), ("room again", None), ("later", None)]
    times = [line["time"] for line in lines(tmp_path)]
    assert times == sorted(times)


def test_what_must_stay_waits_for_a_moment_and_is_written(alone: tuple[AsyncLog, NoWriter], tmp_path: Path) -> None:
    log, _ = alone
    room = fill(log)
    naps: list[float] = []
    with patch.object(log_async, "time", SimpleNamespace(sleep=naps.append, monotonic_ns=time.monotonic_ns)):
        log.error("trouble", of=SECRET)
        waited = len(naps)
        for event in ("position_opened", "trade_closed", "halted"):
            log.info(event, symbol="NIFTY")
        assert len(naps) == waited  # it waited in vain once, and not again until there was room
        log.info("something else")
    assert waited > 0
    assert [line["event"] for line in lines(tmp_path)] == ["trouble", "position_opened", "trade_closed", "halted"]
    assert lines(tmp_path)[0]["of"] == "***"
    assert log.lost == 2
    log.close()
    assert len(lines(tmp_path)) == 4 + room + 1


def test_room_that_comes_while_it_waits_is_used(alone: tuple[AsyncLog, NoWriter], tmp_path: Path) -> None:
    log, _ = alone
    fill(log)
    ring = log._post._ring

    def empty(_: float) -> None:
        while ring.pop() is not None:
            pass

    with patch.object(log_async, "time", SimpleNamespace(sleep=empty, monotonic_ns=time.monotonic_ns)):
        log.error("trouble")
    assert lines(tmp_path) == []
    log.close()
    assert [line["event"] for line in lines(tmp_path)] == ["log lines lost", "trouble"]


def test_the_session_begins_no_new_file_while_the_writer_lives(tmp_path: Path, terminal: io.TextIOWrapper) -> None:
    with patch.object(log_async, "RING_BYTES", SMALL), patch.object(log_async, "_start_writer", lambda *_: NoWriter()):
        log = opened(tmp_path, Redactor(), terminal, bounds=BOUNDS._replace(file_bytes=SMALL))
    for number in range(5):
        log.info("long", number=number, text="x" * SMALL)
    assert [line["number"] for line in lines(tmp_path)] == list(range(5))
    log.close()
    log_names = {path.name for path in tmp_path.glob("log*")}
    assert (log_names, log.lost) == ({"log.jsonl"}, 0)


def test_a_line_longer_than_the_ring_is_written_at_once(alone: tuple[AsyncLog, NoWriter], tmp_path: Path) -> None:
    log, _ = alone
    log.info("long", text="x" * SMALL)
    log.info("short")
    assert [line["event"] for line in lines(tmp_path)] == ["long"]
    log.close()
    assert [line["event"] for line in lines(tmp_path)] == ["long", "short"]
    assert log.lost == 0


def test_no_line_goes_ahead_of_the_secrets_that_it_may_hold(alone: tuple[AsyncLog, NoWriter], tmp_path: Path) -> None:
    log, _ = alone
    fill(log)
    ring, redactor = log._post._ring, log._post._redactor
    ring.pop()
    ring.pop()  # lets go of the first: there is room for a line, and none for so many secrets
    redactor.keep(*(f"another-secret-{number}" for number in range(50)))
    log.info("another-secret-7")
    assert log.lost == 2
    Scribe(log._post._place, None, io.StringIO()).drain(ring)  # as the writer, which knows what the ring says
    log.info("another-secret-7")
    Scribe(log._post._place, None, io.StringIO()).drain(ring)
    log.close()
    assert [line["event"] for line in lines(tmp_path)][-2:] == ["log lines lost", "***"]


def test_a_file_that_can_not_be_opened_any_more_leaves_the_terminal(
    alone: tuple[AsyncLog, NoWriter], tmp_path: Path, terminal: io.TextIOWrapper
) -> None:
    log, writer = alone
    log.info("in the ring")
    (tmp_path / "log.jsonl").unlink()
    (tmp_path / "log.jsonl").mkdir()
    writer.code = 1
    log.look()
    log.error("after")
    terminal.flush()
    assert [line.split(" ", 1)[1] for line in (tmp_path / "said").read_text().splitlines()] == [
        "info: in the ring",
        "error: the log's writer has ended: from now on the session writes code=1",
        "error: after",
    ]
    assert log.lost == 3
    log.close()
    assert log.lost == 3
