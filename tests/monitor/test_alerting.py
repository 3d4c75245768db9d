"""The life of an alert, and when it is told."""

import json
import stat
from pathlib import Path

import pytest

from monitor.told import Told, channels, fault, news
from myquant.config.loading import load_config
from myquant.errors import ConfigError
from myquant.monitor import book as books
from myquant.monitor.finding import CRITICAL, INFO, WARNING
from myquant.monitor.wording import TITLE_MAX

DEAD = fault("engine_dead", CRITICAL)
STALE = fault()
ALONE = {"alerts__group_s": 0}


def test_what_is_critical_goes_at_once_and_the_rest_is_gathered(tmp_path: Path) -> None:
    told = Told(tmp_path)
    other = fault(session="tuesday")
    assert told.take(0, DEAD, STALE, other) == []
    assert told.take(0.9, DEAD, STALE, other, fault("halted", CRITICAL)) == []
    mail, phone = told.take(1, DEAD, STALE, other, fault("halted", CRITICAL))
    assert (mail.channel, phone.channel) == ("mail", "phone")
    assert (mail.alert_ids, phone.alert_ids) == (("1", "2", "4"), ("1", "4"))  # one cause, and not of tuesday
    assert mail.title == "CRITICAL monday: engine_dead: engine_dead of monday (+2 more)"
    chat, mail = told.take(2, DEAD, STALE, other, fault("halted", CRITICAL))
    assert (chat.channel, mail.channel) == ("chat", "mail")
    assert chat.title == "WARNING monday: feed_stale: feed_stale of monday (+1 more)"
    assert mail.title == "WARNING tuesday: feed_stale: feed_stale of tuesday"
    assert told.take(60, DEAD, STALE, other, fault("halted", CRITICAL)) == []


def test_a_resolve_is_told_to_those_who_know_and_to_nobody_else(tmp_path: Path) -> None:
    told = Told(tmp_path, **ALONE)
    told.take(0, DEAD)
    over = told.take(5)
    assert channels(over) == ["mail", "phone"]
    assert {each.severity for each in over} == {INFO}
    assert over[0].title == "INFO monday: resolved: engine_dead: it was: engine_dead of monday"
    assert told.take(200) == []


def test_a_fault_that_flaps_is_one_alert(tmp_path: Path) -> None:
    told = Told(tmp_path, **ALONE, alerts__warning='["mail"]')
    texts = [
        each.body for at_s in range(200) for each in told.take(at_s, *([STALE] if at_s % 10 == 0 and at_s < 90 else []))
    ]
    assert [text.split("(warning) ")[1].split(" at ")[0] for text in texts] == [
        "raised",
        "resolved",
        "raised again",
        "resolved",
    ]
    assert {text.split("alert ")[1].split("\n")[0] for text in texts} == {"1"}
    (alert,) = told.alerting._alerts.values()
    assert alert.comebacks == 8
    assert len(told.take(201, STALE)) == 1  # another one
    assert told.alerting.firing() == {INFO: 0, WARNING: 1, CRITICAL: 0}


def test_what_becomes_worse_is_told_again_and_what_becomes_better_is_not(tmp_path: Path) -> None:
    told = Told(tmp_path, **ALONE)
    assert channels(told.take(0, STALE)) == ["chat", "mail"]
    worse = told.take(1, STALE._replace(severity=CRITICAL))
    assert channels(worse) == ["chat", "mail", "phone"]
    assert told.take(2, STALE) == []
    assert channels(told.take(3)) == ["chat", "mail", "phone"]


def test_it_is_repeated_until_somebody_acknowledges_it(tmp_path: Path) -> None:
    told = Told(tmp_path, **ALONE, alerts__repeat_s=100, alerts__critical='["phone"]')
    assert [at_s for at_s in range(0, 350, 10) if told.take(at_s, DEAD)] == [0, 100, 200, 300]
    with books.Book(tmp_path) as other:  # another process
        other.write({(books.ACK, "1"): '{"at_ns": 5, "note": "seen"}'}, 0)
    assert [at_s for at_s in range(350, 900, 10) if told.take(at_s, DEAD)] == []
    (alert,) = told.alerting._alerts.values()
    assert (alert.acknowledged_ns, alert.note, told.book.rows(books.ACK)) == (5, "seen", {})
    assert len(told.take(901)) == 1  # its end is told all the same


@pytest.mark.parametrize(("severity", "repeat_s"), [(WARNING, 0), (INFO, 10)])
def test_what_is_not_repeated(tmp_path: Path, severity: str, repeat_s: int) -> None:
    told = Told(tmp_path, **ALONE, alerts__repeat_s=repeat_s)
    each = fault("halted", severity)
    assert told.take(0, each)
    assert [at_s for at_s in range(1, 100) if told.take(at_s, each)] == []


def test_quiet_hours(tmp_path: Path) -> None:
    quiet = {"alerts__quiet_from": '"11:00"', "alerts__quiet_to": '"12:10"', "alerts__warning": '["mail"]'}
    told = Told(tmp_path, **quiet, alerts__critical='["mail"]')  # it is noon
    told.take(0, STALE)
    assert told.take(60, STALE, fault("log_errors"), happened=(news(),)) == []
    told.take(61, STALE, DEAD)
    assert [each.title for each in told.take(62, STALE, DEAD)] == [
        "CRITICAL monday: engine_dead: engine_dead of monday"
    ]
    told.restart()
    mail, chat = sorted(told.take(600, STALE, DEAD), key=lambda each: each.channel, reverse=True)
    assert "3 messages in one: they were held back in the quiet hours" in mail.body
    assert mail.title.startswith("WARNING monday: feed_stale")  # log_errors came and went
    assert "entry" in chat.body


@pytest.mark.parametrize(
    ("begin", "end", "quiet"),
    [
        ("11:00", "12:01", True),
        ("12:00", "12:01", True),
        ("11:00", "12:00", False),
        ("22:00", "12:01", True),
        ("12:01", "11:00", False),
        ("12:00", "12:00", True),
        ("", "", False),
    ],
)
def test_quiet_hours_over_midnight(tmp_path: Path, begin: str, end: str, *, quiet: bool) -> None:
    told = Told(tmp_path, **ALONE, alerts__quiet_from=f'"{begin}"', alerts__quiet_to=f'"{end}"')
    assert bool(told.take(0, STALE)) is not quiet


def test_half_of_quiet_hours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="set both or none"):
        Told(tmp_path, alerts__quiet_from='"22:00"')


def test_the_limit_gathers_what_exceeds_it_and_never_holds_back_what_is_critical(tmp_path: Path) -> None:
    told = Told(tmp_path, alerts__per_hour=3, alerts__group_s=0, alerts__exits="false")
    entries = [told.take(at_s, happened=(news(at_s=at_s),)) for at_s in range(10)]
    assert [len(each) for each in entries] == [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    dead = [fault("engine_dead", CRITICAL, session=f"s{number}") for number in range(10)]
    assert [len(told.take(20 + n, *dead[: n + 1])) for n in range(10)] == [2] * 10  # mail and phone
    (late,) = [each for each in told.take(3_601, *dead) if each.channel == "chat"]
    assert "7 messages in one: alerts.per_hour was reached" in late.body


def test_news_is_told_once_and_can_be_switched_off(tmp_path: Path) -> None:
    told = Told(tmp_path, **ALONE, alerts__exits="false")
    many = tuple(news(kind, text=f"of {kind}") for kind in ("entry", "exit", "day_start", "day_end"))
    (message,) = told.take(0, happened=many)
    assert [f"of {kind}" in message.body for kind in ("entry", "exit", "day_start", "day_end")] == [
        True,
        False,
        True,
        True,
    ]
    told.restart()
    assert told.take(1, happened=many) == []


def test_a_rule_that_is_off_raises_nothing(tmp_path: Path) -> None:
    told = Told(tmp_path, **ALONE, alerts__off='["engine_dead"]')
    assert told.take(0, DEAD) == []
    with pytest.raises(ConfigError, match=r"alerts\.off: there is no rule engine_ded; did you mean engine_dead"):
        Told(tmp_path, alerts__off='["engine_ded"]')


def test_no_channel_is_no_reason_to_forget(tmp_path: Path) -> None:
    told = Told(tmp_path, alerts__info="[]", alerts__warning="[]", alerts__critical="[]")
    assert told.take(0, DEAD) == []
    told.restart()
    assert told.alerting.firing()[CRITICAL] == 1


def test_titles_fit_a_short_message_and_bodies_say_what_to_do(tmp_path: Path) -> None:
    told = Told(tmp_path, **ALONE)
    many = [DEAD._replace(subject=str(number), text="x" * 200) for number in range(100)]
    message = told.take(0, *many)[0]
    assert len(message.title) <= TITLE_MAX
    assert message.title.startswith("CRITICAL monday: engine_dead: xxx")
    assert message.title.endswith("... (+99 more)")
    assert "and 60 more: `myquant alerts list --all`" in message.body
    for part in (
        "since 2025-10-03 12:00:00 IST",
        "do: look at it",
        "`myquant status monday`",
        "`myquant alerts ack 1`",
    ):
        assert part in message.body


def troubles(told: Told) -> list[tuple[int, str]]:
    return [told.book.trouble] if told.book.trouble else []


def test_the_death_of_an_engine_is_the_first_thing_said(tmp_path: Path) -> None:
    low = fault("disk_low", CRITICAL, session="a")
    assert (
        Told(tmp_path, **ALONE).take(0, low, DEAD)[0].title
        == "CRITICAL monday: engine_dead: engine_dead of monday (+1 more)"
    )


def test_the_book_is_its_owners_and_a_disk_that_takes_nothing_delays_nothing(tmp_path: Path) -> None:
    told = Told(tmp_path, **ALONE)
    told.take(0, STALE)
    assert stat.S_IMODE((tmp_path / books.FILE).stat().st_mode) == 0o600
    with books.Book(tmp_path) as other:
        other._connected().execute("begin exclusive")
        assert channels(told.take(1, STALE, DEAD)) == ["mail", "phone"]
        assert [since_ns > 0 for since_ns, _ in troubles(told)] == [True]
    assert told.take(2, STALE, DEAD) == []
    assert troubles(told) == []
    told.restart()
    assert told.take(3, STALE, DEAD) == []  # it is known


def test_a_channel_that_the_settings_have_no_more_is_forgotten(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.take(0, STALE)
    told.settings = load_config(assignments=['alerts.warning=["mail"]']).config.alerts
    told.restart()
    assert channels(told.take(5, STALE)) == ["mail"]


def test_a_clock_that_is_set_back_holds_nothing_up(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.take(0, STALE)
    assert channels(told.take(-3_600, STALE)) == ["chat", "mail"]


def test_a_damaged_book_delays_nothing_and_is_told(tmp_path: Path) -> None:
    (tmp_path / books.FILE).write_bytes(b"no database" * 1000)
    told = Told(tmp_path, **ALONE)
    assert channels(told.take(0, DEAD)) == ["mail", "phone"]
    assert told.take(1, DEAD) == []
    assert [why for _, why in troubles(told)] == ["alerts.sqlite: file is not a database"]


@pytest.mark.parametrize(
    ("settings", "severity", "told"),
    [
        ({"alerts__critical": "[]"}, CRITICAL, ["chat", "mail"]),
        ({"alerts__critical": "[]", "alerts__warning": "[]"}, CRITICAL, ["chat"]),
        ({"alerts__info": "[]"}, INFO, []),
        ({"alerts__warning": "[]", "alerts__info": "[]"}, WARNING, []),  # only what is critical is wanted
    ],
)
def test_what_is_grave_does_not_go_nowhere(
    tmp_path: Path, settings: dict[str, str], severity: str, told: list[str]
) -> None:
    alerting = Told(tmp_path, alerts__group_s=0, **settings)
    assert channels(alerting.take(0, fault(severity=severity))) == told


def test_rows_of_another_version_are_left_out_and_named(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.take(0, fault(severity=CRITICAL), fault(severity=WARNING, session="tuesday"))
    odd = {
        ("alert", "7"): "{}",
        ("waiting", "chat"): '{"waiting": [{"odd": 1}]}',
        ("ready", "k"): "[",
        ("ack", "1"): "x",
    }
    assert told.book.write(odd, 0)
    told.restart()
    assert sorted(told.alerting.not_understood) == ["alert 7", "ready k", "waiting chat"]
    told.take(1, fault(severity=CRITICAL), fault(severity=WARNING, session="tuesday"), fault(session="wednesday"))
    rows = told.book.rows("alert")
    assert {key: json.loads(text).get("session") for key, text in rows.items()} == {
        "1": "monday",
        "2": "tuesday",
        "3": "wednesday",
        "7": None,
    }
    assert told.book.rows("ack") == {}
