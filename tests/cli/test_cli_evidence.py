"""`myquant baseline`, `gate` and `compare`: what they print, what they write, and how they end."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cli.ended import Run
from evidence.baselines import make_breakdown, make_facts, saved, verification
from myquant.config.loading import load_config
from myquant.evidence.build import build_report
from myquant.evidence.plan import BaselinePlan, BaselineResult, Tell, Verification, VerifyPlan, workload_hash
from myquant.evidence.report import load
from myquant.evidence.write import write_baseline
from myquant.strategies.loading import default_strategy

HOT = {"logging": 55.0, "csv_write": 10.0}


def stand_in(monkeypatch: pytest.MonkeyPatch, module: str, **functions: Any) -> None:
    """Put a module in the place of one that would run sessions."""
    made = ModuleType(f"myquant.evidence.{module}")
    vars(made).update(functions)
    monkeypatch.setitem(sys.modules, made.__name__, made)


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[BaselinePlan]:
    """Return the plans of the baselines that are asked for; each gets made-up ticks."""
    asked: list[BaselinePlan] = []

    def run_baseline(plan: BaselinePlan, tell: Tell) -> BaselineResult:
        asked.append(plan)
        tell(plan.ticks)
        breakdown = make_breakdown(HOT, ticks=4_000, absent=("dataframe_ops",))
        hash_ = default_strategy().engine_hash
        facts = make_facts(plan.loaded, engine_hash=hash_, rate_per_s=plan.rate_per_s, seed=plan.seed)
        return BaselineResult(build_report(breakdown, facts), breakdown)

    stand_in(monkeypatch, "baseline", run_baseline=run_baseline)
    return asked


def test_a_baseline_prints_its_verdicts_and_leaves_its_files(run: Run, plans: list[BaselinePlan]) -> None:
    ended = run("baseline", "--plain", "--out", "here", "--set", "pipeline.logging=async")
    assert (ended.code, ended.err) == (0, "")
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    assert lines[0] == "Baseline run-1: 4,000 ticks (generated, seed 1), at 470 a second"
    assert any(line.startswith("logging IMPLEMENT 5") and line.endswith("logging: sync -> async") for line in lines)
    assert any(line.startswith("csv_write SKIP ") for line in lines)
    assert "dataframe_ops UNKNOWN - 25.0 frames: append" in lines
    assert "\x1b" not in ended.out
    assert sorted(path.name for path in Path("here").iterdir()) == [
        "baseline.html",
        "baseline_report_20251003-041500.json",
        "config_20251003-041500.toml",
        "decision_20251003-041500.txt",
        "detailed_metrics_20251003-041500.csv",
    ]
    (plan,) = plans
    assert (plan.ticks, plan.rate_per_s, plan.seed, plan.inputs) == (20_000, 470.0, 1, ())
    pipeline = plan.loaded.config.pipeline
    assert (pipeline.handoff, pipeline.logging, pipeline.results, pipeline.frames, pipeline.tick_line_every) == (
        *("queue", "sync", "direct", "append"),
        100,
    )
    assert plan.loaded.origins["pipeline.logging"] == "--plain"


def test_a_baseline_as_json_in_a_folder_of_its_own(run: Run, plans: list[BaselinePlan]) -> None:
    ended = run("baseline", "day.csv", "--ticks", 5_000, "--asap", "--seed", 7, "--json", "--memory")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    (folder,) = Path("runs").iterdir()
    assert folder.name.endswith("-baseline")
    assert load(folder).model_dump(mode="json") == found
    (plan,) = plans
    assert (plan.ticks, plan.rate_per_s, plan.seed, plan.traces_memory) == (5_000, None, 7, True)
    assert plan.inputs == (Path("day.csv"),)
    assert plan.loaded.origins["pipeline.logging"] == "default"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--ticks", "0"], "--ticks 0: fewer than evidence.min_ticks = 2000"),
        (["--ticks", "1999"], "every verdict would be UNKNOWN"),
        (["--rate", "0"], "--rate 0: must be above 0"),
        (["--rate", "nan"], "--rate nan: must be above 0"),
        (["--rate", "5", "--asap"], "--asap and --rate: give one of the two"),
        (["--feed", "nobody"], "--feed nobody: no such broker"),
        (["--feed", "angelone", "day.csv"], "leave day.csv out"),
        (["--feed", "angelone", "--asap"], "has its own pace"),
        (["--set", "evidence.min_ticks=3"], "evidence.min_ticks"),
        (["--ticks", "many"], "a valid integer"),
    ],
)
def test_a_baseline_that_makes_no_sense(
    run: Run, plans: list[BaselinePlan], arguments: list[str], expected: str
) -> None:
    ended = run("baseline", *arguments)
    assert ended.code == 2
    assert len(ended.errors) == 1
    assert expected in ended.errors[0]
    assert plans == []
    assert not Path("runs").exists()


def test_the_gate_prints_verdicts_and_how_to_switch_on(run: Run) -> None:
    path = saved(Path("runs/plain"), HOT)
    ended = run("gate", "runs/plain")
    assert (ended.code, ended.err) == (0, "")
    lines = [line.strip() for line in ended.out.splitlines()]
    assert lines[0] == f"{path}: 4,000 ticks"
    assert "To switch on: --set pipeline.logging=async; --apply writes it down" in lines
    assert any(line.startswith("Recorded  runs/plain/evidence/gate_") for line in lines)
    assert not Path("runs/plain/evidence/overlay.toml").exists()


def test_the_gate_applies_and_the_overlay_is_understood(run: Run) -> None:
    saved(Path("runs/plain"), HOT)
    ended = run("gate", "runs/plain", "--apply", "--json")
    found = json.loads(ended.out)
    assert found["verdicts"][0]["verdict"] == "IMPLEMENT"
    shown = run("config", "show", "--config", found["overlay"]["file"]).out
    assert 'pipeline.logging = "async"' in " ".join(shown.split())
    assert "is so already" in run("gate", "runs/plain", "--apply").out
    assert run("gate", "runs/plain", "--apply", "--overlay", "fast.toml").code == 0
    assert load_config(files=[Path("fast.toml")]).config.pipeline.logging == "async"


def test_the_gate_verifies_with_the_reports_own_configuration(
    run: Run, plans: list[BaselinePlan], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[VerifyPlan] = []

    def verify(plan: VerifyPlan, tell: Tell) -> Verification:
        asked.append(plan)
        tell(1)
        return verification(plan.change, decisions_after="bb")

    stand_in(monkeypatch, "verify", verify=verify)
    assert run("baseline", "--plain", "--out", "here", "--set", "risk.base_sl_points=21").code == 0
    ended = run("gate", "here", "--apply", "--verify")
    assert (ended.code, ended.err) == (0, "")
    assert 'pipeline.logging = "async": REVERTED: the decisions of both runs differ.' in ended.out
    (plan,) = asked
    assert plan.loaded.hash == plans[0].loaded.hash
    assert load_config(files=[Path("here/evidence/overlay.toml")]).config.pipeline.logging == "sync"
    (config,) = Path("here").glob("config_*.toml")
    config.write_text(config.read_text().replace("base_sl_points = 21.0", "base_sl_points = 22.0"))
    again = run("gate", "here", "--verify")
    assert again.code == 2
    assert "is not the configuration that the report was made with" in again.errors[0]


def test_a_report_of_another_engine_is_not_verified(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "verify", verify=None)
    saved(Path("here"), HOT)
    ended = run("gate", "here", "--verify")
    assert ended.code == 2
    assert "the engine or the strategy has changed since this report" in ended.errors[0]


@pytest.mark.parametrize(
    ("make", "code", "expected"),
    [
        ("nothing", 2, "no such file"),
        ("folder", 2, "holds no baseline_report_*.json"),
        ("truncated", 3, "not JSON"),
        ("version", 2, "schema_version 9"),
        ("zero", 3, "no tick was measured"),
        ("few", 3, "1,990 ticks, fewer than evidence.min_ticks = 2000"),
    ],
)
def test_the_gate_on_bad_input(run: Run, make: str, code: int, expected: str) -> None:
    path = Path("bad.json")
    if make == "folder":
        path.mkdir()
    elif make != "nothing":
        text = saved(Path("here"), HOT, ticks=1_990 if make == "few" else 4_000).read_text()
        window = json.loads(text) | {"measurement_window": {"ticks": 0}}
        path.write_text(
            {
                "truncated": text[:1_000],
                "version": text.replace('"schema_version": 1', '"schema_version": 9'),
                "zero": json.dumps(window),
                "few": text,
            }[make]
        )
    ended = run("gate", path)
    assert ended.code == code
    assert len(ended.errors) == 1
    assert expected.replace("measured ", "") in ended.errors[0].replace("measured ticks", "ticks")
    assert not Path("evidence").exists()


def test_the_gate_with_a_configuration_given(run: Run) -> None:
    saved(Path("here"), {"logging": 30.0})
    assert "logging=async" in run("gate", "here", "--set", "evidence.logging_percent=20").out
    Path("mine.toml").write_text("[risk]\nbase_sl_points = 21\n")
    ended = run("gate", "here", "--config", "mine.toml")
    assert ended.code == 2
    assert "of another configuration than the one given" in ended.errors[0]
    assert run("gate", "here", "--overlay", "x.toml").code == 2


def test_compare_exits_with_1_at_a_regression(run: Run) -> None:
    facts = make_facts()
    for name, slower in (("base", 1.0), ("new", 1.5)):
        breakdown = make_breakdown(HOT, slower=slower)
        write_baseline(
            BaselineResult(build_report(breakdown, facts), breakdown), load_config(environment={}), Path(name)
        )
    same = run("compare", "base", "base")
    assert (same.code, same.err) == (0, "")
    assert "No regression is proven." in same.out
    worse = run("compare", "base", "new")
    assert worse.code == 1
    assert "REGRESSION" in worse.out
    assert json.loads(run("compare", "base", "new", "--json").out)["regressions"][0] == "service time"
    assert run("compare", "new", "base").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        ([], 2, "BASE and NEW are missing"),
        (["here"], 2, "BASE and NEW are missing"),
        (["here", "none"], 2, "no such file"),
        (["here", "cut.json"], 3, "not JSON"),
        (["--history", "none"], 2, "holds no baseline_report"),
        (["here", "here", "--history", "here"], 2, "give one of the two"),
    ],
)
def test_compare_on_bad_input(run: Run, arguments: list[str], code: int, expected: str) -> None:
    saved(Path("here"), HOT)
    Path("cut.json").write_text("{")
    ended = run("compare", *arguments)
    assert ended.code == code
    assert expected in ended.errors[0]


def test_a_history_is_printed(run: Run) -> None:
    saved(Path("runs/one"), HOT)
    ended = run("compare", "--history", "runs")
    assert ended.out == "1 reports, 0 changes\n  Too few for a change to show.\n"
    assert json.loads(run("compare", "--history", "runs", "--json").out)["reports"] == 1


def test_helps_fit_the_terminal_and_have_examples(run: Run) -> None:
    for command in ("baseline", "gate", "compare"):
        out = run(command, "--help").out
        assert f"\n    myquant {command} " in out.split("Examples:")[1]
        assert "Exit codes: 0" in out
        assert max(map(len, out.splitlines())) <= 80


def test_the_workload_is_that_of_the_settings_that_make_it() -> None:
    same = [load_config(assignments=[each]) for each in ("pipeline.logging=async", "evidence.pairs=50")]
    assert {workload_hash(each) for each in same} == {workload_hash(load_config())}
    assert workload_hash(load_config(assignments=["journal.durability=process"])) != "" != workload_hash(load_config())
