"""The processor's time and the memory by component, from passes of their own."""

import time
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from measure.spinning import spin
from myquant.errors import ConfigError, DataError
from myquant.measure.names import CORE, CSV_WRITE, DATAFRAME_OPS, INGEST, LOGGING
from myquant.measure.passes import CpuSpans, MemorySpans, cpu_percent
from myquant.measure.spans import DECIDED, ORDERED, Spans

TICKS = 40


@pytest.fixture
def _traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def work(spans: Spans) -> None:
    """Half of what logging takes is waiting."""
    for _ in range(TICKS):
        spans.begin(time.monotonic_ns(), time.monotonic_ns())
        spans.mark(LOGGING)
        spin(300_000)
        time.sleep(0.0003)
        spans.mark(CSV_WRITE)
        spin(300_000)
        spans.end()


def test_a_component_that_waits_has_less_of_the_processors_time_than_of_ours() -> None:
    cpu, wall = CpuSpans(TICKS), Spans(TICKS)
    work(cpu)
    work(wall)
    found = cpu_percent(cpu.breakdown(), wall.breakdown())
    assert 0 < found["logging"].value < 0.8 * found["csv_write"].value
    for each in found.values():
        assert each.low <= each.value <= each.high
    assert "dataframe_ops" not in found


def test_a_sampled_pass_keeps_its_clock() -> None:
    cpu = CpuSpans(100)
    cpu.sample_every(10, seed=1)
    for _ in range(100):
        cpu.begin(time.monotonic_ns(), time.monotonic_ns())
        cpu.end()
    assert cpu.breakdown().service_ns.max() < 1e9  # the monotonic clock is no part of it


def test_too_few_ticks_have_no_interval() -> None:
    cpu, wall = CpuSpans(5), Spans(5)
    for spans in (cpu, wall):
        spans.begin(0, 0)
        spans.mark(LOGGING)
        spans.end()
    with pytest.raises(DataError, match="too few for an interval"):
        cpu_percent(cpu.breakdown(), wall.breakdown())


@pytest.mark.usefixtures("_traced")
def test_memory_is_that_of_the_component_that_took_it() -> None:
    spans = MemorySpans()
    kept = []
    for tick in range(10):
        spans.begin(0, 0)
        spans.mark(INGEST)
        spans.mark(DATAFRAME_OPS)
        kept.append(np.ones(10_000))
        spans.mark(CORE)
        spans.note(DECIDED)
        spans.note_at(ORDERED, 0)
        spans.add(INGEST, 5)
        spans.mark(LOGGING)
        bytes(500_000)
        spans.end()
        bytearray(1_000_000)  # between ticks
        assert spans.tick == tick
    found = spans.memory_by_component()
    assert found["dataframe_ops"].kept_bytes == pytest.approx(800_000, rel=0.02)
    assert found["dataframe_ops"].peak_bytes == pytest.approx(80_000, rel=0.02)
    assert found["logging"].kept_bytes < 10_000
    assert found["logging"].peak_bytes == pytest.approx(500_000, rel=0.02)
    assert found["ingest"].kept_bytes < 10_000
    assert set(found) == {"unattributed", "ingest", "dataframe_ops", "logging"}


def test_a_pass_for_memory_needs_tracing() -> None:
    with pytest.raises(ConfigError, match=r"call tracemalloc.start\(\)"):
        MemorySpans().begin(0, 0)
