"""`myquant live`: what it refuses before it does anything, and what it shows and keeps before it trades."""

import gc
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from cli.ended import Run
from journal.journal_samples import create as begin_journal
from journal.journal_samples import write_notes
from myquant import compose
from myquant.brokers.port import Funds
from myquant.cli.live import LIMITS, MEANING, evidence, print_review
from myquant.cli.starting import record_use
from myquant.compose import LivePlan, OpenedAtBroker, PaperPlan
from myquant.config.audit import ConfigAudit
from myquant.config.loading import LoadedConfig, load_config
from myquant.errors import ConfigError, DataError
from myquant.session import archive
from myquant.session.archive import SessionFacts
from myquant.session.recovery import Recovered
from myquant.strategies.loading import default_strategy

SYMBOL = "NIFTY24NOV2625000CE"
FUNDS = Funds(net=20_000_000, available_cash=12_345_678)


def settings(*assignments: str) -> LoadedConfig:
    return load_config(assignments=["execution.fill_model=limit", *assignments])


def facts_of(loaded: LoadedConfig, kind: str, name: str) -> SessionFacts:
    return SessionFacts(
        kind=kind,
        name=name,
        broker="angelone",
        symbols=(SYMBOL,),
        exchanges=("NFO",),
        listed=((75, 5),),
        strategy="default",
        strategy_file=None,
        config_hash=loaded.hash,
        engine_hash=default_strategy().engine_hash,
        key=7,
        created="2026-11-20T03:00:00+00:00",
    )


def session(kind: str, name: str, loaded: LoadedConfig) -> Path:
    """Make the folder of a session that has ended in order."""
    folder = Path("runs") / name
    archive.create(folder, facts_of(loaded, kind, name), loaded, default_strategy())
    writer = begin_journal(folder)
    write_notes(writer, 1, 3)
    writer.close()
    archive.end(folder, 0)
    (folder / "results").mkdir()
    (folder / "results" / "summary.json").write_text("{}")
    return folder


def opened(loaded: LoadedConfig, name: str = "monday", recovered: Recovered | None = None) -> OpenedAtBroker:
    facts, folder = facts_of(loaded, "live", name), Path("runs") / name
    return OpenedAtBroker(facts, loaded, folder, ("the master has another lot",), recovered, "", "A123456", FUNDS)


def test_without_the_flag_it_says_what_it_means(run: Run) -> None:
    ended = run("live", "--broker", "angelone", SYMBOL)
    assert (ended.code, ended.errors) == (2, [MEANING])


@pytest.mark.parametrize("model", ["ltp", "quote"])
def test_another_fill_model_is_refused(run: Run, model: str) -> None:
    ended = run("live", "--broker", "angelone", SYMBOL, "--i-understand", "--set", f"execution.fill_model={model}")
    assert ended.code == 2
    assert f'execution.fill_model = "{model}" (--set)' in ended.err
    assert 'set execution.fill_model = "limit"' in ended.err


def test_a_missing_rehearsal_is_refused_with_the_nearest(run: Run) -> None:
    session("paper", "friday", settings("risk.base_sl_points=20"))
    ended = run("live", "--broker", "angelone", SYMBOL, "--i-understand", "--set", "execution.fill_model=limit")
    assert ended.code == 2
    assert "friday differs: risk.base_sl_points = 20.0 -> 15.0" in ended.err
    assert "--without-paper" in ended.err


def test_an_empty_reason_is_none(run: Run) -> None:
    ended = run("live", "--broker", "angelone", SYMBOL, "--i-understand", "--without-paper", " ")
    assert (ended.code, ended.errors) == (2, ["--without-paper: give the reason; it is kept"])


def test_evidence_is_a_session_a_reason_or_an_error() -> None:
    loaded, strategy = settings(), default_strategy()
    with pytest.raises(ConfigError, match="no paper session is in runs"):
        evidence(Path("runs/monday"), loaded, strategy, None)
    assert evidence(Path("runs/monday"), loaded, strategy, "the lab was away") == (
        "none, overridden: the lab was away (no paper session is in runs)"
    )
    session("paper", "friday", loaded)
    shown = evidence(Path("runs/monday"), loaded, strategy, None)
    assert shown == "friday ran with these settings, strategy and engine"
    begun = session("live", "monday", settings("risk.base_sl_points=20"))
    assert evidence(begun, settings("risk.base_sl_points=20"), strategy, None) == "asked for when the session began"
    shutil.rmtree(begun / "journal")  # as where it was refused before it began
    with pytest.raises(ConfigError, match="no paper session has shown"):
        evidence(begun, settings("risk.base_sl_points=20"), strategy, None)


def test_the_review_shows_account_limits_and_what_differs(capsys: pytest.CaptureFixture[str]) -> None:
    session("live", "friday", settings("risk.max_rejects=2"))
    print_review(opened(settings("risk.max_day_loss=5000")), "friday ran with these settings")
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "Session monday: REAL ORDERS at angelone"
    assert lines[1] == "account A1***56, 1,23,456.78 to spend, 2,00,000.00 in all"
    text = "\n".join(lines)
    assert "123456" not in text
    assert "day loss, flattens 5,000.00; orders a second NONE; orders a day NONE;" in text
    assert 'changed risk.max_day_loss = 5000.0, execution.fill_model = "limit"' in text
    assert "last friday: risk.max_day_loss = 0.0 -> 5000.0, risk.max_rejects = 2 -> 3" in text
    assert "rehearsal friday ran with these settings" in text
    assert "note the master has another lot" in text
    assert "times those below are Asia/Kolkata's; log and journal have UTC" in text
    assert lines[-1] == "new session"


def test_a_session_that_never_began_is_not_the_last_one(capsys: pytest.CaptureFixture[str]) -> None:
    session("live", "friday", settings("risk.max_rejects=2"))
    refused = session("live", "saturday", settings("risk.max_rejects=9"))
    shutil.rmtree(refused / "journal")
    print_review(opened(settings()), "")
    assert "last friday: risk.max_rejects = 2 -> 3" in " ".join(capsys.readouterr().out.split())


def test_every_limit_is_a_setting() -> None:
    values = load_config().values
    assert [name for _, name, _ in LIMITS if name not in values] == []
    assert {name for name in values if name.startswith("risk.max_orders")} < {name for _, name, _ in LIMITS}


def test_the_use_is_kept_with_the_reason() -> None:
    record_use(opened(settings()), "live --broker angelone X", "the lab was away")
    (entry,) = ConfigAudit(Path("runs")).read().entries
    assert (entry["session"], entry["overrides"]) == ("monday", ["the lab was away"])
    assert "@" in entry["who"]


def test_a_damaged_trail_stops_a_new_session_only(capsys: pytest.CaptureFixture[str]) -> None:
    record_use(opened(settings()), "live", None)
    path = ConfigAudit(Path("runs")).path
    path.write_text("nonsense\n")
    with pytest.raises(DataError, match="line 1"):
        record_use(opened(settings()), "live", None)
    record_use(opened(settings(), recovered=cast("Recovered", object())), "live", None)
    assert "not in the trail of configurations" in capsys.readouterr().out


def test_the_plan_is_what_was_asked_for(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    plans: list[LivePlan] = []

    def begin(plan: LivePlan, review: Callable[[OpenedAtBroker], None]) -> compose.Left:
        plans.append(plan)
        review(opened(plan.loaded, plan.folder.name))
        return compose.Left(None, plan.folder, 4, is_over=False)

    monkeypatch.setattr(compose, "live", begin)
    ended = run(
        "live", "--broker", "angelone", SYMBOL, "--i-understand", "--without-paper", "why", "--session", "monday",
        "--set", "execution.fill_model=limit",
    )  # fmt: skip
    assert ended.code == 4
    (plan,) = plans
    assert (plan.broker, plan.symbols, plan.override) == ("angelone", (SYMBOL,), "why")
    assert plan.folder == Path("runs/monday")
    assert "none, overridden: why" in ended.out
    assert "the same command goes on with it" in ended.out
    assert ConfigAudit(Path("runs")).read().lines == 1


def test_a_session_that_was_fenced_off_says_by_whom_and_what_to_do(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    def begin(plan: LivePlan, _review: Callable[[OpenedAtBroker], None]) -> compose.Left:
        why = "fenced off: myquant flatten, process 4711"
        return compose.Left(None, plan.folder, 5, is_over=False, cut_off=why)

    monkeypatch.setattr(compose, "live", begin)
    ended = run(
        "live", "--broker", "angelone", SYMBOL, "--i-understand", "--without-paper", "why",
        "--set", "execution.fill_model=limit", "--session", "monday",
    )  # fmt: skip
    assert ended.code == 5
    said = " ".join(ended.out.split())
    assert (
        "could send nothing any more, and left its orders and positions as they were: fenced off: myquant flatten, process 4711"
        in said
    )
    assert "`myquant flatten --broker angelone` closes everything" in said
    assert "takes the account back and goes on (runs/monday)" in said
    assert "The session is not over" not in said


@pytest.mark.parametrize("words", [("live", "--i-understand", "--without-paper", "a test"), ("paper",)])
def test_a_start_looks_for_no_garbage(monkeypatch: pytest.MonkeyPatch, run: Run, words: tuple[str, ...]) -> None:
    looks: list[bool] = []

    def begin(plan: PaperPlan, review: object) -> None:  # noqa: ARG001  (the caller's names)
        looks.append(gc.isenabled())
        raise DataError("no further")

    monkeypatch.setattr(compose, words[0], begin)
    ended = run(*words, "--broker", "angelone", SYMBOL, "--set", "execution.fill_model=limit")
    assert ended.code == 3
    assert [*looks, gc.isenabled()] == [False, True]
