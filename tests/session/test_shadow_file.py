"""The shadow's comparison on disk: it goes on after a restart, and a file that can't be used costs nothing else."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from myquant.core import codes
from myquant.errors import ConfigError, DataError, MyquantError
from myquant.session.shadow import Shadow
from myquant.session.shadow_file import AT_A_TIME, FILE, LINES, RETRY_S, ShadowFile
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


def table(folder: Path) -> dict[str, Any]:
    """Return the whole without what is other after each end of a process."""
    found: dict[str, Any] = json.loads((folder / FILE).read_text())
    return {name: value for name, value in found.items() if name not in {"under_way", "cut_short"}}


def refuse(beside: Shadow, order_id: int) -> None:
    beside.order(submit(order_id, codes.BUY, time_ns=order_id * SECOND))
    beside.hear(real(codes.ORDER_REJECT, order_id, order_id * SECOND + MS, code=codes.BY_VENUE))
    beside.see(tick((order_id + 1) * SECOND, 9_990, 10_000))


def test_a_process_that_is_killed_loses_nothing_that_was_added(tmp_path: Path) -> None:
    beside = Shadow(AtVenue())
    file = ShadowFile(tmp_path, beside)
    for order_id in range(1, 2 * AT_A_TIME + 2):
        trade(beside, order_id, order_id)
    refuse(beside, 100)
    sizes = []
    for _ in range(5):
        file.add()
        sizes.append((tmp_path / LINES).stat().st_size)
        if len(sizes) == 2:
            trade(beside, 200, 1)
    assert sizes[0] < sizes[1] < sizes[2] == sizes[3], "a few orders at a time, and nothing without any"
    with (tmp_path / LINES).open("ab") as lines:
        lines.write(b'{"format": 1, "from": 18, "com')  # the kill
    again = Shadow(AtVenue())
    taken_up = ShadowFile(tmp_path, again)
    taken_up.load()
    assert (again.compared, again.ended) == (beside.compared, (2 * AT_A_TIME + 2, 1))
    trade(again, 300, 2)
    taken_up.add()
    last = Shadow(AtVenue())
    ShadowFile(tmp_path, last).load()
    assert last.compared == again.compared
    taken_up.store()
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert len(table(tmp_path)["compared"]) == 2 * AT_A_TIME + 3


def test_a_kill_between_the_whole_and_the_end_of_the_lines_counts_nothing_twice(tmp_path: Path) -> None:
    beside = Shadow(AtVenue())
    file = ShadowFile(tmp_path, beside)
    trade(beside, 1, 1)
    file.add()
    lines = (tmp_path / LINES).read_bytes()
    refuse(beside, 2)
    trade(beside, 3, 3)
    file.store()
    before = table(tmp_path)
    (tmp_path / LINES).write_bytes(lines)
    again = Shadow(AtVenue())
    taken_up = ShadowFile(tmp_path, again)
    taken_up.load()
    assert again.compared == beside.compared
    taken_up.store()
    assert table(tmp_path) == before


def test_what_is_added_does_not_take_the_longer_the_more_there_is(tmp_path: Path) -> None:
    beside = Shadow(AtVenue())
    file = ShadowFile(tmp_path, beside)
    trade(beside, 1, 1)
    beside.compared *= 2 * AT_A_TIME
    before = 0
    for orders in (AT_A_TIME, 2 * AT_A_TIME):
        file.add()
        added = (tmp_path / LINES).read_bytes()[before:]
        before += len(added)
        (line,) = added.splitlines()
        assert (json.loads(line)["from"], len(json.loads(line)["compared"])) == (orders - AT_A_TIME, AT_A_TIME)


def test_a_disk_that_refuses_a_line_is_asked_again_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = Shadow(AtVenue())
    file = ShadowFile(tmp_path, beside)
    trade(beside, 1, 1)

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", refuse)
        with pytest.raises(MyquantError, match="free the disk"):
            file.add()
        for _ in range(RETRY_S - 1):
            file.add()
        with pytest.raises(MyquantError, match="free the disk"):
            file.add()
    for _ in range(RETRY_S):
        file.add()
    again = Shadow(AtVenue())
    ShadowFile(tmp_path, again).load()
    assert again.compared == beside.compared


@pytest.mark.parametrize("text", ["{\n", "[]\n", '{"format": 1, "from": 3, "compared": []}\n'])
def test_damaged_lines_are_told_and_the_shadow_begins_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / LINES).write_text(text)
    beside = Shadow(AtVenue())
    file = ShadowFile(tmp_path, beside)
    with pytest.raises(DataError, match="begins anew"):
        file.load()
    trade(beside, 1, 1)
    file.add()
    again = Shadow(AtVenue())
    ShadowFile(tmp_path, again).load()
    assert again.compared == beside.compared


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
