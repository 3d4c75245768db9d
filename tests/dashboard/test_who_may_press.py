"""What a button does is refused to whoever may not do it when he presses: a page may be older than its login, and a viewer's event made up."""

import ast
import asyncio
from collections.abc import Callable
from importlib.resources import files
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dashboard.frames import frame_of, log_out
from myquant.dashboard import pages_alerts, pages_run
from myquant.dashboard.access import Role
from myquant.dashboard.frame import LOGIN_OVER, LOOKS_ONLY, Frame

# What changes something, in the pages' sources: whoever calls it asks first.
ACTS = {"acknowledge", "carry_out", "controls.act", "verdicts.ask", "_test.begin"}


class Refused:
    """What must not be reached, and what was said instead."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.said: list[str] = []

    def reached(self, *_: object) -> bool:
        raise AssertionError("it was done")

    def say(self, what: object) -> None:
        self.said.append(str(getattr(what, "text", what)))


def acknowledges(refused: Refused) -> None:
    look = SimpleNamespace(folder=refused.frame.site.state, refresh=refused.reached)
    page: Any = SimpleNamespace(_frame=refused.frame, _look=look)
    refused.say(asyncio.run(pages_alerts._Alerts._acknowledge(page, [1], "")))


def sends_a_test(refused: Refused) -> None:
    test = SimpleNamespace(begin=refused.reached)
    page: Any = SimpleNamespace(_frame=refused.frame, _test=test, _said=SimpleNamespace(show=refused.reached))
    page._said.show = lambda _: None
    pages_alerts._Test._begin(page, "")


def asks_for_a_verdict(refused: Refused) -> None:
    site = SimpleNamespace(
        runs=SimpleNamespace(verdicts=SimpleNamespace(ask=refused.reached)), door=refused.frame.site.door
    )
    frame = Frame(cast("Any", site), refused.frame.identity, [])
    page: Any = SimpleNamespace(_frame=frame, _row=SimpleNamespace(folder=None), show=lambda: None)
    pages_run._Verdict._ask(page)


@pytest.mark.parametrize("press", [acknowledges, sends_a_test, asks_for_a_verdict])
@pytest.mark.parametrize(
    ("role", "is_out", "why"),
    [
        (Role.VIEWER, False, LOOKS_ONLY),
        (Role.OPERATOR, True, LOGIN_OVER),
        (Role.VIEWER, True, LOGIN_OVER),
    ],
)
def test_nothing_is_done_for_one_who_may_not(
    press: Callable[[Refused], None], role: Role, is_out: bool, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = Refused(frame_of(role))
    if is_out:
        log_out(refused.frame)
    for page in (pages_alerts, pages_run):
        monkeypatch.setattr(page.ui, "notify", refused.say)
    monkeypatch.setattr(pages_alerts, "acknowledge", refused.reached)
    press(refused)
    assert refused.said == [why]


def called(node: ast.AST) -> set[str]:
    """Return what is called in a function, by its last two names."""
    names = [ast.unparse(each.func).split(".") for each in ast.walk(node) if isinstance(each, ast.Call)]
    handed = [ast.unparse(each) for each in ast.walk(node) if isinstance(each, ast.Name)]
    return {".".join(name[-2:]) for name in names} | {name[-1] for name in names} | set(handed)


def test_whatever_acts_on_a_page_asks_first() -> None:
    acting = []
    for source in files("myquant.dashboard").iterdir():
        if source.name.startswith("page"):
            tree = ast.parse(source.read_text(encoding="utf-8"))
            functions = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
            acting += [(source.name, each.name, called(each)) for each in functions if called(each) & ACTS]
    assert len(acting) >= 4
    # Of `carry_out` itself the inner part need not ask; who calls it has it asked by it.
    allowed = {("page_controls.py", "one"), ("page_controls.py", "_confirm")}
    assert [each[:2] for each in acting if "why_not" not in each[2] and each[:2] not in allowed] == []
