"""Channels that are configured, renamed or removed while alerts last, and messages that can't be handed over."""

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.made_views import loaded
from monitor.posts import Office, Post
from monitor.told import Killed, Told, channels, fault
from myquant.monitor import book as books
from myquant.monitor.finding import CRITICAL, INFO
from myquant.monitor.message import Message

DEAD = fault("engine_dead", CRITICAL)
MAIL = {"alerts__info": '["mail"]', "alerts__warning": '["mail"]', "alerts__critical": '["mail"]', "alerts__group_s": 0}
NONE = {"alerts__info": "[]", "alerts__warning": "[]", "alerts__critical": "[]"}


def restart(told: Told, **settings: Any) -> None:
    """Begin again with other settings."""
    told.settings = loaded(**{**MAIL, **settings}).config.alerts
    told.restart()


@pytest.mark.parametrize("before", [{"alerts__critical": '["phone"]'}, NONE])
def test_a_channel_that_is_configured_later_is_told_what_lasts(tmp_path: Path, before: dict[str, str]) -> None:
    told = Told(tmp_path, **{**MAIL, **before})
    told.take(0, DEAD, fault("halted", INFO))
    restart(told, alerts__critical='["sms"]')
    assert [each.channel for each in told.take(1, DEAD, fault("halted", INFO)) if each.severity == CRITICAL] == ["sms"]
    told.restart()
    assert told.take(2, DEAD, fault("halted", INFO)) == []
    assert "sms" in channels(told.take(3))  # its end, too


def test_a_channel_that_is_down_is_told_of_on_the_others(tmp_path: Path) -> None:
    told = Told(tmp_path, **{**MAIL, "alerts__critical": '["mail", "phone"]', "alerts__repeat_s": 100})
    down = fault("channel_down", CRITICAL, session="", subject="phone")
    assert [channels(told.take(at_s, down)) for at_s in (0, 1, 100)] == [["mail"], [], ["mail"]]
    assert channels(told.take(101)) == ["mail"]


def test_nobody_is_told_of_what_is_seen_to_or_over_until_that_changes(tmp_path: Path) -> None:
    told = Told(tmp_path, **MAIL)
    other = fault("session_failed", CRITICAL)
    told.take(0, DEAD, other)
    with books.Book(tmp_path) as another:
        another.write({(books.ACK, "1"): '{"at_ns": 5, "note": ""}'}, 0)
    told.take(1, DEAD, other)
    restart(told, alerts__critical='["mail", "sms"]')
    assert channels(told.take(2, DEAD)) == ["mail"]  # the other one is over
    changed = DEAD._replace(state="holds 75 X, not protected")
    assert channels(told.take(3, changed)) == ["mail"]
    assert channels(told.take(4, changed)) == ["sms"]


def test_a_repeat_reaches_a_channel_that_knows_nothing_of_it(tmp_path: Path) -> None:
    settings = {**MAIL, "alerts__warning": '["mail", "chat"]', "alerts__repeat_s": 60}
    told = Told(tmp_path, **settings)
    told.take(0, DEAD)
    better = DEAD._replace(severity="warning")
    assert [(at_s, channels(each)) for at_s in range(1, 130) if (each := told.take(at_s, better))] == [
        (60, ["chat", "mail"]),
        (120, ["chat", "mail"]),
    ]
    assert "raised" in told.messages[1].body


def test_a_channel_that_was_taken_out_and_is_there_again_is_told_anew(tmp_path: Path) -> None:
    told = Told(tmp_path, **{**MAIL, "alerts__critical": '["mail", "sms"]', "alerts__group_s": 3600})
    told.take(0, DEAD)
    restart(told)
    assert channels(told.take(1, DEAD)) == ["mail"]
    restart(told, alerts__critical='["mail", "sms"]')
    assert channels(told.take(2, DEAD)) == ["sms"]


def test_a_message_that_cant_be_handed_over_keeps_no_other(tmp_path: Path) -> None:
    told, taken = Told(tmp_path, **{**MAIL, "alerts__critical": '["bad", "mail"]'}), list[Message]()

    def take_some(message: Message) -> None:
        if message.channel == "bad":
            raise ValueError("planted")
        taken.append(message)

    told.alerting._post = take_some
    for at_s in range(2):
        with pytest.raises(ValueError, match="planted"):
            told.take(at_s, DEAD)
    assert [each.channel for each in taken] == ["mail"]
    assert [json.loads(each)["channel"] for each in told.book.rows(books.READY).values()] == ["bad"]
    told.alerting._post = told.post
    assert channels(told.take(2, DEAD)) == ["bad"]


def test_a_message_of_a_severity_that_nobody_knows_is_left_out(tmp_path: Path) -> None:
    told = Told(tmp_path, **MAIL)
    told.steps_left = 0  # killed before a message is handed over
    with pytest.raises(Killed):
        told.take(0, DEAD)
    ((key, text),) = told.book.rows(books.READY).items()
    told.book.write({(books.READY, key): text.replace('"critical"', '"grave"')}, 0)
    told.steps_left = None
    told.restart()
    assert told.alerting.not_understood == [f"ready {key}"]
    assert told.take(1, DEAD) == []


def test_a_message_for_a_channel_that_is_no_more_holds_up_no_other(tmp_path: Path) -> None:
    told = Told(tmp_path, **{**MAIL, "alerts__critical": '["phone"]'})
    told.steps_left = 0
    with pytest.raises(Killed):
        told.take(0, DEAD)
    told.steps_left = None
    restart(told, alerts__critical='["sms"]')
    posts = {name: Post() for name in ("mail", "sms")}
    office = Office(tmp_path, posts)
    told.alerting._post = office.courier.post
    told.take(1, DEAD, fault(session="tuesday"))
    assert office.courier.counts().spool == {"mail": 1, "sms": 1}
    assert office.courier.counts().deliveries == {("phone", "given_up"): 1}
    assert office.log.events() == ["alert given up"]
    assert told.book.rows(books.READY) == {}
    office.spool.close()
