"""The report as a file: the same again when loaded, and one clear line for every file that is none."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from evidence.baselines import make_report, plain_config, saved
from myquant.errors import ConfigError, DataError
from myquant.evidence.figures import Figure
from myquant.evidence.plan import workload_hash
from myquant.evidence.report import BaselineReport, load


@pytest.fixture(scope="module")
def report() -> BaselineReport:
    return make_report(pauses=5, every=2)


def changed(report: BaselineReport, *path: str, value: Any) -> dict[str, Any]:
    """Return the report's fields with one of them changed, or taken out where the value is Ellipsis."""
    fields = report.model_dump(mode="json")
    inner = fields
    for key in path[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return fields


def test_it_comes_back_equal(report: BaselineReport, tmp_path: Path) -> None:
    path = report.save(tmp_path / "new")
    assert path.name == "baseline_report_20251003-041500.json"
    assert load(path) == report
    assert load(tmp_path / "new") == report
    assert path.read_bytes() == load(path).save(tmp_path / "again").read_bytes()


def test_of_a_folder_the_newest_counts(tmp_path: Path, report: BaselineReport) -> None:
    report.save(tmp_path)
    later = report.model_copy(update={"run": report.run.model_copy(update={"time": "2025-10-04T00:00:00Z"})})
    later.save(tmp_path)
    assert load(tmp_path).run.time == "2025-10-04T00:00:00Z"


def test_it_has_the_parts_that_readers_look_for(tmp_path: Path) -> None:
    found = json.loads(saved(tmp_path).read_text())
    assert found["latency_summary"].keys() >= {"avg", "min", "max", "percentiles", "target_ms", "meets_target"}
    assert list(found["latency_summary"]["percentiles"]) == ["p50", "p90", "p99", "p99.9"]
    assert found["throughput"].keys() >= {"avg_ticks_per_second", "target_tps", "meets_target"}
    each = found["component_breakdown"]["journal"]
    assert each.keys() >= {"call_count", "total", "avg", "min", "max", "p50", "p99", "percent_of_total"}
    assert each["percent_of_total"].keys() == {"value", "low", "high", "n"}
    assert found.keys() >= {"measurement_window", "resource_usage", "gc", "queue", "delivery", "environment"}
    assert found["recommendations"]
    assert found["environment"].keys() >= {"cpu", "governor", "python", "versions", "config_hash", "input_hash"}


@pytest.mark.parametrize(
    "path",
    [
        ("run", "id"),
        ("run", "commit"),
        ("environment", "config_hash"),
        ("environment", "input_hash"),
        ("environment", "cpu"),
        ("environment", "clock"),
        ("instrument", "overhead_percent"),
        ("instrument", "calibration_ns", "mark_ns"),
        ("component_breakdown", "journal", "percent_of_total", "low"),
        ("component_breakdown", "journal", "percent_of_total", "n"),
        ("component_breakdown", "journal", "percent_of_total"),
        ("component_breakdown", "unattributed"),
        ("component_breakdown", "logging"),
        ("latency_summary", "percentiles", "p99.9"),
        ("latency_summary", "handler_only"),
    ],
)
def test_it_refuses_figures_without_what_they_belong_to(report: BaselineReport, path: tuple[str, ...]) -> None:
    if path[-1] == "mark_ns":
        fields = changed(report, "instrument", "calibration_ns", value={})
    else:
        fields = changed(report, *path, value=...)
    with pytest.raises(ValidationError):
        BaselineReport.model_validate_json(json.dumps(fields))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("component_breakdown", "journal", "percent_of_total", "value"), 99.0),
        (("component_breakdown", "logging", "measured"), False),
        (("component_breakdown", "journal", "ticks_entered"), 0),
        (("latency_summary", "max"), 0.0),
        (("environment", "config_hash"), "none"),
        (("run", "time"), "yesterday"),
        (("measurement_window", "sampled_ticks"), 10**9),
        (("exchange_delay", "reason"), ""),
        (("gc", "why"), "it was not watched"),
        (("run", "extra"), 1),
    ],
)
def test_it_refuses_what_contradicts_itself(report: BaselineReport, path: tuple[str, ...], value: Any) -> None:
    with pytest.raises(ValidationError):
        BaselineReport.model_validate_json(json.dumps(changed(report, *path, value=value)))


def test_shares_that_do_not_sum_to_100_are_refused(report: BaselineReport) -> None:
    share = {"value": 50.0, "low": 49.0, "high": 51.0, "n": 2000}
    fields = changed(report, "component_breakdown", "journal", "percent_of_total", value=share)
    with pytest.raises(ValidationError, match="sum to"):
        BaselineReport.model_validate_json(json.dumps(fields))


@pytest.mark.parametrize("edges", [(2.0, 3.0), (-1.0, 0.5)])
def test_a_figure_lies_in_its_interval(edges: tuple[float, float]) -> None:
    with pytest.raises(ValidationError):
        Figure(value=1.0, low=edges[0], high=edges[1], n=10)


def test_provenance_names_all_that_a_figure_must_carry(report: BaselineReport) -> None:
    assert report.provenance.keys() >= {
        *("run", "commit", "ticks", "config_hash", "input_hash", "machine", "clock", "overhead_percent")
    }


def complaint(path: Path, kind: type[Exception], **how: Any) -> str:
    with pytest.raises(kind) as caught:
        load(path, **how)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def test_files_that_are_no_report(tmp_path: Path) -> None:
    assert "no such file" in complaint(tmp_path / "none.json", ConfigError)
    assert "holds no baseline_report_*.json" in complaint(tmp_path, ConfigError)
    whole = saved(tmp_path).read_text()
    for name, text, expected in (
        ("truncated", whole[: len(whole) // 2], "not JSON at line"),
        ("empty", "", "not JSON at line 1"),
        ("list", "[1]", "no report of a baseline"),
        ("other", '{"about": {}}', "it has no schema_version"),
        ("deep", "[" * 100_000, "not JSON"),
        ("damaged", whole.replace('"call_count": 0', '"call_count": "many"', 1), "component_breakdown."),
        ("zero", json.dumps(json.loads(whole) | {"measurement_window": {"ticks": 0}}), "no tick was measured"),
    ):
        path = tmp_path / f"{name}.json"
        path.write_text(text)
        assert expected in complaint(path, DataError)
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in complaint(tmp_path / "bytes.json", DataError)


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    assert "schema_version 2, this myquant reads 1" in complaint(path, ConfigError)


def test_another_configuration_is_refused_when_asked(tmp_path: Path) -> None:
    path = saved(tmp_path)
    same = workload_hash(plain_config("evidence.logging_percent=7", "pipeline.logging=async"))
    assert load(path, workload_hash=same).run.id == "run-1"
    other = workload_hash(plain_config("risk.base_sl_points=21"))
    assert "of another configuration than the one given" in complaint(path, ConfigError, workload_hash=other)


def test_too_few_ticks_are_refused_when_asked(tmp_path: Path) -> None:
    path = saved(tmp_path, ticks=2_000, every=2)
    assert load(path, min_ticks=2_000).measurement_window.sampled_ticks == 1_000
    assert "2,000 measured ticks, fewer than evidence.min_ticks = 2001" in complaint(path, DataError, min_ticks=2_001)


def test_a_folder_that_cannot_be_written(tmp_path: Path, report: BaselineReport) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="can't be written"):
        report.save(tmp_path / "file")
