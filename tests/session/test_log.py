"""The session's log: what a line holds, that no secret gets in, and that nothing it can't do reaches the session."""

import errno
import io
import json
import os
import stat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myquant.errors import MyquantError
from myquant.session.log import SHORT_MAX, TEXT_MAX, SessionLog, _clean, open_log, utc_text
from session.async_logs import BOUNDS

TIME_NS = 1_759_463_467_120_400_300  # 2025-10-03 09:21:07.120400300 in India
HIDDEN = "hunter22"


def redact(text: str) -> str:
    return text.replace(HIDDEN, "***").replace("4321", "***")


def opened(folder: Path, **options: Any) -> tuple[SessionLog, io.StringIO]:
    stderr = io.StringIO()
    zone = ZoneInfo("Asia/Kolkata")
    given = {"bounds": BOUNDS, "clock": lambda: TIME_NS, **options}
    log = open_log(folder, redact, session="nifty", zone=zone, stderr=stderr, **given)
    return log, stderr


def lines(folder: Path, name: str = "log.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_bytes().splitlines()]


def test_a_line_for_machines_and_one_for_people(tmp_path: Path) -> None:
    log, stderr = opened(tmp_path)
    log.info("connected", connection=1)
    log.bind(symbol="NIFTY").warning("feed stale", silence_s=3.1, why=None)
    log.close()
    head = {"time": "2025-10-03T03:51:07.120400300Z", "session": "nifty"}
    assert lines(tmp_path) == [
        {**head, "level": "info", "event": "connected", "connection": 1},
        {**head, "level": "warning", "event": "feed stale", "symbol": "NIFTY", "silence_s": 3.1, "why": None},
    ]
    assert list(lines(tmp_path)[0]) == ["time", "level", "event", "session", "connection"]
    assert stderr.getvalue().splitlines() == [
        "09:21:07 info: connected connection=1",
        "09:21:07 warning: feed stale symbol=NIFTY silence_s=3.1 why=None",
    ]
    assert stat.S_IMODE((tmp_path / "log.jsonl").stat().st_mode) == 0o600
    assert (log.lost, log.unshown) == (0, 0)


def test_errors_are_counted_and_the_last_is_kept_without_secrets(tmp_path: Path) -> None:
    log, _ = opened(tmp_path)
    log.warning("not one")
    assert (log.errors.count, log.errors.text) == (0, "")
    log.error("first")
    log.bind(symbol="NIFTY").error("second\nline", why=HIDDEN, long="x" * 2000, exc_info=ValueError("?"))
    log.info("not one either")
    assert (log.errors.count, log.errors.time_ns) == (2, TIME_NS)
    assert log.errors.text.startswith("second line symbol=NIFTY why=*** long=xx")
    assert len(log.errors.text) == SHORT_MAX


def test_a_secret_gets_in_nowhere(tmp_path: Path) -> None:
    log, stderr = opened(tmp_path)
    with pytest.raises(MyquantError) as failed:
        raise MyquantError(f"login with {HIDDEN} failed")
    error = failed.value
    log.error(f"login {HIDDEN}", exc_info=error, why=error, pin=4321, nested={"a": [f"x{HIDDEN}", (4321,)]})  # noqa: G004  (a text as it comes)
    log.info("deep", **{HIDDEN: 1}, deep=[[[[[[HIDDEN]]]]]], raw=HIDDEN.encode())
    log.info("long", text="x" * (TEXT_MAX - 4) + HIDDEN)
    text = (tmp_path / "log.jsonl").read_text()
    assert "Traceback" in lines(tmp_path)[0]["exception"]
    assert lines(tmp_path)[0]["nested"] == {"a": ["x***", ["***"]]}
    for found in (text, stderr.getvalue()):
        assert "hunt" not in found
        assert "4321" not in found
        assert "***" in found
    log.close()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
    )
)
def test_any_value_is_plain_json_and_clean(value: object) -> None:
    cleaned = _clean([value, HIDDEN, {HIDDEN: f"{value}{HIDDEN}"}], redact)
    assert HIDDEN not in json.dumps(cleaned, allow_nan=False)


def test_an_amount_with_the_digits_of_a_pin_stays_a_number(tmp_path: Path) -> None:
    log, stderr = opened(tmp_path)
    log.info("trade_closed", net=-4321.78, input=14321)
    (line,) = lines(tmp_path)
    assert (line["net"], line["input"]) == (-4321.78, 14321)
    assert "net=-4321.78" in stderr.getvalue()
    log.close()


PLAIN = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=40)


@given(st.dictionaries(st.sampled_from(["a", "b", f"c{HIDDEN}"]), PLAIN | PLAIN.map(lambda value: f"{value}{HIDDEN}")))
def test_plain_fields_make_the_line_that_any_would(fields: dict[str, Any]) -> None:
    def line() -> tuple[bytes, str]:
        with TemporaryDirectory() as folder:
            log, stderr = opened(Path(folder))
            log.info("said", **fields)
            log.close()
            return (Path(folder) / "log.jsonl").read_bytes(), stderr.getvalue()

    quick = line()
    with patch("myquant.session.log._is_plain", return_value=False):
        assert line() == quick
    assert HIDDEN not in quick[1]


def test_an_exception_is_logged_with_its_traceback(tmp_path: Path) -> None:
    log, stderr = opened(tmp_path)
    try:
        int("x")
    except ValueError:
        log.exception("odd")
    (line,) = lines(tmp_path)
    assert (line["level"], line["event"]) == ("error", "odd")
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: invalid literal for int() with base 10: 'x'")
    assert stderr.getvalue() == "09:21:07 error: odd\n"
    log.close()


def test_a_field_named_as_one_of_the_logs_own_is_kept(tmp_path: Path) -> None:
    log, _ = opened(tmp_path)
    log.bind(session="other").info("x", time=5, level="high")
    assert lines(tmp_path)[0] == {
        "time": utc_text(TIME_NS),
        "level": "info",
        "event": "x",
        "session": "nifty",
        "time_": 5,
        "level_": "high",
    }
    log.close()


def test_odd_values_make_a_line_all_the_same(tmp_path: Path) -> None:
    log, stderr = opened(tmp_path)
    loop: list[Any] = []
    loop.append(loop)
    log.info("odd\x1b[2J\nline", nan=float("nan"), path=Path("a"), lone="\ud800", loop=loop, text="x" * 9000)
    (line,) = lines(tmp_path)
    assert (line["nan"], line["path"], line["lone"]) == ("nan", "a", "\ud800")
    assert line["text"].endswith("... (9,000 characters)")
    assert len(stderr.getvalue().splitlines()) == 1
    assert stderr.getvalue().startswith("09:21:07 info: odd [2J line nan=nan")
    log.close()


class Disk:
    """Takes so many bytes; then it is full until some are freed."""

    def __init__(self) -> None:
        self.free = 10**6

    def write(self, descriptor: int, content: bytes) -> int:
        if not self.free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = os.write(descriptor, content[: self.free])
        self.free -= taken
        return taken


@pytest.mark.parametrize("room", [0, 1, 30])
def test_a_full_disk_is_counted_and_told_once(tmp_path: Path, room: int) -> None:
    disk = Disk()
    log, stderr = opened(tmp_path, write=disk.write)
    log.info("before")
    disk.free = room
    for number in range(3):
        log.info("lost", number=number)
    assert [line["event"] for line in lines(tmp_path)] == ["before"]  # and no half line
    disk.free = 10**6
    log.info("after")
    log.info("later")
    log.close()
    told = [(line["event"], line.get("count")) for line in lines(tmp_path)]
    assert told == [("before", None), ("log lines lost", 3), ("after", None), ("later", None)]
    assert log.lost == 3
    assert len(stderr.getvalue().splitlines()) == 6


def test_it_goes_on_behind_what_is_there_be_it_half_a_line(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"event": "whole"}\n{"eve')
    log, _ = opened(tmp_path)
    log.info("new")
    log.close()
    texts = (tmp_path / "log.jsonl").read_text().splitlines()
    assert texts[:2] == ['{"event": "whole"}', '{"eve']
    assert json.loads(texts[2])["event"] == "new"


def test_a_file_that_cannot_be_begun_anew_loses_lines_and_grows_no_further(tmp_path: Path) -> None:
    log, _ = opened(tmp_path, bounds=BOUNDS._replace(file_bytes=300))
    (tmp_path / "log.jsonl.new").mkdir()
    for _ in range(10):
        log.info("line")
    assert log.lost > 0
    assert (tmp_path / "log.jsonl").stat().st_size <= 300
    (tmp_path / "log.jsonl.new").rmdir()
    lost = log.lost
    log.info("again")
    log.close()
    assert [(line["event"], line.get("count")) for line in lines(tmp_path)] == [
        ("log lines lost", lost),
        ("again", None),
    ]


def test_a_pipe_that_nobody_empties_does_not_hold_the_session_up(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb"), os.fdopen(writer, "w") as stderr:
        log = open_log(tmp_path, redact, session="nifty", clock=lambda: TIME_NS, bounds=BOUNDS, stderr=stderr)
        for _ in range(500):
            log.info("x" * 500)
        assert 0 < log.unshown < 500
        assert (len(lines(tmp_path)), log.lost) == (500, 0)
        log.close()


def test_a_closed_terminal_and_a_closed_log_are_no_error(tmp_path: Path) -> None:
    log, stderr = opened(tmp_path)
    stderr.close()
    log.info("a")
    log.close()
    log.close()
    log.info("b")
    assert [line["event"] for line in lines(tmp_path)] == ["a"]
    assert (log.lost, log.unshown) == (1, 2)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MyquantError, match=r"log\.jsonl: can't be written \(No such file or directory\)"):
        opened(tmp_path / "none")
