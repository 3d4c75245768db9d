from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.made_rows import session
from dashboard.test_trace import contents, taken
from monitor.watched import put_session
from myquant.dashboard.trace import Trace
from myquant.dashboard.traces import BESIDE_NS, KEPT_NS, LOOKED_AT_NS, OPENING, RETRY_NS, TRACES_MAX, Traces
from myquant.errors import DataError
from myquant.journal.record import BODY, HOLDS
from myquant.journal.writer import JournalWriter

ROWS = session(5, seconds=60).rows()


@pytest.fixture
def traces() -> Iterator[Traces]:
    made = Traces()
    yield made
    made.close()


def put(folder: Path) -> tuple[Path, JournalWriter]:
    put_session(folder, symbols=("NIFTY", "BANKNIFTY"))
    return folder, JournalWriter.create(folder, key=4711, segment_records=128)


def append(writer: JournalWriter, begin: int, end: int) -> None:
    for row in ROWS[begin:end]:
        writer.append_words(int(row[HOLDS]), row[BODY:].reshape(1, -1), 0, 1)


def opened(traces: Traces, folder: Path, now_ns: int = 0) -> Trace:
    """Wait until a trace is opened; return it with what came since."""
    assert traces.look(folder, now_ns).text in {OPENING, ""}
    traces._kept[folder].opening.result(60)
    trace, text, _ = traces.look(folder, now_ns)
    assert (text, type(trace)) == ("", Trace)
    assert trace is not None
    return trace


def test_a_session_is_followed_as_it_goes_on(tmp_path: Path, traces: Traces) -> None:
    folder, writer = put(tmp_path / "monday")
    append(writer, 0, 200)
    trace = opened(traces, folder)
    assert contents(trace) == contents(taken(ROWS[:200]))
    append(writer, 200, len(ROWS))  # over the ends of segments
    assert traces.look(folder, 1).trace is trace
    assert contents(trace) == contents(taken(ROWS))
    writer.close()


def test_one_that_cannot_be_read_says_why_and_is_tried_again(tmp_path: Path, traces: Traces) -> None:
    folder = put_session(tmp_path / "monday", symbols=("NIFTY", "BANKNIFTY"))
    traces.look(folder, 0)
    with pytest.raises(Exception, match="journal"):
        traces._kept[folder].opening.result(60)
    look = traces.look(folder, 1)
    assert look.trace is None
    assert "journal" in look.text
    writer = JournalWriter.create(folder, key=4711, segment_records=128)
    append(writer, 0, 50)
    assert opened(traces, folder, 2).records == 50
    writer.close()


def test_another_session_of_the_same_name_is_another_trace(tmp_path: Path, traces: Traces) -> None:
    folder, writer = put(tmp_path / "monday")
    append(writer, 0, 50)
    first = opened(traces, folder)
    writer.close()
    folder.rename(tmp_path / "before")
    folder, writer = put(tmp_path / "monday")
    append(writer, 0, 20)
    second = opened(traces, folder)
    assert second is not first
    assert second.records == 20
    writer.close()


def test_those_that_nobody_looks_at_go(tmp_path: Path, traces: Traces) -> None:
    folder, writer = put(tmp_path / "monday")
    append(writer, 0, 10)
    first = opened(traces, folder)
    traces.forget(KEPT_NS - 1)
    assert traces.look(folder, KEPT_NS - 1).trace is first
    traces.forget(2 * KEPT_NS)
    assert len(traces) == 0
    for number in range(TRACES_MAX + 2):
        traces.look(tmp_path / f"no-{number}", number)
    assert len(traces) == TRACES_MAX + 2  # each is looked at
    traces.forget(LOOKED_AT_NS + TRACES_MAX + 2)
    assert len(traces) == TRACES_MAX
    writer.close()


def test_as_many_as_are_looked_at_are_opened_once(tmp_path: Path, traces: Traces) -> None:
    folders, writers = zip(*(put(tmp_path / f"no-{number}") for number in range(TRACES_MAX + 2)), strict=True)
    for writer in writers:
        append(writer, 0, 10)
    found = [opened(traces, folder) for folder in folders]
    for second in range(3):
        assert [traces.look(folder, second * 10**9).trace for folder in folders] == found
    for writer in writers:
        writer.close()


def test_why_one_can_not_be_read_stands_until_it_can(tmp_path: Path, traces: Traces) -> None:
    folder = put_session(tmp_path / "monday", symbols=("NIFTY", "BANKNIFTY"))
    traces.look(folder, 0)
    with pytest.raises(Exception, match="journal"):
        traces._kept[folder].opening.result(60)
    said = traces.look(folder, 1).text
    failed = traces._kept[folder].opening
    assert traces.look(folder, RETRY_NS).text == said
    assert traces._kept[folder].opening is failed
    assert traces.look(folder, RETRY_NS + 1).text == said
    assert traces._kept[folder].opening is not failed


def test_what_stands_beside_and_cannot_be_read_is_told(
    tmp_path: Path, traces: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, writer = put(tmp_path / "monday")
    append(writer, 0, 200)
    opened(traces, folder)

    def fails(_: object) -> None:
        raise DataError("shadow.jsonl: no file")

    monkeypatch.setattr("myquant.dashboard.traces.read_beside", fails)
    traces.look(folder, BESIDE_NS)
    traces._pool.submit(int).result(60)
    assert traces.look(folder, BESIDE_NS).text == "what stands beside the journal is not new: shadow.jsonl: no file"
    monkeypatch.undo()
    traces.look(folder, 2 * BESIDE_NS)
    traces._pool.submit(int).result(60)
    assert traces.look(folder, 2 * BESIDE_NS).text == ""
    writer.close()
