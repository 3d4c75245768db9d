"""What a process uses, sampled beside it."""

import subprocess
import sys
import threading

import psutil
import pytest

from measure.spinning import FakeClock, spin
from myquant.errors import ConfigError
from myquant.measure.resources import ResourceSampler, children_of


def test_samples_have_all_resources_and_gauges() -> None:
    depths = iter(range(100))
    sampler = ResourceSampler({"handoff_depth": lambda: next(depths)})
    for _ in range(3):
        sampler.sample()
    found = sampler.samples()
    assert list(found) == [
        *("time_ns", "rss_mib", "cpu_percent", "threads", "children"),
        *("collections_0", "collections_1", "collections_2", "handoff_depth"),
    ]
    assert found["handoff_depth"].tolist() == [0, 1, 2]
    assert found["rss_mib"][0] == pytest.approx(psutil.Process().memory_info().rss / 2**20, rel=0.2)
    assert (found["threads"] >= 1).all()


def test_it_samples_by_itself_and_ends_its_thread() -> None:
    before = threading.active_count()
    seen = threading.Event()

    def gauge() -> float:
        seen.set()
        return 7.0

    with ResourceSampler({"depth": gauge}, interval_s=0.01) as sampler:
        assert seen.wait(10)
    assert threading.active_count() == before
    assert set(sampler.samples()["depth"]) == {7}


def test_a_run_shorter_than_the_interval_has_one_sample() -> None:
    with ResourceSampler() as sampler:
        pass
    assert len(sampler.samples()["time_ns"]) == 1


def test_the_processors_time_is_that_of_this_process() -> None:
    clock = FakeClock()
    sampler = ResourceSampler(clock=clock)
    spin(20_000_000)
    clock.sleep(40_000_000)  # of which it worked a half, or less where others had the processor
    sampler.sample()
    clock.sleep(10**12)
    sampler.sample()
    busy, idle = sampler.samples()["cpu_percent"]
    assert 0 < idle < 1 < busy < 200


def test_children_are_counted() -> None:
    before = children_of(psutil.Process())
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert children_of(psutil.Process()) == before + 1
    finally:
        child.communicate(b"\n", timeout=30)


def test_samples_without_room_and_refused_ones_are_counted() -> None:
    def refuse() -> float:
        raise OSError("closed")

    sampler = ResourceSampler(capacity=2)
    for _ in range(5):
        sampler.sample()
    assert (len(sampler.samples()["threads"]), sampler.unrecorded) == (2, 3)
    sampler = ResourceSampler({"depth": refuse})
    sampler.sample()
    assert (len(sampler.samples()["threads"]), sampler.failed) == (0, 1)


def test_a_sampler_that_can_not_be() -> None:
    with pytest.raises(ConfigError, match="give an interval"):
        ResourceSampler(interval_s=0)
    with pytest.raises(ConfigError, match="no other resource has"):
        ResourceSampler({"threads": lambda: 1.0})
