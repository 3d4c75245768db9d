"""What somebody was shown is what is done: else he has to look again; and every answer, or none, is told."""

import asyncio
from pathlib import Path

import pytest

from dashboard.frames import frame_of, log_out
from monitor.made_views import held, view
from myquant.dashboard.access import Role
from myquant.dashboard.controls import ACTIONS, RUPEE, VALID_S, Action, Controls, StaleError
from myquant.dashboard.frame import LOGIN_OVER, LOOKS_ONLY
from myquant.dashboard.page_controls import (
    NO_SESSION,
    OFF,
    WORD_JOINER,
    asked_of,
    carry_out,
    check,
    preview_text,
    unbroken,
    why_not,
)
from myquant.errors import MyquantError


class Sessions:
    """Sessions that note what they are asked; one of them does not answer. The clock stands until it is set."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.asked: list[tuple[str, str, str]] = []

    def controls(self) -> Controls:
        return Controls(lambda: self.now_s, self.ask)

    def ask(self, folder: Path, request: str, reason: str) -> object:
        if folder.name == "stuck":
            raise MyquantError("no answer within 5 s")
        self.asked.append((folder.name, request, reason))
        return {"message": "entries halted"}


@pytest.mark.parametrize(
    ("action", "kind", "name"),
    [("flatten", "live", "monday"), ("flatten", "paper", ""), ("halt", "live", ""), ("resume", "live", "")],
)
def test_only_selling_real_positions_wants_the_name_typed(action: Action, kind: str, name: str) -> None:
    asked = asked_of(Sessions().controls(), [view(kind=kind, instruments=held())], action)
    assert (asked.name_wanted, asked.is_real) == (name, kind == "live")


def test_what_was_shown_holds_for_a_minute_and_for_what_was_held() -> None:
    sessions = Sessions()
    controls, monday = sessions.controls(), view(instruments=held(75))
    asked = asked_of(controls, [monday], "flatten")
    check(controls, [monday], asked)
    monday.instruments[0].last_price = 12_345  # prices may go on
    check(controls, [monday], asked)
    monday.instruments[0].quantity = 150
    with pytest.raises(StaleError):
        check(controls, [monday], asked)
    asked = asked_of(controls, [monday], "flatten")
    sessions.now_s += VALID_S
    with pytest.raises(StaleError):
        check(controls, [monday], asked)


def test_other_sessions_than_were_shown_have_to_be_looked_at() -> None:
    controls = Sessions().controls()
    asked = asked_of(controls, [view("a"), view("b")], "halt")
    for views in ([view("a")], [view("a"), view("b"), view("c")], []):
        with pytest.raises(StaleError, match="other sessions"):
            check(controls, views, asked)


def test_there_must_be_a_session_that_runs() -> None:
    controls = Sessions().controls()
    with pytest.raises(MyquantError, match=NO_SESSION):
        asked_of(controls, [], "halt")
    with pytest.raises(MyquantError, match="does not run"):
        asked_of(controls, [view(stopped_code=0)], "halt")


def test_each_session_answers_for_itself() -> None:
    sessions = Sessions()
    frame = frame_of(controls=sessions.controls(), dashboard__controls="true")
    views = [view("a"), view("stuck"), view("b")]
    asked = asked_of(frame.site.controls, views, "halt")
    done, failed = asyncio.run(carry_out(frame, views, asked, "news"))
    assert done == ["a: entries halted", "b: entries halted"]
    assert failed == ["stuck: no answer within 5 s"]
    assert sorted(sessions.asked) == [
        (name, "halt", "news (dashboard: operator by link from 10.0.0.1)") for name in ("a", "b")
    ]


def test_several_sessions_are_told_by_their_names() -> None:
    controls = Sessions().controls()
    alone = preview_text(asked_of(controls, [view("a", kind="paper", instruments=held(75))], "halt"))
    assert alone.splitlines()[0] == "No new position is entered until somebody resumes it."
    both = preview_text(asked_of(controls, [view("a", kind="paper"), view("b")], "halt"))
    assert [line.partition(":")[0] for line in both.splitlines()] == ["a (Simulated orders)", "b (REAL ORDERS)"]


WHY_NOT = [
    ("false", Role.OPERATOR, OFF),
    ("false", Role.VIEWER, OFF),
    ("true", Role.VIEWER, LOOKS_ONLY),
    ("true", Role.OPERATOR, ""),
]


@pytest.mark.parametrize(("controls", "role", "said"), WHY_NOT)
def test_why_nothing_can_be_done_here(controls: str, role: Role, said: str) -> None:
    assert why_not(frame_of(role, dashboard__controls=controls)) == said


@pytest.mark.parametrize("action", ACTIONS)
def test_whoever_may_not_act_when_he_confirms_reaches_no_session(action: Action) -> None:
    sessions = Sessions()
    out = frame_of(controls=sessions.controls(), dashboard__controls="true")
    log_out(out)
    viewer = frame_of(Role.VIEWER, sessions.controls(), dashboard__controls="true")
    off = frame_of(controls=sessions.controls(), dashboard__controls="false")
    for frame, why in ((out, LOGIN_OVER), (viewer, LOOKS_ONLY), (off, OFF)):
        asked = asked_of(frame.site.controls, [view("a")], action)
        assert asyncio.run(carry_out(frame, [view("a")], asked, "")) == ([], [why])
    assert sessions.asked == []


def test_a_sign_stays_with_its_amount() -> None:
    joined = unbroken(f"about \N{MINUS SIGN}{RUPEE}315.00, +{RUPEE}1; 5-6")
    assert joined == f"about \N{MINUS SIGN}{WORD_JOINER}{RUPEE}315.00, +{WORD_JOINER}{RUPEE}1; 5-6"
