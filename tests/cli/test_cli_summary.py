"""What a summary for people says of orders and of halts."""

import copy
from pathlib import Path
from typing import Any

import pytest

from myquant.cli.run import Finished
from myquant.cli.summary import print_summary
from myquant.results.summary import summary
from results.sample import rich_record

FIGURES = summary(rich_record())
ORDERS = {"sent": 1012, "rejected": 0, "not_sent": 0, "stale_answers": 0}


def printed(capsys: pytest.CaptureFixture[str], **changes: Any) -> list[str]:
    print_summary(Finished(copy.deepcopy(FIGURES) | changes, Path("mine")), as_json=False)
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_orders_that_came_to_nothing_are_told_apart_from_ticks(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Orders 1,012 sent" in printed(capsys, orders=ORDERS)
    lines = printed(capsys, orders=ORDERS | {"rejected": 3, "not_sent": 2})
    assert "Orders 1,012 sent, 3 of them refused by the broker or its exchange, 2 not sent (held back here)" in lines
    assert any(line.startswith("Ticks refused ") for line in lines)
    assert not any(line.startswith("Rejected") for line in lines)


def test_a_halt_has_its_time_in_the_zone_of_the_session(capsys: pytest.CaptureFixture[str]) -> None:
    halt = {"time": "2025-10-03T11:02:09.123456789+05:30", "symbol": None, "reason": "day_loss"}
    assert "Halted day_loss at 2025-10-03 11:02:09 IST" in printed(capsys, halts=[halt])
