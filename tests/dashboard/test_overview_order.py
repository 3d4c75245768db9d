"""Which session comes first on the overview, and what the day comes to: real money apart."""

import pytest

from monitor.made_views import EVEN, NOON, view
from monitor.told import IST
from myquant.dashboard.overview_order import in_order, totals
from myquant.monitor.view import SessionView

DAY_NS = 86_400 * 10**9


def session(name: str, day_pnl: int | None = 0, *, kind: str = "live", has_left: bool = False) -> SessionView:
    ledger = None if day_pnl is None else EVEN._replace(day_pnl=day_pnl)
    return view(name, kind=kind, ledger=ledger, stopped_code=0 if has_left else None)


VIEWS = [
    session("a", 300, kind="paper"),
    session("b", -100, has_left=True),
    session("c", None),
    session("d", -200),
]


@pytest.mark.parametrize(
    ("order", "names"),
    [("usual", "cdab"), ("no such", "cdab"), ("name", "abcd"), ("pnl", "dbac"), ("health", "bcda")],
)
def test_the_order(order: str, names: str) -> None:
    verdicts = {"a": "ok", "b": "failed", "c": "degraded", "d": "ok"}
    assert "".join(each.name for each in in_order(VIEWS, order, verdicts.__getitem__)) == names


def test_real_and_simulated_money_are_never_added() -> None:
    assert {name: (cell.text, cell.style) for name, cell in totals(VIEWS, IST, NOON).items()} == {
        "P&L of the day, REAL ORDERS": ("Rs −3.00 over 3 sessions, 1 of them not known", "loss"),
        "P&L of the day, simulated": ("Rs +3.00 over 1 session", "gain"),
    }


def test_what_wrote_last_on_another_day_is_not_of_this_one() -> None:
    later = totals(VIEWS, IST, NOON + DAY_NS)
    assert later["P&L of the day, REAL ORDERS"].text == "Rs −2.00 over 2 sessions, 1 of them not known"
    assert totals([session("b", has_left=True)], IST, NOON + DAY_NS) == {}
    assert totals([session("c", None)], IST, NOON)["P&L of the day, REAL ORDERS"].text == "not known, over 1 session"


def test_what_a_damaged_journal_said_before_is_not_known() -> None:
    views = [session("a", 300, kind="paper"), session("b", 500, kind="paper"), session("c", -700, kind="paper")]
    views[0].damage = views[2].damage = "record 83 is damaged"
    assert totals(views, IST, NOON)["P&L of the day, simulated"].text == "Rs +5.00 over 3 sessions, 2 of them not known"
    assert in_order(views, "pnl", lambda _: "ok")[0].name == "b"
