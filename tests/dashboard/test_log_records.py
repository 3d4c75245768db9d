"""Defects that Python's logging is told are in the log of the pages: with their tracebacks, without secrets, and not more than it can bear."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.doors import Clock, Lines
from myquant.brokers.secrets import Redactor
from myquant.dashboard.log_records import LINES_PER_MINUTE, MINUTE_S, UNSAID, Records, records_in
from myquant.dashboard.service import ENDED, FAILED, _looking, keep_at_work
from myquant.session.log import open_log
from session.async_logs import BOUNDS
from session.test_log import lines

SECRET = "the-secret-of-a-broker"  # noqa: S105  (made up)
SAID = "a part of a page failed"


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    made = logging.getLogger("myquant.dashboard.made_for_a_test")
    yield made
    logging.Logger.manager.loggerDict.pop(made.name)


def told(log: Any, tell: Callable[[], object]) -> None:
    """Tell Python's logging something while pages are served."""

    async def tells() -> None:
        with records_in(log):
            found = tell()
            if asyncio.iscoroutine(found):
                await found
            await asyncio.sleep(0)

    asyncio.run(tells())


def fail(logger: logging.Logger) -> None:
    try:
        dict[str, int]()[SECRET]
    except KeyError:
        logger.exception(SAID)


def test_a_defect_is_there_with_its_traceback_and_without_secrets(tmp_path: Path, logger: logging.Logger) -> None:
    log = open_log(tmp_path, Redactor([SECRET]).text, session="dashboard", clock=lambda: 0, bounds=BOUNDS)
    told(log, lambda: fail(logger))
    log.close()
    (line,) = lines(tmp_path)
    assert (line["level"], line["event"], line["logger"]) == ("error", SAID, logger.name)
    assert "in fail" in line["exception"]
    assert "KeyError" in line["exception"]
    assert SECRET not in (tmp_path / "log.jsonl").read_text()


def test_warnings_are_there_and_what_is_less_is_not(logger: logging.Logger) -> None:
    log = Lines()

    def tell() -> None:
        logger.warning("a warning")
        logger.info("no warning")

    told(log, tell)
    logger.warning("after its end")
    assert log.lines == [("warning", "a warning", {"logger": logger.name})]


def test_what_another_thread_tells_is_written_by_that_of_the_pages(logger: logging.Logger) -> None:
    log = Lines()
    told(log, lambda: asyncio.to_thread(fail, logger))
    ((level, event, fields),) = log.lines
    assert (level, event, isinstance(fields["exc_info"], KeyError)) == ("error", SAID, True)


def test_of_a_flood_the_rest_is_counted_and_another_logger_is_heard() -> None:
    log, clock = Lines(), Clock()

    async def flood() -> None:
        records = Records(log, asyncio.get_running_loop(), clock)
        record = logging.LogRecord("noisy", logging.ERROR, "", 0, "again", None, None)
        for _ in range(LINES_PER_MINUTE + 7):
            records.handle(record)
        records.handle(logging.LogRecord("other", logging.ERROR, "", 0, "a defect", None, None))
        clock.now_s += MINUTE_S
        records.handle(record)
        for _ in range(LINES_PER_MINUTE):
            records.handle(record)
        records.tell_unsaid()

    asyncio.run(flood())
    noisy = {"logger": "noisy"}
    assert log.lines == [
        *[("error", "again", noisy)] * LINES_PER_MINUTE,
        ("error", "a defect", {"logger": "other"}),
        ("error", "again", {**noisy, "unsaid": 7}),
        *[("error", "again", noisy)] * (LINES_PER_MINUTE - 1),
        ("warning", UNSAID, {**noisy, "unsaid": 1}),
    ]


def test_as_long_as_pages_are_served_their_log_has_it() -> None:
    log = Lines()

    async def work(end: asyncio.Event) -> None:
        await end.wait()

    async def close() -> None:
        logging.getLogger("nicegui").error("a callback failed")

    site: Any = SimpleNamespace(watch=SimpleNamespace(run=work), runs=SimpleNamespace(run=work), close=close)
    app: Any = None

    async def serve() -> None:
        async with _looking(site, log)(app):
            pass

    asyncio.run(serve())
    assert log.lines == [("error", "a callback failed", {"logger": "nicegui"})]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyError("symbol"), FAILED),
        (None, ENDED),
    ],
)
def test_what_ends_beside_the_pages_is_told_at_once_and_begun_again(error: Exception | None, said: str) -> None:
    log, begun, begun_thrice = Lines(), list[list[str]](), asyncio.Event()

    async def work(end: asyncio.Event) -> None:
        begun.append(log.events)
        if len(begun) == 3:
            begun_thrice.set()
            await end.wait()
        elif error is not None:
            raise error

    async def serve() -> None:
        end = asyncio.Event()
        task = asyncio.create_task(keep_at_work("looking at sessions", work, end, log, again_s=0.001))
        await asyncio.wait_for(begun_thrice.wait(), 30)
        end.set()
        await asyncio.wait_for(task, 30)

    asyncio.run(serve())
    assert begun == [[], [said], [said, said]]
    assert {level for level, *_ in log.lines} == {"error"}
    assert log.lines[0][2].get("exc_info") is error
