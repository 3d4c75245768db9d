import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import pytest

from dashboard.doors import Clock
from monitor.made_views import SYMBOL, held, order, view
from myquant.dashboard.controls import ASKED_MAX, NOTE_MAX, Action, Controls, StaleError
from myquant.errors import MyquantError
from myquant.monitor.view import InstrumentView, SessionView


def shown(action: Action, **facts: Any) -> str:
    return "\n".join(Controls(Clock()).preview(view(**facts), action).lines)


def holding() -> list[InstrumentView]:
    return [InstrumentView(SYMBOL, last_price=10_050, quantity=75, entry_price=10_000)]


def test_flatten_says_what_is_sold_for_how_much_and_what_is_cancelled() -> None:
    text = shown(
        "flatten", instruments=holding(), orders={7: order(state="working", trigger=9_500), 8: order(8, "filled")}
    )
    assert f"Sells 75 units of {SYMBOL}, last price ₹100.50; about +₹37.50 against its entry" in text
    assert text.count("Cancels first") == 1
    assert f"Cancels first: sell 75 {SYMBOL}, trigger ₹95.00, working." in text
    assert "REAL orders" in text


@pytest.mark.parametrize(
    ("action", "facts", "said"),
    [
        ("flatten", {}, "Nothing is held, by what was last read"),
        ("flatten", {"instruments": held()}, "last price not known."),
        ("flatten", {"kind": "paper"}, "Simulated orders: nothing is sent to a broker"),
        ("halt", {"instruments": held()}, f"Holds 75 units of {SYMBOL}, which is managed on"),
        ("halt", {"halt": "operator"}, "halted already: a person asked for it. To bring them back: `myquant resume`"),
        ("halt", {"halt": "flatten"}, "halted already: flatten."),
        ("resume", {}, "Nothing halts entries"),
        ("resume", {"feed_stale": True, "halt": "operator"}, "The feed is stale"),
        ("resume", {"kind": "of another version"}, "REAL orders"),
    ],
)
def test_what_each_says(action: Action, facts: dict[str, Any], said: str) -> None:
    assert said in shown(action, **facts)


@pytest.mark.parametrize("action", get_args(Action))
@pytest.mark.parametrize("facts", [{"stopped_code": 0, "ended_code": 0}, {"process": None}, {"stopped_code": 4}])
def test_of_a_session_that_does_not_run_it_says_so(action: Action, facts: dict[str, Any]) -> None:
    with pytest.raises(MyquantError, match="monday: does not run"):
        shown(action, **facts)


@pytest.mark.parametrize(
    ("action", "change", "is_stale"),
    [
        ("flatten", {"instruments": held(150)}, True),
        ("flatten", {"trades": 5, "halt": "operator"}, False),
        ("halt", {"instruments": held(150), "halt": "rejects_in_a_row"}, False),
        ("resume", {"halt": "rejects_in_a_row"}, True),
        ("resume", {"instruments": held(150)}, False),
    ],
)
def test_what_has_changed_since_it_was_shown(action: Action, change: dict[str, Any], is_stale: bool) -> None:
    controls = Controls(Clock())
    token = controls.preview(view(instruments=held()), action).token
    then = view(**{"instruments": held(), **change})
    if is_stale:
        with pytest.raises(StaleError, match="look again"):
            controls.check(then, action, token)
    else:
        controls.check(then, action, token)


@pytest.mark.parametrize(
    "token", ["", ".", "x", "99999999999999.", "9" * 30 + ".x", "\u0663.x", "\ud800", "2000000.0000"]
)
def test_a_token_that_is_made_up(token: str) -> None:
    with pytest.raises(StaleError):
        Controls(Clock()).check(view(), "halt", token)


def asked(reason: str, answer: object = None) -> tuple[str, list[tuple[Path, str, str]]]:
    found = []

    def ask(folder: Path, request: str, told: str) -> object:
        found.append((folder, request, told))
        return answer

    session: SessionView = view()
    return asyncio.run(Controls(Clock(), ask).act(session, "halt", reason, "operator by link from ::1")), found


def test_what_is_asked_of_the_session_has_who_asked() -> None:
    told = "x" * NOTE_MAX + " (dashboard: operator by link from ::1)"
    assert asked("x" * NOTE_MAX, {"message": "halted"}) == ("halted", [(Path("runs/monday"), "halt", told)])
    assert asked("")[1] == [(Path("runs/monday"), "halt", "(dashboard: operator by link from ::1)")]


@pytest.mark.parametrize("reason", ["x" * (NOTE_MAX + 1), "two\nlines", "\ud800"])
def test_a_reason_that_is_none(reason: str) -> None:
    with pytest.raises(MyquantError, match="reason: must be at most"):
        asked(reason)


def test_a_session_is_asked_at_once_however_many_do_not_answer_and_whatever_else_is_at_work() -> None:
    goes_on = threading.Event()

    def ask(folder: Path, _request: str, _told: str) -> object:
        if folder.name != "well":
            goes_on.wait(30)
        return {"message": folder.name}

    async def asked_all() -> str:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        busy = loop.run_in_executor(None, goes_on.wait, 30)  # somebody compares runs
        controls = Controls(ask=ask)
        hang = [view(folder=Path(f"frozen{number}")) for number in range(ASKED_MAX - 1)]
        asked = [asyncio.create_task(controls.act(each, "halt", "", "me")) for each in hang]
        well = asyncio.create_task(controls.act(view(folder=Path("well")), "flatten", "", "me"))
        answer = await asyncio.wait_for(well, 30)
        assert not busy.done()
        assert not any(each.done() for each in asked)
        goes_on.set()
        await asyncio.gather(busy, *asked)
        controls.close()
        return answer

    assert asyncio.run(asked_all()) == "well"
