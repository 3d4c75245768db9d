"""What a feed's reader says that no session takes stands in the session's log, as lines of the reader."""

import asyncio
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from myquant.brokers.secrets import Redactor
from myquant.session.channels import FAILURE, SLOW, STATUS, TEXT, RingChannel
from myquant.session.handoff import RING_BYTES
from myquant.session.log_async import Place
from myquant.session.log_files import NO_BOUNDS
from myquant.session.quick_loop import run_loop
from myquant.session.reader import Reader
from myquant.session.reader_log import BROKE, FULL, GONE, UNHEARD, Said, tell_unheard
from myquant.session.spsc import Ring
from session.played_feed import ENVIRON, SECRET, Heard, Played, handed, until

SESSION = """
import asyncio, sys
from myquant.session.log_async import Place
from session.played_feed import Heard, Played, handed, until

async def main():
    heard = Heard()
    handoff = handed("ring", Played(300, at_end=sys.argv[2]), heard, place=Place(*eval(sys.argv[1])))
    handoff.start()
    for task in handoff._tasks:  # as if the session were busy: nothing is taken
        task.cancel()
    await until(lambda: handoff.counts().depth > 10_000)
    print("read", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def place_in(folder: Path) -> Place:
    return Place(str(folder), "nifty", "Asia/Kolkata", debug=False, bounds=(*NO_BOUNDS,))


def lines(folder: Path) -> list[dict[str, Any]]:
    path = folder / "log.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (Said(STATUS, 2, 0, "dropped"), ("warning", "feed", {"connection": 2, "healthy": False, "reason": "dropped"})),
        (Said(TEXT, 1, 0, f"a {SECRET}"), ("warning", "feed text", {"connection": 1, "text": "a ***"})),
        (Said(SLOW, 3_000_000, 0, ""), ("warning", "the loop was late", {"late_ms": 3})),
        (Said(FAILURE, 0, 0, "given up"), ("error", "the feed has failed", {"why": "given up"})),
    ],
)
def test_each_kind_is_a_line_of_the_reader_s(said: Said, line: tuple[str, str, dict[str, Any]], tmp_path: Path) -> None:
    assert tell_unheard(place_in(tmp_path), Redactor((SECRET,)), FULL, [said])
    first, second = lines(tmp_path)
    assert (first["event"], first["why"], first["process"], first["session"]) == (
        *(UNHEARD, FULL),
        *("feed reader", "nifty"),
    )
    assert (second["level"], second["event"], second["process"]) == (*line[:2], "feed reader")
    assert {name: second[name] for name in line[2]} == line[2]


def test_without_a_log_it_is_told_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not tell_unheard(place_in(tmp_path / "gone"), Redactor(()), FULL, [])
    assert "feed reader: " in capsys.readouterr().err


def test_what_finds_no_room_to_the_end_is_kept_for_the_log() -> None:
    async def scenario() -> list[tuple[int, int, int, str]]:
        ring = Ring.create(4096)
        reader = Reader(Played(1500), RingChannel(ring), ENVIRON)
        reading = asyncio.ensure_future(reader.run())
        await until(reader.unheard)
        reader.stop()
        await reading
        ring.close()
        return reader.unheard()

    unheard = run_loop(scenario())
    assert unheard[-1] == (TEXT, 3, 0, "closed")
    assert len(unheard) > 1


def test_an_error_that_nobody_awaits_goes_through_the_hand_off() -> None:
    ring = Ring.create(4096)
    channel = RingChannel(ring)
    reader = Reader(Played(1), channel, ENVIRON)
    reader.note(None, {"message": "Task was destroyed but it is pending!"})
    reader.note(None, {"message": "Task exception was never retrieved", "exception": ValueError(SECRET)})
    texts = [str(found[4], "utf-8") for found in iter(channel.get, None)]
    assert texts == ["Task was destroyed but it is pending!", "the feed's reader broke: ValueError: report it"]
    ring.close()


def test_the_reader_of_a_killed_session_says_so_and_what_was_not_taken(tmp_path: Path) -> None:
    command: Sequence[str] = (sys.executable, "-c", SESSION, repr(tuple(place_in(tmp_path))), f"all; {SECRET}")
    with subprocess.Popen(command, env={**os.environ, **ENVIRON}, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdout is not None
        assert session.stdout.readline() == "read\n"
        session.kill()
    run_loop(until(lambda: any(line.get("text") == "closed" for line in lines(tmp_path))))
    told = lines(tmp_path)
    assert {line["process"] for line in told} == {"feed reader"}
    assert (told[0]["event"], told[0]["why"]) == (UNHEARD, GONE)
    assert [line["text"] for line in told if "text" in line] == [
        *("said at 0", "said at 150"),
        *("all; ***; expects True", "closed"),
    ]
    assert [line["reason"] for line in told if line["event"] == "feed"][:2] == ["not connected yet", "receiving"]


def test_a_reader_that_is_ended_in_order_writes_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        heard = Heard()
        handoff = handed("ring", Played(10), heard, place=place_in(tmp_path))
        handoff.start()
        await until(lambda: len(heard.frames()) == 10)
        await handoff.aclose()
        assert heard.texts()[-1] == "closed"

    run_loop(scenario())
    assert lines(tmp_path) == []


def test_a_defect_of_the_reader_s_process_is_in_the_log(tmp_path: Path) -> None:
    spec = pickle.dumps((Played(1), tuple(place_in(tmp_path))))
    command = (sys.executable, "-P", "-m", "myquant.session.reader", "99", str(RING_BYTES))
    done = subprocess.run(command, input=spec, env={**os.environ, **ENVIRON}, capture_output=True, check=False)
    assert done.returncode == 1
    (line,) = lines(tmp_path)
    assert (line["event"], line["process"]) == (BROKE, "feed reader")
    assert "descriptor 99" in line["exception"]
