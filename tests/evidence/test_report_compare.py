"""Two reports, two benchmarks, and a folder of reports: what became slower, and what only seems so."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evidence.baselines import make_breakdown, make_facts, make_report, plain_config
from myquant.errors import ConfigError, DataError
from myquant.evidence.build import build_report
from myquant.evidence.compare import (
    IMPROVEMENT,
    OTHER,
    REGRESSION,
    SAME,
    Compared,
    Line,
    compare_files,
    compare_reports,
)
from myquant.evidence.report import BaselineReport
from myquant.evidence.trend import trend

SHARES = {"logging": 30.0, "journal": 20.0, "ingest": 30.0}
REFERENCE = np.full(400, 50_000.0)


def report(*, slower: float = 1.0, seed: int = 1, reference: Any = REFERENCE, **how: Any) -> BaselineReport:
    """Return a report of ticks that take `slower` times as long, on a machine whose speed hardly wanders."""
    breakdown = make_breakdown(how.pop("shares", SHARES), ticks=4_000, seed=seed, slower=slower, **how)
    return build_report(breakdown, make_facts(reference_ns=reference))


def line(found: Compared, name: str) -> Line:
    return next(each for each in found.lines if each.name == name)


def test_a_report_does_not_differ_from_itself() -> None:
    same = report()
    found = compare_reports(same, same)
    assert found.regressions == ()
    assert {each.verdict for each in found.lines} <= {SAME, OTHER}
    assert found.notes == ()


def test_noise_is_no_regression() -> None:
    pairs = [(report(seed=2 * at), report(seed=2 * at + 1)) for at in range(1, 5)]
    assert [name for base, new in pairs for name in compare_reports(base, new).regressions] == []


def test_a_component_that_takes_longer_is_found_and_no_other() -> None:
    base = report(shares=SHARES)
    slowed = make_breakdown(SHARES, ticks=4_000)
    own = slowed.self_ns.copy()
    own[:, 6] *= 2
    stamps = slowed.stamps.copy()
    stamps["done_ns"] += (own - slowed.self_ns).sum(axis=1).astype(np.int64)
    facts = make_facts(reference_ns=REFERENCE)
    new = build_report(replace(slowed, self_ns=own, raw_ns=own, stamps=stamps), facts)
    found = compare_reports(base, new)
    assert [each.name for each in found.regressions] == ["service time", "journal"]
    journal = line(found, "journal")
    assert journal.low_percent is not None
    assert journal.high_percent is not None
    assert journal.low_percent < 100 < journal.high_percent
    back = compare_reports(new, base)
    assert back.regressions == ()
    assert line(back, "journal").verdict == IMPROVEMENT


def test_a_slower_machine_is_no_slower_program() -> None:
    base = report()
    assert compare_reports(base, report(slower=1.5, reference=REFERENCE * 1.5)).regressions == ()
    assert compare_reports(base, report(slower=1.5)).regressions != ()
    without = compare_reports(base, report(slower=1.3, reference=None))
    assert without.regressions == ()
    assert without.notes == ("not normalised by the reference kernel: only gross differences show",)


POLLED = {"queue_ops": 80.0, "indicator_update": 10.0}


def of_parts(slower: dict[str, float], seed: int, reference_ns: float) -> BaselineReport:
    """Return a report of polled ticks, of which some parts take longer."""
    made = make_breakdown(POLLED, ticks=4_000, seed=seed)
    own = made.self_ns * [slower.get(name, 1.0) for name in made.names]
    stamps = made.stamps.copy()
    stamps["done_ns"] += (own - made.self_ns).sum(axis=1).astype(np.int64)
    facts = make_facts(reference_ns=np.full(400, reference_ns))
    return build_report(replace(made, self_ns=own, raw_ns=own, stamps=stamps), facts)


@pytest.mark.parametrize("now_ns", [45_000.0, 50_000.0, 55_000.0])
def test_waiting_is_not_divided_and_work_is(now_ns: float) -> None:
    base, speed = of_parts({}, 1, 50_000.0), now_ns / 50_000
    work = dict.fromkeys(("indicator_update", "unattributed"), speed)
    found = compare_reports(base, of_parts(work, 1, now_ns))
    assert found.regressions == ()
    assert {line(found, name).verdict for name in ("queue_ops", "service time", "indicator_update")} == {SAME}
    assert "only gross differences" in line(found, "queue_ops").note
    slower = compare_reports(base, of_parts(work | {"indicator_update": 1.25 * speed}, 1, now_ns))
    assert [each.name for each in slower.regressions] == ["indicator_update"]
    assert line(slower, "indicator_update").change_percent == pytest.approx(25, abs=1)


def in_stretches(means: list[float]) -> BaselineReport:
    """Return a report of which a component took so long in each of its stretches."""
    made = report()
    parts = dict(made.component_breakdown)
    parts["csv_write"] = parts["journal"].model_copy(update={"batch_means": tuple(means)})
    return made.model_copy(update={"component_breakdown": parts})


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([0.0, 4.0] * 20, [0.0, 4.0] * 20, SAME),
        ([0.0, 4.0] * 20, [0.0, 8.0] * 20, REGRESSION),
        ([0.0, 0.0, 0.0, 4.0] * 10, [1.0] * 40, SAME),
        ([0.0, 0.0, 0.0, 0.0, 4.0] * 8, [8.0] * 40, OTHER),  # eight stretches are too few
        ([0.0] * 40, [8.0] * 40, OTHER),
        ([4.0] * 9, [8.0] * 9, OTHER),
    ],
)
def test_stretches_without_a_component_are_merged_with_their_neighbours(
    before: list[float], after: list[float], expected: str
) -> None:
    found = line(compare_reports(in_stretches(before), in_stretches(after)), "csv_write")
    assert found.verdict == expected
    assert (found.note == "in too few ticks") == (expected == OTHER)


def test_what_can_not_be_compared_says_why() -> None:
    found = compare_reports(report(), report(absent=("journal", "dataframe_ops")))
    assert line(found, "journal").note == "not measured in NEW"
    assert line(found, "csv_write").note == "in too few ticks"
    assert line(compare_reports(report(absent=("gc",)), report(absent=("gc",))), "gc").note == "in neither"


def test_notes_say_what_else_sets_them_apart() -> None:
    facts = make_facts(plain_config("pipeline.logging=async", "risk.base_sl_points=21"), input_hash="ef" * 32)
    found = compare_reports(make_report(SHARES), build_report(make_breakdown(SHARES), facts))
    assert found.notes == (
        "the configurations differ: the work of a tick may, too",
        "the ticks differ",
        "pipeline.logging: sync in BASE, async in NEW",
    )


def bench(path: Path, rows: list[dict[str, Any]], **about: Any) -> Path:
    found = {"about": {"cpu": "one", **about}, "sections": [{"name": "core: the engine", "rows": rows, "notes": []}]}
    path.write_text(json.dumps(found))
    return path


def row(name: str, middle: float, **how: Any) -> dict[str, Any]:
    """Return a row whose quartiles lie 1 % off its median."""
    spread = {"median": middle, "low": middle * 0.99, "high": middle * 1.01, "n": how.pop("n", 9)}
    ratio = how.pop("ratio", None)
    ratio = ratio and {"median": ratio, "low": ratio * 0.99, "high": ratio * 1.01, "n": 9}
    return {"name": name, "unit": "us", "ours": spread, "ratio": ratio, "goal": None, "met": None, "note": ""} | how


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"ratio": 2.0, "goal": "<= 3.00"}, {"ratio": 2.4, "goal": "<= 3.00"}, REGRESSION),
        ({"ratio": 2.0, "goal": "<= 3.00"}, {"ratio": 2.02, "goal": "<= 3.00"}, SAME),
        ({"ratio": 2.0, "goal": ">= 3.00"}, {"ratio": 2.4, "goal": ">= 3.00"}, IMPROVEMENT),
        ({"ratio": 2.0, "goal": ">= 3.00"}, {"ratio": 1.6, "goal": ">= 3.00"}, REGRESSION),
        ({}, {"middle": 115.0}, SAME),
        ({}, {"middle": 500.0}, REGRESSION),
        ({}, {"middle": 20.0}, IMPROVEMENT),
        ({"unit": "packets/s"}, {"middle": 20.0, "unit": "packets/s"}, REGRESSION),
        ({"unit": "cats"}, {"middle": 20.0, "unit": "cats"}, "changed"),
        ({"n": 1}, {"middle": 500.0}, OTHER),
        ({"unit": "ms"}, {"middle": 500.0}, OTHER),
        ({"middle": 0.0}, {"middle": 1.0}, OTHER),
    ],
)
def test_rows_of_a_benchmark(tmp_path: Path, before: dict[str, Any], after: dict[str, Any], expected: str) -> None:
    base = bench(tmp_path / "base.json", [row("a", before.pop("middle", 100.0), **before)])
    new = bench(tmp_path / "new.json", [row("a", after.pop("middle", 100.0), **after)])
    (found,) = compare_files(base, new).lines
    assert (found.name, found.verdict) == ("core: a", expected)


def test_rows_that_only_one_benchmark_has_and_goals_that_were_met_once(tmp_path: Path) -> None:
    base = bench(tmp_path / "base.json", [row("a", 1.0, n=1, goal="<= 2", met=True), row("b", 1.0)])
    new = bench(tmp_path / "new.json", [row("a", 3.0, n=1, goal="<= 2", met=False), row("c", 1.0)], cpu="another")
    found = compare_files(base, new)
    assert found.lines[0].note == "of 1 rounds; the goal is no longer met"
    assert found.notes == ("core: b: only in BASE", "core: c: only in NEW", "the cpu differs")


def test_files_that_can_not_be_compared(tmp_path: Path) -> None:
    good = report().save(tmp_path)
    results = bench(tmp_path / "results.json", [row("a", 1.0)])
    for path, kind, expected in (
        (results, ConfigError, "compare two of one kind"),
        (tmp_path / "none.json", ConfigError, "no such file"),
        (_put(tmp_path / "cut.json", "{"), DataError, "not JSON"),
        (_put(tmp_path / "other.json", "{}"), DataError, "neither the one nor the other"),
    ):
        with pytest.raises(kind, match=expected):
            compare_files(good, path)
    for text in ('{"about": {}, "sections": []}', '{"about": {}, "sections": [{"name": "a", "rows": [{}]}]}'):
        with pytest.raises(DataError):
            compare_files(_put(tmp_path / "x.json", text), results)


def _put(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def history(folder: Path, factors: list[float]) -> None:
    base = report()
    for day, factor in enumerate(factors, 1):
        means = tuple(factor * (1 + 0.002 * (day % 3)) * mean for mean in base.service_means)
        run = base.run.model_copy(update={"time": f"2025-10-{day:02d}T04:00:00Z", "id": f"run-{day}"})
        base.model_copy(update={"run": run, "service_means": means}).save(folder / f"run-{day}")


def test_a_history_says_since_when(tmp_path: Path) -> None:
    history(tmp_path, [1.0] * 8 + [1.25] * 6)
    _put(tmp_path / "baseline_report_x.json", "{")
    found = trend(tmp_path)
    assert [(turn.name, turn.run) for turn in found.turns] == [("service time", "run-9")]
    assert found.turns[0].percent == pytest.approx(25, abs=1)
    assert found.reports == 14
    assert len(found.left_out) == 1


def test_a_history_on_another_machine_has_no_change(tmp_path: Path) -> None:
    base = of_parts({}, 1, 50_000.0)
    assert base.reference_ns is not None
    for day in range(1, 15):
        wobble = 1 + 0.002 * (day % 3)
        speed = 1.0 if day < 9 else 0.8
        parts = {
            name: part.model_copy(
                update={"batch_means": tuple(wobble * factors.get(name, 1.0) * mean for mean in part.batch_means)}
            )
            for factors in [{"indicator_update": speed if day < 9 else 1.25 * speed}]
            for name, part in base.component_breakdown.items()
        }
        ns = 50_000.0 * speed
        reference = base.reference_ns.model_copy(update={"value": ns, "low": ns, "high": ns})
        run = base.run.model_copy(update={"time": f"2025-10-{day:02d}T04:00:00Z", "id": f"run-{day}"})
        changed = {"run": run, "component_breakdown": parts, "reference_ns": reference}
        base.model_copy(update=changed).save(tmp_path / f"run-{day}")
    # Only what computes is slower: the waiting, and what may be that (unattributed), take as long as before.
    assert [(turn.name, turn.run) for turn in trend(tmp_path).turns] == [("indicator_update", "run-9")]


def test_a_history_without_a_change_or_too_short(tmp_path: Path) -> None:
    history(tmp_path / "flat", [1.0] * 10)
    assert trend(tmp_path / "flat").turns == ()
    history(tmp_path / "short", [1.0, 1.0, 2.0])
    assert trend(tmp_path / "short").is_too_short
    with pytest.raises(ConfigError, match=r"holds no baseline_report"):
        trend(tmp_path / "none")
