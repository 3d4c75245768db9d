"""The public instrument: what it reports of known work, and what it refuses. On a clock that is told the time."""

import csv
import gc
import json
from pathlib import Path

import pytest

from measure.spinning import FakeClock
from myquant.errors import ConfigError
from myquant.measure.calibration import FREE
from myquant.measure.instrumentor import PerformanceInstrumentor
from myquant.measure.spans import OWN_MAX


def make(*components: str, capacity: int = 200) -> tuple[FakeClock, PerformanceInstrumentor]:
    clock = FakeClock()
    return clock, PerformanceInstrumentor(components, capacity, clock=clock, calibration=FREE)


def some_ticks(clock: FakeClock, made: PerformanceInstrumentor, ticks: int) -> None:
    """Run ticks of 100 ns: 20 nobody's, logging 50 in two spans, csv_write 30 inside one of them."""
    for _ in range(ticks):
        made.start_tick()
        clock.sleep(20)
        with made.measure("logging"):
            clock.sleep(15)
            with made.measure("csv_write"):
                clock.sleep(30)
            clock.sleep(15)
        with made.measure("logging"):
            clock.sleep(20)
        made.end_tick()


def shares(made: PerformanceInstrumentor) -> dict[str, float]:
    return {each.name: each.percent_of_total for each in made.components()}


def test_nested_and_repeated_spans_are_self_times_that_add_up() -> None:
    clock, made = make()
    some_ticks(clock, made, 50)
    assert shares(made) == {"unattributed": 20, "logging": 50, "csv_write": 30, "gc": 0}
    logging = next(each for each in made.components() if each.name == "logging")
    assert logging.call_count == 100
    assert (logging.total_ns, logging.avg_ns, logging.min_ns, logging.max_ns) == (2_500, 50, 50, 50)
    assert logging.percent_interval == pytest.approx((50, 50, 50, 50))


def test_a_span_within_itself_is_one_time() -> None:
    clock, made = make()
    made.start_tick()
    with made.measure("mine"):
        clock.sleep(10)
        with made.measure("mine"):
            clock.sleep(10)
        clock.sleep(10)
    made.end_tick()
    assert shares(made) == {"unattributed": 0, "gc": 0, "mine": 100}
    assert made.get_baseline_report()["component_breakdown"]["mine"]["call_count"] == 2


def test_an_exception_leaves_the_span_and_passes() -> None:
    clock, made = make()

    def fail() -> None:
        clock.sleep(40)
        raise ZeroDivisionError

    made.start_tick()
    with pytest.raises(ZeroDivisionError), made.measure("mine"):
        fail()
    clock.sleep(60)
    made.end_tick()
    assert shares(made)["mine"] == 40


@pytest.mark.parametrize(("true_percent", "is_above"), [(45, True), (22, False), (39, False), (41, True)])
def test_workloads_on_which_others_err_come_out_as_they_are(true_percent: int, *, is_above: bool) -> None:
    """Logging is nested in another span and repeated, and there is work that no span covers."""
    clock, made = make()
    for _ in range(50):
        made.start_tick()
        clock.sleep(25)  # unmeasured
        with made.measure("order_send"):
            clock.sleep(5)
            with made.measure("logging"):
                clock.sleep(true_percent - 10)
        for _ in range(2):
            with made.measure("logging"):
                clock.sleep(5)
        clock.sleep(100 - 30 - true_percent)
        made.end_tick()
    found = shares(made)
    assert found["logging"] == pytest.approx(true_percent)
    assert (found["logging"] > 40) == is_above
    assert sum(found.values()) == pytest.approx(100, abs=0.1)


def test_what_was_measured_elsewhere_counts_as_given() -> None:
    clock, made = make()
    made.start_tick()
    clock.sleep(100)
    made.record_measurement("csv_write", 30)
    made.record_measurement("csv_write", 9.6)
    made.end_tick()
    made.start_tick()
    made.record_measurement("logging", 60)  # in another thread
    made.end_tick()
    first, second = made.ticks()
    assert first.components == {"unattributed": 60, "logging": 0, "csv_write": 40, "gc": 0}
    assert (first.duration_ns, second.duration_ns) == (100, 60)
    assert second.components["logging"] == 60


def test_the_report_is_plain_data() -> None:
    clock, made = make("risk")
    some_ticks(clock, made, 60)
    report = json.loads(json.dumps(made.get_baseline_report()))
    assert report["ticks"] == report["latency_summary"]["n"] == 60
    assert report["latency_summary"]["p99"] == report["latency_summary"]["max"] == 100
    assert report["throughput"]["capacity_ticks_per_second"] == pytest.approx(1e7)
    assert report["unattributed"] == report["component_breakdown"]["unattributed"]
    assert set(report["component_breakdown"]) == {"unattributed", "logging", "csv_write", "gc", "risk"}
    assert report["component_breakdown"]["logging"]["percent_of_total"] == pytest.approx(
        {"value": 50, "low": 50, "high": 50, "n": 60}
    )
    assert report["overhead"]["percent"]["value"] == 0
    total = sum(each["percent_of_total"]["value"] for each in report["component_breakdown"].values())
    assert total == pytest.approx(100, abs=0.1)


def test_few_ticks_have_shares_but_no_interval() -> None:
    clock, made = make()
    some_ticks(clock, made, 39)
    assert made.get_baseline_report()["unattributed"]["percent_of_total"] == {
        "value": 20, "low": None, "high": None, "n": 0,
    }  # fmt: skip


def test_a_real_clock_is_calibrated_and_its_cost_reported() -> None:
    made = PerformanceInstrumentor(capacity=100)
    for _ in range(50):
        made.start_tick()
        with made.measure("logging"):
            sum(range(1_000))
        made.end_tick()
    overhead = made.get_baseline_report()["overhead"]
    assert overhead["calibration"]["mark_ns"]["value"] > 0
    assert 0 < overhead["per_tick"]["low"] <= overhead["per_tick"]["value"] <= overhead["per_tick"]["high"]
    assert all(tick.overhead_ns > 0 for tick in made.ticks())


def test_the_collector_is_watched_in_ticks_only() -> None:
    made = PerformanceInstrumentor(capacity=10, calibration=FREE)
    before = len(gc.callbacks)
    made.start_tick()
    gc.collect(0)
    made.end_tick()
    assert len(gc.callbacks) == before
    stats = next(each for each in made.components() if each.name == "gc")
    assert stats.call_count >= 1
    assert stats.total_ns > 0


def test_metrics_are_a_row_per_tick(tmp_path: Path) -> None:
    clock, made = make()
    some_ticks(clock, made, 5)
    made.save_detailed_metrics(tmp_path / "metrics.csv")
    with (tmp_path / "metrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5
    assert rows[4] == {
        "tick": "4",
        "begun_ns": "1400",
        "duration_ns": "100.0",
        "overhead_ns": "0.0",
        "unattributed_ns": "20.0",
        "logging_ns": "50.0",
        "csv_write_ns": "30.0",
        "gc_ns": "0.0",
    }


def test_ticks_without_room_are_counted() -> None:
    clock, made = make(capacity=10)
    some_ticks(clock, made, 25)
    report = made.get_baseline_report()
    assert (report["ticks"], report["dropped_ticks"]) == (10, 15)


def test_ticks_whose_spans_have_no_room_are_counted() -> None:
    clock, made = make(capacity=2)
    for _ in range(2):
        made.start_tick()
        for _ in range(10):
            with made.measure("mine"):
                clock.sleep(1)
        made.end_tick()
    report = made.get_baseline_report()
    assert (report["ticks"], report["dropped_ticks"]) == (1, 1)


def test_calls_out_of_order_are_refused() -> None:
    clock, made = make()
    with pytest.raises(ConfigError, match="end_tick: no tick is under way: call start_tick first"):
        made.end_tick()
    with pytest.raises(ConfigError, match=r"measure\('mine'\): no tick is under way"), made.measure("mine"):
        pass
    with pytest.raises(ConfigError, match=r"record_measurement.*no tick is under way"):
        made.record_measurement("mine", 5)
    made.start_tick()
    with pytest.raises(ConfigError, match="start_tick: the tick before is not over: call end_tick first"):
        made.start_tick()
    with made.measure("mine"):
        with pytest.raises(ConfigError, match=r"end_tick: inside measure\('mine'\): leave it first"):
            made.end_tick()
        clock.sleep(5)
    made.end_tick()
    assert shares(made)["mine"] == 100


@pytest.mark.parametrize("duration", [-1, -0.5, float("nan"), float("inf")])
def test_a_duration_that_is_none_is_refused(duration: float) -> None:
    _, made = make()
    made.start_tick()
    with pytest.raises(ConfigError, match="give 0 or more"):
        made.record_measurement("logging", duration)


@pytest.mark.parametrize("name", ["", " ", "unattributed", "gc", 7])
def test_a_name_that_can_not_be_a_component(name: str) -> None:
    _, made = make()
    with pytest.raises(ConfigError, match="give a component's name"):
        made.measure(name)


def test_more_components_than_there_is_room_for_are_refused() -> None:
    _, made = make()
    for number in range(OWN_MAX):
        made.measure(f"part {number}")
    with pytest.raises(ConfigError, match="take fewer names"):
        made.measure("one more")


def test_without_a_tick_there_is_nothing_to_tell(tmp_path: Path) -> None:
    _, made = make()
    for ask in (made.get_baseline_report, made.components, lambda: list(made.ticks())):
        with pytest.raises(ConfigError, match="no tick was recorded"):
            ask()
    with pytest.raises(ConfigError, match="no tick was recorded"):
        made.save_detailed_metrics(tmp_path / "metrics.csv")


def test_a_path_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    clock, made = make()
    some_ticks(clock, made, 1)
    with pytest.raises(ConfigError, match=r"can't be written .*give a file in a folder that exists"):
        made.save_detailed_metrics(tmp_path / "nowhere" / "metrics.csv")
    with pytest.raises(ConfigError, match="can't be written"):
        made.save_detailed_metrics(tmp_path)


def test_one_name_by_itself_is_no_list_of_names() -> None:
    with pytest.raises(ConfigError, match="give the names in a tuple"):
        PerformanceInstrumentor(components="model")
