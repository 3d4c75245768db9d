"""Verdicts on sessions: made once by a process that gives way, kept, and never more than is known."""

import json
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

import myquant
from dashboard.made_runs import book_of, put_facts, put_run, put_session
from myquant.dashboard import verdicts as verdicts_module
from myquant.dashboard.runs import ListedRun
from myquant.dashboard.verdict_worker import DIFFERS, FAILED, IDENTICAL, NOT_COMPARABLE, PARTLY, verdict
from myquant.dashboard.verdicts import NOT_MADE, PAUSE_NS, Around, SessionVerdict, Verdicts
from myquant.journal.record import BODY, COMMAND, HOLDS
from myquant.monitor.replay_watch import LIMIT_NS
from session.test_replay import segment, sign

SAID = {"state": IDENTICAL, "text": "all", "records": 7, "divergence": {"gap": 0}, "why_no_divergence": ""}
CALM = Around()
OPEN = Around(is_any_running=True, is_market_open=True)
CLOSED = Around(is_any_running=True)


@dataclass
class Desk:
    """Verdicts whose workers are played."""

    verdicts: Verdicts
    begun: list[str] = field(default_factory=list)
    code: int | None = 0
    printed: str = json.dumps(SAID)
    killed: int = 0

    def launch(self, session: Path) -> "Desk":
        self.begun.append(session.name)
        return self

    def poll(self) -> int | None:
        return self.code

    def kill(self) -> None:
        self.killed += 1

    def read(self) -> str:
        return self.printed


def desk(folder: Path, *, is_automatic: bool = True) -> Desk:
    made = Desk(Verdicts(folder, is_automatic))
    made.verdicts.launch = made.launch
    return made


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session that has left."""
    return put_session(tmp_path_factory.mktemp("runs") / "monday")


@pytest.fixture
def runs(session: Path, tmp_path: Path) -> Path:
    """A folder of that session, a run, a session that was refused, and a running one."""
    directory = tmp_path / "runs"
    shutil.copytree(session, directory / "monday")
    put_run(directory / "day")
    put_facts(directory / "refused")
    return directory


def rows(directory: Path) -> tuple[ListedRun, ...]:
    return book_of(directory).rows


def test_a_verdict_is_made_once_and_kept(runs: Path, tmp_path: Path) -> None:
    for _ in range(2):
        made = desk(tmp_path / "state")
        made.verdicts.consider(rows(runs))
        before = made.verdicts.of(runs / "monday")
        for now in range(5):
            made.verdicts.look(now, CALM)
        assert made.verdicts.of(runs / "monday").state == IDENTICAL
        assert made.verdicts.of(runs / "monday").divergence == {"gap": 0}
        assert (before.state, made.begun) in [(NOT_MADE, ["monday"]), (IDENTICAL, [])]
    assert (tmp_path / "state" / "verdicts.json").stat().st_mode & 0o777 == 0o600


def test_verdicts_on_what_is_listed_stay_however_many_there_are(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts_module, "KEPT_MAX", 2)
    for name in ("tuesday", "wednesday"):
        shutil.copytree(runs / "monday", runs / name)
    made = desk(tmp_path / "state")
    made.verdicts._made = {name: SessionVerdict(IDENTICAL) for name in ("/gone/1", "/gone/2")}
    for now in range(8):
        made.verdicts.consider(rows(runs))
        made.verdicts.look(now, CALM)
    assert sorted(made.begun) == ["monday", "tuesday", "wednesday"]
    assert {Path(name).name for name in made.verdicts._made} == {"monday", "tuesday", "wednesday"}


def test_what_was_asked_for_is_not_forgotten_where_no_process_can_be_begun(runs: Path, tmp_path: Path) -> None:
    made = desk(tmp_path / "state", is_automatic=False)
    made.verdicts.consider(rows(runs))
    made.verdicts.ask(runs / "monday")
    made.verdicts.launch = no_process
    with pytest.raises(OSError, match="No space left"):
        made.verdicts.look(0, CALM)
    assert (made.verdicts.is_waiting(runs / "monday"), made.verdicts.working) == (True, "")
    made.verdicts.launch = made.launch
    made.verdicts.look(1, CALM)
    assert (made.begun, made.verdicts.is_waiting(runs / "monday")) == (["monday"], False)


def no_process(_: Path) -> Desk:
    raise OSError(28, "No space left on device")


def test_what_has_no_verdict_is_not_known_and_says_why(runs: Path, tmp_path: Path) -> None:
    made = desk(tmp_path / "state", is_automatic=False)
    made.verdicts.consider(rows(runs))
    for now in range(3):
        made.verdicts.look(now, CALM)
    assert made.begun == []
    assert {made.verdicts.of(runs / name).state for name in ("monday", "refused", "day", "nowhere")} == {NOT_MADE}
    assert made.verdicts.of(runs / "refused").text == "it holds no journal"
    assert not made.verdicts.ask(runs / "day")
    assert made.verdicts.ask(runs / "monday")
    assert made.verdicts.is_waiting(runs / "monday")
    made.verdicts.look(4, OPEN)
    assert made.begun == ["monday"]
    assert not made.verdicts.is_waiting(runs / "monday")


def test_more_records_or_another_engine_need_another_verdict(runs: Path, tmp_path: Path) -> None:
    made = desk(tmp_path / "state")
    made.verdicts.consider(rows(runs))
    for now in range(3):
        made.verdicts.look(now, CALM)
    (runs / "monday" / "journal" / "000002.seg").write_bytes(b"more")
    made.verdicts.consider(rows(runs))
    stale = made.verdicts.of(runs / "monday")
    assert (stale.state, "before: identical" in stale.text) == (NOT_MADE, True)
    made.verdicts.look(10, CALM)
    assert made.begun == ["monday"] * 2


def test_none_is_begun_by_itself_while_a_market_is_open_and_one_that_works_is_ended(runs: Path, tmp_path: Path) -> None:
    made = desk(tmp_path / "state")
    made.code = None
    made.verdicts.consider(rows(runs))
    made.verdicts.look(0, OPEN)
    assert made.begun == []
    made.verdicts.look(1, CLOSED)
    assert (made.begun, made.verdicts.working) == (["monday"], str(runs / "monday"))
    made.verdicts.look(2, OPEN)
    assert (made.killed, made.verdicts.working) == (1, "")
    assert made.verdicts.of(runs / "monday").state == NOT_MADE
    made.verdicts.look(3, CLOSED)
    assert len(made.begun) == 1  # the machine rests for a minute while a session runs
    made.verdicts.look(2 + PAUSE_NS, CLOSED)
    assert len(made.begun) == 2
    made.verdicts.close()
    assert made.killed == 2


@pytest.mark.parametrize(
    ("code", "printed", "text"),
    [
        (None, "", "took longer than 30 min"),
        (1, "Traceback", "ended with exit code 1"),
        (-9, "", "was ended by signal 9"),
        (0, '{"state": 1, "more": 2}', "ended with exit code 0"),
    ],
)
def test_a_worker_that_fails_is_told_and_not_begun_again(
    runs: Path, tmp_path: Path, code: int | None, printed: str, text: str
) -> None:
    made = desk(tmp_path / "state")
    made.code, made.printed = code, printed
    made.verdicts.consider(rows(runs))
    for now in (0, LIMIT_NS + 1, LIMIT_NS + 2, 2 * LIMIT_NS):
        made.verdicts.look(now, CALM)
    found = made.verdicts.of(runs / "monday")
    assert found.state == FAILED
    assert text in found.text
    assert made.begun == ["monday"]


@pytest.mark.parametrize(
    ("records", "text", "note", "state"),
    [
        (0, "", "", IDENTICAL),
        (0, "its replay differs at record 7: price", "", DIFFERS),
        (0, "", "could not be made", NOT_MADE),
        (-1, "", "", NOT_MADE),
    ],
)
def test_the_monitors_own_replay_is_shown_until_there_is_more(
    runs: Path, tmp_path: Path, records: int, text: str, note: str, state: str
) -> None:
    folder = runs / "monday"
    all_records = int(verdict(folder)["records"]) + records
    made = desk(tmp_path / "state", is_automatic=False)
    made.verdicts.folder.mkdir()
    replay = {"records": all_records, "version": myquant.__version__, "text": text, "note": note}
    (made.verdicts.folder / "replays.json").write_text(json.dumps({str(folder): replay}))
    made.verdicts.consider(rows(runs))
    found = made.verdicts.of(folder)
    assert (found.state, found.divergence) == (state, None)


def change_a_price(folder: Path) -> None:
    records = segment(folder)
    place = int(np.flatnonzero(records[:, HOLDS] == COMMAND)[10])
    records[place, BODY + 10] += 5
    sign(records, place)


def cut_behind(folder: Path) -> None:
    records = segment(folder)
    records[len(records) // 3 : len(records) // 3 + 2, BODY] ^= 1


def of_another_engine(folder: Path) -> None:
    path = folder / "session.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"engine_hash": "f" * 20}))


def no_journal(folder: Path) -> None:
    shutil.rmtree(folder / "journal")


@pytest.mark.parametrize(
    ("harm", "state"),
    [
        (None, IDENTICAL),
        (change_a_price, DIFFERS),
        (cut_behind, PARTLY),
        (of_another_engine, NOT_COMPARABLE),
        (no_journal, FAILED),
    ],
)
def test_the_verdict_on_a_session(runs: Path, harm: object, state: str) -> None:
    folder = runs / "monday"
    if callable(harm):
        harm(folder)
    found = verdict(folder)
    assert (found["state"], found["text"] != "") == (state, True)
    assert (found["divergence"] is not None) == (state in (IDENTICAL, PARTLY))
    if found["divergence"] is not None:
        parts = found["divergence"]
        assert sum(line["paise"] for line in parts["lines"]) == parts["gap"]


def test_a_real_worker_prints_the_verdict(runs: Path, tmp_path: Path) -> None:
    verdicts = Verdicts(tmp_path / "state", is_automatic=True)
    verdicts.consider(rows(runs))
    deadline = time.monotonic() + 120
    while verdicts.of(runs / "monday").state == NOT_MADE and time.monotonic() < deadline:
        verdicts.look(time.monotonic_ns(), CALM)
        time.sleep(0.05)
    found = verdicts.of(runs / "monday")
    assert (found.state, found.divergence is not None) == (IDENTICAL, True)
    verdicts.close()
