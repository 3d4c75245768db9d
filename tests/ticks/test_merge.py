"""The order of merged ticks, against a plain sort."""

from collections.abc import Iterator

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from myquant.ticks.batch import NO_TIME, TickBatch
from myquant.ticks.merge import Keyed, Keys, in_key_order, merged

Row = tuple[int | None, int]  # time (None: unparsable), instrument
FILES = st.lists(
    st.lists(st.tuples(st.none() | st.integers(0, 9), st.integers(0, 2)), min_size=1, max_size=12),
    min_size=1,
    max_size=4,
)


def keys_of(rows: list[Row]) -> list[int]:
    """Return each row's key, by the words of the module's docstring."""
    latest: dict[int, int] = {}
    keys = [NO_TIME]
    for time, who in rows:
        if time is not None:
            latest[who] = max(latest.get(who, time), time)
        keys.append(latest.get(who, keys[-1]))
    return keys[1:]


def batches(rows: list[Row], place: int, size: int) -> Iterator[TickBatch]:
    for begin in range(0, len(rows), size):
        part = rows[begin : begin + size]
        yield TickBatch(
            time_ns=np.array([NO_TIME if time is None else time for time, _ in part], np.int64),
            price=np.arange(begin, begin + len(part)),
            volume=np.full(len(part), place),
            instrument=np.array([who for _, who in part], np.int64),
            lines=range(begin + 2, begin + 2 + len(part)),
            names=(f"file{place}",),
        )


def keyed(rows: list[Row], place: int, size: int) -> Iterator[Keyed]:
    keys = Keys()
    return (Keyed(batch, keys.of(batch)) for batch in batches(rows, place, size))


@given(FILES, st.integers(1, 5))
def test_rows_stand_by_key_then_file_then_row(files: list[list[Row]], size: int) -> None:
    expected = sorted((key, place, row) for place, rows in enumerate(files) for row, key in enumerate(keys_of(rows)))
    streams = [in_key_order(keyed(rows, place, size), size) for place, rows in enumerate(files)]
    found = []
    for batch in merged(streams):
        assert len(batch) > 0
        for row in range(len(batch)):
            place, line = int(batch.volume[row]), int(batch.price[row])
            time, who = files[place][line]
            assert batch.where(row) == (f"file{place}", line + 2)
            assert (batch.time_ns[row], batch.instrument[row]) == (NO_TIME if time is None else time, who)
            found.append((place, line))
    assert found == [(place, row) for _, place, row in expected]


@given(
    st.lists(st.tuples(st.none() | st.integers(0, 9), st.integers(0, 2)), min_size=1, max_size=12), st.integers(1, 5)
)
def test_keys_and_whether_they_rise(rows: list[Row], size: int) -> None:
    keys = Keys()
    found = [key for batch in batches(rows, 0, size) for key in keys.of(batch).tolist()]
    assert found == keys_of(rows)
    assert keys.in_order == (found == sorted(found))


def test_a_file_of_one_instrument_is_always_in_order() -> None:
    keys = Keys()
    times = np.array([NO_TIME, 5, 3, NO_TIME, 7, 6])
    batch = TickBatch(time_ns=times, price=times, volume=times)
    assert keys.of(batch).tolist() == [NO_TIME, 5, 5, 5, 7, 7]
    assert keys.of(batch).tolist() == [7] * 6
    assert keys.in_order
