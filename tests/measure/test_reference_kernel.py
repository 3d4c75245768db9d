import itertools

from myquant.measure.reference import Reference, reference_kernel


def test_the_reference_is_the_median_of_its_last_runs() -> None:
    times = itertools.accumulate([0, 50, 1, 60, 1, 9_000, 1, 55])  # begin and end of each run in turn
    reference = Reference(lambda: next(times))
    assert reference.ns is None
    seen: list[float | None] = []
    for _ in range(4):
        reference.run()
        seen.append(reference.ns)
    assert seen == [50, 55, 60, 57.5]


def test_the_reference_kernel_is_the_same_work_each_time() -> None:
    assert reference_kernel() == reference_kernel()
