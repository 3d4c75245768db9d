"""The page of one run: where it leads to, and who had a verdict made."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest

from dashboard.doors import Lines
from dashboard.frames import frame_of
from dashboard.made_runs import book_of, put_facts, put_trades
from myquant.dashboard.access import Identity
from myquant.dashboard.frame import Frame
from myquant.dashboard.pages_run import _Verdict, links_of

NAME = "a&b=c #1+"


@pytest.fixture(scope="module")
def links(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Return where the pages of a backtest and of a session that nobody watches any more lead to."""
    directory = tmp_path_factory.mktemp("runs")
    put_trades(directory / NAME)
    put_facts(directory / "monday/last year", ended=0)
    book = book_of(directory)
    site: Any = SimpleNamespace(watch=SimpleNamespace(views={}), runs=SimpleNamespace(book=book))
    return {row.key: dict(links_of(site, row)) for row in book.rows}


def test_a_name_of_any_letters_is_compared(links: dict[str, dict[str, str]]) -> None:
    url = urlsplit(links[NAME]["Compare with another run"])
    assert (url.path, parse_qs(url.query), url.fragment) == ("/runs", {"a": [NAME]}, "")


def test_a_session_that_nobody_watches_any_more_has_its_page_and_a_backtest_none(
    links: dict[str, dict[str, str]],
) -> None:
    assert links["monday/last year"]["The session"] == "/session/monday/last%20year"
    assert "The session" not in links[NAME]


@pytest.mark.parametrize("can_be_made", [True, False])
def test_who_asked_for_a_verdict_is_in_the_log(monkeypatch: pytest.MonkeyPatch, *, can_be_made: bool) -> None:
    lines, noted = Lines(), list[tuple[str, Identity, dict[str, object]]]()
    identity = frame_of().identity
    door = SimpleNamespace(
        logins=SimpleNamespace(left_s=lambda _: 1.0),
        note_act=lambda what, who, **fields: noted.append((what, who, fields)),
    )
    verdicts = SimpleNamespace(ask=lambda _: can_be_made)
    site = SimpleNamespace(runs=SimpleNamespace(verdicts=verdicts), door=door)
    page: Any = SimpleNamespace(
        _frame=Frame(cast("Any", site), identity, []),
        _row=SimpleNamespace(folder=Path("runs/monday"), key="monday"),
        show=lambda: None,
    )
    monkeypatch.setattr("myquant.dashboard.pages_run.ui.notify", lines.info)
    _Verdict._ask(page)
    assert noted == ([("verdict asked for", identity, {"session": "monday"})] if can_be_made else [])
    assert len(lines.events) == (0 if can_be_made else 1)
