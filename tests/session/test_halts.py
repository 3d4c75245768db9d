"""What `status` says of a halt: why, what to do, and since when."""

from pathlib import Path

from journal.journal_samples import QUICK
from myquant.core import codes
from myquant.session.answers import Answers
from myquant.session.halts import HALTS
from session.sessions import LIMIT
from session.supervised import Supervised, market_inputs, supervised

NAMES = codes.HALT_NAMES


def test_each_reason_has_its_words() -> None:
    assert set(HALTS) == set(NAMES) - {codes.BY_DAY_LOSS}, "the day's loss stops the day, which is no halt"
    runbook = (Path(__file__).parents[2] / "RUNBOOK.md").read_text(encoding="utf-8")
    assert all(f"| `{NAMES[code]}` |" in runbook for code in HALTS)


def test_the_status_says_why_what_to_do_and_since_when(tmp_path: Path) -> None:
    run = supervised(tmp_path / "s", LIMIT, market_inputs(1, 300), QUICK)
    answers = Answers(run.supervisor, run.session.folder, "s")
    assert answers.status()["halt"] is None
    run.take(20)
    halted_ns = run.tape.now_ns
    run.supervisor.event(codes.ALARM, codes.BY_MARGIN)
    run.take(50)
    assert run.tape.now_ns > halted_ns
    text, remedy = HALTS[codes.BY_MARGIN]
    expected = {"reason": "margin", "text": text, "remedy": remedy, "since_ns": halted_ns}
    assert answers.status()["halt"] == expected
    run.supervisor.event(codes.ALARM, codes.BY_FOREIGN_TRADE)
    later_ns = run.tape.now_ns
    run.take(50)
    run.supervisor.event(codes.ALARM, codes.BY_MARGIN)  # which takes no grave one's place
    halt = answers.status()["halt"]
    assert halt is not None
    assert (halt["reason"], halt["since_ns"]) == ("foreign_trade", later_ns)
    run.session.journal.close()


def test_one_of_an_earlier_process_has_no_time(tmp_path: Path) -> None:
    def begun() -> Supervised:
        return supervised(tmp_path / "s", LIMIT, market_inputs(1, 300), QUICK)

    run = begun()
    run.supervisor.event(codes.OPERATOR, codes.ASK_HALT)
    run.session.journal.close()
    run = begun()
    halt = Answers(run.supervisor, run.session.folder, "s").status()["halt"]
    assert halt is not None
    assert (halt["reason"], halt["since_ns"]) == ("operator", None)
    run.session.journal.close()
