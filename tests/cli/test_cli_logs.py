"""`myquant logs`: what it prints of several sessions, what it leaves out, and how it follows."""

import io
import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cli.ended import Run
from myquant.session.log import SessionLog, open_log
from myquant.session.log_files import Bounds, earlier_files, pack

INDIA = ZoneInfo("Asia/Kolkata")
MORNING_NS = int(datetime(2026, 11, 23, 9, 15, tzinfo=INDIA).timestamp()) * 10**9
BOUNDS = Bounds(1000, 2**20, is_daily=True)


def opened(name: str, first_s: float, process: str = "") -> SessionLog:
    """Return a session's log whose lines are two seconds apart."""
    folder = Path(name) if "/" in name else Path("runs", name)
    folder.mkdir(parents=True, exist_ok=True)
    clock = iter(range(MORNING_NS + int(first_s * 10**9), MORNING_NS + 10**13, 2 * 10**9))
    return open_log(
        folder,
        str,
        session=folder.name,
        clock=lambda: next(clock),
        bounds=BOUNDS,
        stderr=io.StringIO(),
        process=process,
    )


@pytest.fixture
def two() -> None:
    """Log of two sessions in turns: odd and even numbers, the first packed in part."""
    for name, first in (("even", 0), ("odd", 1)):
        log = opened(name, first)
        for number in range(first, 60, 2):
            (log.warning if number % 10 == 0 else log.info)("line", number=number)
        log.close()
    pack(Path("runs/even"))
    assert len(earlier_files(Path("runs/even"))) > 1
    os.utime("runs/odd/log.jsonl", ns=(MORNING_NS + 10**12, MORNING_NS + 10**12))
    os.utime("runs/even/log.jsonl", ns=(MORNING_NS, MORNING_NS))


def numbers(text: str) -> list[int]:
    return [json.loads(line)["number"] for line in text.splitlines()]


@pytest.mark.usefixtures("two")
def test_the_lines_of_all_come_by_time(run: Run) -> None:
    ended = run("logs", "even", "odd")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert [int(line.rpartition("=")[2]) for line in lines] == list(range(60))
    assert lines[10] == "2026-11-23 09:15:10.000 IST even warning: line number=10"
    first = Path("runs/odd").joinpath(earlier_files(Path("runs/odd"))[0].name).read_text().splitlines()[0]
    assert run("logs", "odd", "--json").out.splitlines()[0] == first
    assert run("logs", "runs/odd", "-n", 1).out == "2026-11-23 09:15:59.000 IST odd info: line number=59\n"


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--since", "2026-11-23T09:15:50"), range(50, 60)),
        (("--since", "2026-11-23T03:45:50Z"), range(50, 60)),
        (("--until", "2026-11-23 09:15:05"), range(5)),
        (("--since", "2026-11-24"), ()),
        (("--level", "warning"), range(0, 60, 10)),
        (("--grep", r'"number": 5\d\b'), range(50, 60)),
        (("--limit", 3), range(57, 60)),
    ],
)
def test_what_is_not_wanted_is_left_out(run: Run, options: tuple[object, ...], expected: object) -> None:
    ended = run("logs", "even", "odd", "--json", *options)
    assert numbers(ended.out) == list(expected)  # type: ignore[call-overload]
    assert ("no line is wanted by" in ended.err) == (expected == ())


@pytest.mark.usefixtures("two")
def test_without_a_name_it_is_the_last_session(run: Run) -> None:
    assert numbers(run("logs", "--json").out) == list(range(1, 60, 2))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--grep", "("), "error: --grep '(': no regular expression (missing ), unterminated"),
        (("--since", "soon"), "error: --since 'soon': no time: give 10m"),
        (("--until", "25:00"), "error: --until '25:00': no time: give 10m"),
        (("nothing",), "error: nothing: no session with a log: `myquant runs` lists those of runs"),
        ((), "error: runs: no session has a log here"),
    ],
)
def test_what_it_can_not_understand_ends_with_2(
    run: Run, options: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MYQUANT_STATE", str(tmp_path / "state"))
    ended = run("logs", *options)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(said)
    assert ended.err.count("\n") == 1


def test_what_is_no_json_is_shown_and_counted_and_a_traceback_stands_below(run: Run) -> None:
    log = opened("s", 0)
    log.error("odd\x1b[2J", exc_info=ValueError("why"))
    log.close()
    with Path("runs/s/log.jsonl").open("ab") as file:
        file.write(b'half \x1b[2J\xff\n[1]\n{"time": 5}\n')
    ended = run("logs", "s")
    assert ended.out.splitlines() == [
        "2026-11-23 09:15:00.000 IST s error: odd [2J",
        "    ValueError: why",
        "s (no JSON) half  [2J\ufffd",
        "s (no JSON) [1]",
        's (no JSON) {"time": 5}',
    ]
    assert ended.err == "s: 3 lines are no JSON\n"


def test_the_monitors_log_has_a_name(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MYQUANT_STATE", str(tmp_path / "state"))
    log = opened(str(tmp_path / "state" / "monitor"), 0, process="monitor")
    log.info("watching", sessions=2)
    log.close()
    expected = "2026-11-23 09:15:00.000 IST monitor info: watching process=monitor sessions=2\n"
    assert run("logs", "monitor").out == run("logs").out == expected


def test_the_log_of_the_pages_has_a_name(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MYQUANT_STATE", str(tmp_path / "state"))
    for name in ("monitor", "dashboard"):
        log = opened(str(tmp_path / "state" / name), 0, process=name)
        log.info("said", who=name)
        log.close()
    assert "said process=dashboard who=dashboard" in run("logs", "dashboard").out
    assert "monitor" not in run("logs", "dashboard").out
    assert all(f"who={name}" in run("logs").out for name in ("monitor", "dashboard"))


def test_it_follows_what_comes_and_files_that_are_renamed() -> None:
    log = opened("s", 0)
    log.info("line", number=0)
    command = (sys.executable, "-m", "myquant", "logs", "s", "--follow", "--json")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        assert json.loads(follower.stdout.readline())["number"] == 0
        for number in range(1, 40):
            log.info("line", number=number)
            if number == 20:
                pack(Path("runs/s"))
        found = [json.loads(follower.stdout.readline())["number"] for _ in range(1, 40)]
        follower.kill()  # a Ctrl-C would not do: sessions that ran in this process before let it be ignored
        rest = follower.stdout.read()
    log.close()
    assert len(earlier_files(Path("runs/s"))) > 2
    assert (found, rest) == (list(range(1, 40)), "")


@pytest.mark.usefixtures("two")
def test_a_reader_that_leaves_is_no_error_worth_a_word() -> None:
    command = (sys.executable, "-m", "myquant", "logs", "even", "odd")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def recorder(name: str, pid: int) -> None:
    log = opened(name, 0.5, process="recorder")
    log.info("feed healthy")
    log.close()
    Path(name if "/" in name else f"runs/{name}", ".lock").write_text(str(pid))


@pytest.mark.usefixtures("two")
def test_a_recorder_that_runs_is_among_them_and_its_folder_can_be_named(run: Run) -> None:
    recorder("ticks/november", os.getpid())
    recorder("nifty", os.getpid())
    said = "2026-11-23 09:15:00.500 IST november info: feed healthy process=recorder\n"
    assert run("logs").out == said.replace("november", "nifty")
    for words in (("ticks/november",), ("november", "--directory", "ticks"), ("--directory", "ticks")):
        assert run("logs", *words).out == said, words
    assert run("logs", "--directory", "ticks/november").out == said
