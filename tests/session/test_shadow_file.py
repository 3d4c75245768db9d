"""The shadow's comparison on disk: it goes on after a restart, and a file that can't be used costs nothing else."""

import json
from pathlib import Path

import pytest

from myquant.core import codes
from myquant.errors import ConfigError, DataError
from myquant.session.shadow import Shadow
from myquant.session.shadow_file import EVERY_S, FILE, ShadowFile
from session.test_shadow import MS, SECOND, AtVenue, real, submit, tick


def trade(beside: Shadow, order_id: int, worse_paise: int) -> None:
    at = order_id * SECOND
    beside.order(submit(order_id, codes.BUY, time_ns=at))
    beside.see(tick(at + 100 * MS, 9_990, 10_000))
    beside.hear(real(codes.FILL, order_id, at + 200 * MS, 75, 10_000 + worse_paise))


def test_the_comparison_goes_on_after_a_restart(tmp_path: Path) -> None:
    first = Shadow(AtVenue())
    file = ShadowFile(tmp_path, first)
    file.load()  # there is none yet
    trade(first, 1, 10)
    first.order(submit(2, codes.BUY, time_ns=2 * SECOND))
    first.hear(real(codes.ORDER_REJECT, 2, 2 * SECOND + MS, code=codes.BY_VENUE))
    first.see(tick(3 * SECOND, 9_990, 10_000))
    first.order(submit(3, codes.BUY, time_ns=4 * SECOND))
    file.store()
    second = Shadow(AtVenue())
    file = ShadowFile(tmp_path, second)
    file.load()
    assert second.compared == first.compared
    trade(second, 4, 20)
    file.store()
    summary = second.summary()
    assert (summary.orders, summary.refused, summary.under_way, summary.cut_short) == (2, 1, 0, 1)
    assert summary.worse_mean_paise == 15.0
    table = json.loads((tmp_path / FILE).read_text())
    assert (table["orders"], table["worse_mean_paise"]) == (2, 15.0)
    assert [each["worse_paise"] for each in table["compared"]] == [10.0, 20.0]
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_it_is_due_once_a_minute_where_something_was_added(tmp_path: Path) -> None:
    beside = Shadow(AtVenue())
    file = ShadowFile(tmp_path, beside)
    assert not any(file.is_due() for _ in range(EVERY_S))
    trade(beside, 1, 10)
    assert [file.is_due() for _ in range(EVERY_S)] == [False] * (EVERY_S - 1) + [True]
    file.store()
    assert not any(file.is_due() for _ in range(EVERY_S))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1, "compared": [{}]}', "\xff"])
def test_a_damaged_file_is_told_and_the_shadow_begins_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text, encoding="latin-1")
    beside = Shadow(AtVenue())
    with pytest.raises(DataError, match="begins anew"):
        ShadowFile(tmp_path, beside).load()
    assert (beside.compared, beside.ended) == ([], (0, 0))


def test_a_folder_that_takes_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be written"):
        ShadowFile(tmp_path / "gone", Shadow(AtVenue())).store()
