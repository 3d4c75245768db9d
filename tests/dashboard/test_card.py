"""How the pages are reached: who asks right after their start waits for them, and nobody is told of pages that are gone."""

import threading
import time
from pathlib import Path

import pytest

from myquant.dashboard import card
from myquant.dashboard.card import CARD, CardHolder, DashboardCard, ask_dashboard, read_card
from myquant.errors import MyquantError

NOBODY = DashboardCard("127.0.0.1", 1, 4711, "a" * 20)  # nobody listens there


def asked(folder: Path) -> tuple[str, float]:
    """Return what was said to who asked, and how long he waited, seconds."""
    begins_s = time.monotonic()
    with pytest.raises(MyquantError) as raised:
        ask_dashboard(folder, "POST", "/api/links", {})
    return str(raised.value), time.monotonic() - begins_s


def test_where_nothing_runs_nobody_waits(tmp_path: Path) -> None:
    said, waited_s = asked(tmp_path)
    assert "no pages are served" in said
    assert waited_s < card.BEGIN_S / 2


def test_who_asks_while_they_begin_waits_for_them(tmp_path: Path) -> None:
    with CardHolder(tmp_path) as holder:
        threading.Timer(0.3, holder.show, [NOBODY]).start()
        said, waited_s = asked(tmp_path)
    assert "process 4711 serves the pages, but does not answer" in said
    assert waited_s >= 0.3


def test_pages_that_do_not_come_are_not_waited_for_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card, "BEGIN_S", 0.3)
    with CardHolder(tmp_path):
        said, waited_s = asked(tmp_path)
    assert "no pages are served" in said
    assert waited_s >= 0.3


def test_the_card_of_one_that_was_killed_is_not_taken_for_the_next_ones(tmp_path: Path) -> None:
    with CardHolder(tmp_path) as killed:
        killed.show(NOBODY)
        left = (tmp_path / CARD).read_bytes()
    (tmp_path / CARD).write_bytes(left)
    assert read_card(tmp_path) == NOBODY
    with CardHolder(tmp_path):
        assert read_card(tmp_path) is None
