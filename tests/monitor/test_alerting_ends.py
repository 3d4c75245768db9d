"""When an alert is over, and when it only can't be known; and what is told of one that becomes another."""

from pathlib import Path

import pytest

from monitor.made_views import loaded
from monitor.told import Told, fault, news
from myquant.monitor.alert_list import state_of
from myquant.monitor.alerting import ALL_ASKED
from myquant.monitor.book import ALERT
from myquant.monitor.faults import HELD, Unasked
from myquant.monitor.finding import CRITICAL, INFO, WARNING, Finding

ALONE = {"alerts__group_s": 0, "alerts__warning": '["mail"]', "alerts__critical": '["mail"]'}
LOSS = fault("day_loss", state="50")
AT_DAY_LOSS = ("day_loss", "monday")


def test_what_nobody_can_know_is_neither_over_nor_raised_again(tmp_path: Path) -> None:
    told = Told(tmp_path, **ALONE, alerts__repeat_s=100)
    assert told.take(0, LOSS)
    for at_s in range(1, 100):
        assert told.take(at_s, unasked={AT_DAY_LOSS: HELD}) == []
        assert told.take(at_s, unasked=None) == []  # judging failed
    (again,) = told.take(100, unasked={AT_DAY_LOSS: HELD})
    assert "still there" in again.body
    told.restart()
    assert told.take(101, LOSS) == []
    (over,) = told.take(102)
    assert over.title == "INFO monday: resolved: day_loss: it was: day_loss of monday"


@pytest.mark.parametrize(("severity", "is_told"), [(WARNING, True), (CRITICAL, False)])
def test_what_a_session_that_has_left_had_is_resolved_by_nobody(
    tmp_path: Path, severity: str, *, is_told: bool
) -> None:
    told = Told(tmp_path, **ALONE)
    halted = fault("halted", severity, kind="live")
    told.take(0, halted)
    left = {("halted", "monday"): Unasked(CRITICAL, "the session has left")}
    titles = [each.title for each in told.take(1, unasked=left)]
    assert titles == ["INFO monday (live): ended: halted: it was: halted of monday; the session has left"] * is_told
    over = {("halted", "monday"): Unasked("", "the session has left, and its day is over")}
    assert [each.title.endswith("its day is over") for each in told.take(2, unasked=over)] == [True] * (not is_told)


def test_what_was_resolved_by_nobody_is_listed_as_ended_for_good(tmp_path: Path) -> None:
    told = Told(tmp_path, **ALONE)
    told.take(0, LOSS, fault("halted"))
    for at_s in (1, 30, 90):
        told.take(at_s, unasked={AT_DAY_LOSS: Unasked("", "the session has left")} if at_s < 90 else ALL_ASKED)
    alerts = told.alerting._alerts.values()
    assert [(state_of(each), each.end, each.resolved_ns is None) for each in alerts] == [
        ("ended", "the session has left", False),
        ("resolved", "", False),
    ]


def test_a_comeback_has_not_ended(tmp_path: Path) -> None:
    told = Told(tmp_path, **ALONE)
    told.take(0, LOSS)
    told.take(1, unasked={AT_DAY_LOSS: Unasked("", "the session has left")})
    told.take(2, LOSS)
    told.take(3)
    (over,) = told.take(63)
    assert over.title == "INFO monday: resolved: day_loss: it was: day_loss of monday"


@pytest.mark.parametrize(
    ("found", "settings", "words"),
    [
        (fault("engine_dead", CRITICAL), {"alerts__off": '["engine_dead"]'}, "the rule is switched off"),
        (fault("channel_down", CRITICAL, "", "sms"), {}, "the channel is configured no more"),
    ],
)
def test_what_nobody_looks_for_any_more_is_not_resolved(
    tmp_path: Path, found: Finding, settings: dict[str, str], words: str
) -> None:
    told = Told(tmp_path, **{**ALONE, "alerts__info": '["sms"]'})
    told.take(0, found)
    told.settings = loaded(**ALONE, **settings).config.alerts
    told.restart()
    (over,) = told.take(1, *([found] if settings else []), unasked=None)
    assert "ended: " in over.title
    assert over.title.endswith(words)


def test_what_seems_over_is_not_resolved_while_judging_fails(tmp_path: Path) -> None:
    told = Told(tmp_path, **ALONE)
    assert [len(told.take(at_s, *each)) for at_s, each in enumerate(([LOSS], [], [LOSS], []))] == [1, 1, 1, 0]
    assert [told.take(at_s, unasked=None) for at_s in range(4, 100)] == [[]] * 96
    assert len(told.take(100)) == 1


def test_what_a_session_had_whose_folder_is_gone_is_resolved_by_nobody(tmp_path: Path) -> None:
    told = Told(tmp_path, **ALONE)
    missing = fault("session_missing", CRITICAL, session="tuesday")
    told.take(0, LOSS, missing, watched=frozenset(["monday"]))
    assert told.take(1, unasked=None, watched=frozenset()) == []  # judging failed
    (gone,) = told.take(2, missing, watched=frozenset())
    (found,) = told.take(3, watched=frozenset())
    assert gone.title.startswith("INFO monday: ended: day_loss: it was: day_loss of monday; it is watched no more")
    assert found.title == "INFO tuesday: resolved: session_missing: it was: session_missing of tuesday"


def test_a_halt_for_another_reason_is_told_once_and_is_the_same_alert(tmp_path: Path) -> None:
    told = Told(tmp_path, **ALONE)
    first, second = (fault("halted", CRITICAL, state=state) for state in ("order_channel_lost", "books_differ"))
    assert len(told.take(0, first)) == 1
    (changed,) = told.take(2, second._replace(text="entries are halted (books_differ)"))
    assert changed.title == "CRITICAL monday: halted: entries are halted (books_differ)"
    assert "changed" in changed.body
    assert [told.take(at_s, each) for at_s, each in ((3, first), (4, second))] == [[], []]
    assert len(told.take(5)) == 1
    assert {number: state_of(alert) for number, alert in told.alerting._alerts.items()} == {1: "ended"}


def test_a_halt_that_comes_back_for_another_reason_before_its_end_was_told_is_told(tmp_path: Path) -> None:
    told = Told(tmp_path, **ALONE)
    first, second = (fault("halted", CRITICAL, state=state) for state in ("order_channel_lost", "books_differ"))
    looks = [(first,), (), (first,), (), (second,), (second,)]
    assert [len(told.take(at_s, *each)) for at_s, each in enumerate(looks)] == [1, 1, 1, 0, 1, 0]


def test_the_end_of_what_counts_says_that_none_is_new(tmp_path: Path) -> None:
    told = Told(tmp_path, **ALONE)
    told.take(0, fault("books_differ", CRITICAL))
    (over,) = told.take(60)
    assert over.title.endswith("none new for a minute; whoever has not looked should")


def test_the_book_has_the_text_as_of_now(tmp_path: Path) -> None:
    told = Told(tmp_path, **ALONE)
    for at_s in range(12):
        told.take(at_s, LOSS._replace(text=f"{at_s} %"))
    assert "10 %" in told.book.rows(ALERT)["1"]


def test_a_message_says_of_what_kind_the_session_is_and_once_what_it_holds(tmp_path: Path) -> None:
    told = Told(tmp_path, **ALONE)
    many = [fault(rule, CRITICAL, kind="live", stand="holds nothing") for rule in ("feed_stale", "order_channel_down")]
    (message,) = told.take(0, *many)
    assert message.title.startswith("CRITICAL monday (live): order_channel_down: ")
    assert message.body.count("  holds nothing\n") == 1


def test_the_end_of_a_day_is_the_first_thing_said_of_what_is_no_fault(tmp_path: Path) -> None:
    told = Told(tmp_path, alerts__group_s=0, alerts__info='["chat"]', alerts__warning='["chat"]')
    told.take(0, LOSS)
    (message,) = told.take(1, happened=(news("exit", text="sold"), news("day_end", text="P&L")))
    assert message.severity == INFO
    assert message.title == "INFO monday (paper): P&L (+2 more)"
    assert "monday (paper): day end at 2025-10-03 12:00:00 IST" in message.body
