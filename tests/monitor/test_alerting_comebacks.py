"""What is told of what is critical and comes back: a crash loop, one that somebody saw to, one that is worse than before."""

import json
from pathlib import Path

import pytest

from monitor.told import Told, fault
from myquant.monitor import book as books
from myquant.monitor.finding import CRITICAL, WARNING, Finding

ALONE = {"alerts__group_s": 0, "alerts__warning": '["mail"]', "alerts__critical": '["mail"]'}
FLAT = fault("engine_dead", CRITICAL)
NAKED = FLAT._replace(text="IT HOLDS 75 X: NOTHING PROTECTS X", state="holds 75 X, not protected")
STALE = fault()


def said(told: Told, *looks: Finding | None, from_s: int = 0) -> list[str]:
    """Return what looks lead to, a second from one to the next."""
    found = []
    for at_s, each in enumerate(looks, from_s):
        messages = told.take(at_s, *([] if each is None else [each]))
        found.append(", ".join(message.body.split(") ")[1].split(" at ")[0] for message in messages))
    return found


def acknowledge(folder: Path) -> None:
    with books.Book(folder) as other:  # another process
        other.write({(books.ACK, "1"): '{"at_ns": 5, "note": "seen"}'}, 0)


def test_a_crash_loop_that_leaves_something_bare_is_told(tmp_path: Path) -> None:
    told = Told(tmp_path, **ALONE)
    looks = [FLAT, None, FLAT, None, NAKED, NAKED, None, NAKED, None, FLAT, None, NAKED]
    assert said(told, *looks) == [
        *("raised", "resolved", "raised again", ""),
        *("changed", "", "", ""),  # people know that it is dead, and what it holds
        *("", "changed", "", "changed"),  # not as they were told last
    ]
    assert "NOTHING PROTECTS X" in told.messages[-1].title
    assert len(json.loads(told.book.rows(books.ALERT)["1"])["states"]) == 2


def test_one_that_dies_bare_first_and_flat_then_is_told_as_bare_again(tmp_path: Path) -> None:
    assert said(Told(tmp_path, **ALONE), NAKED, None, FLAT, None, NAKED) == [
        *("raised", "resolved", "raised again", "", "changed")
    ]


def test_what_is_no_more_than_a_warning_flaps_quietly_between_what_was_told(tmp_path: Path) -> None:
    one, two = (STALE._replace(state=state) for state in ("one", "two"))
    looks = [one, two, None, one, None, two, None, one]
    assert said(Told(tmp_path, **ALONE), *looks) == ["raised", "changed", "resolved", "raised again", "", "", "", ""]


def test_what_was_seen_to_and_comes_back_is_told_and_seen_to_no_more(tmp_path: Path) -> None:
    told = Told(tmp_path, **ALONE, alerts__repeat_s=60)
    said(told, FLAT)
    for again_s in (10, 20):  # its end was told the first time only
        acknowledge(tmp_path)
        assert said(told, FLAT, None, FLAT, from_s=again_s) == ["", "resolved" * (again_s == 10), "raised again"]
    assert [at_s for at_s in range(23, 150) if told.take(at_s, FLAT)] == [82, 142]


@pytest.mark.parametrize("is_quick", [True, False])
def test_a_warning_that_was_seen_to_may_flap(tmp_path: Path, *, is_quick: bool) -> None:
    told = Told(tmp_path, **ALONE, alerts__repeat_s=60)
    said(told, STALE, None, STALE)
    acknowledge(tmp_path)
    looks = [None, STALE] * 5 if is_quick else [STALE]
    assert not any(said(told, *looks, from_s=3))
    assert [at_s for at_s in range(13, 300) if told.take(at_s, STALE)] == []


def test_a_warning_that_comes_back_after_its_end_was_told_is_seen_to_no_more(tmp_path: Path) -> None:
    told = Told(tmp_path, **ALONE, alerts__repeat_s=60)
    said(told, STALE)
    acknowledge(tmp_path)
    assert said(told, STALE, None, STALE, from_s=1) == ["", "resolved", "raised again"]
    assert [at_s for at_s in range(4, 130) if told.take(at_s, STALE)] == [63, 123]


def test_a_comeback_that_is_worse_is_told_as_that(tmp_path: Path) -> None:
    worse = STALE._replace(severity=CRITICAL)
    assert said(Told(tmp_path, **ALONE), STALE, None, worse, None, STALE, None, STALE) == [
        *("raised", "resolved", "risen", "", "", "", "")
    ]
    assert STALE.severity == WARNING
