"""The machine's clock is set, or set back for the winter: nothing is lost, held up or told in a quiet night for that."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from monitor.made_views import SECOND, loaded
from monitor.posts import HOUR_NS, Clock, Office, Post, message_of, until
from monitor.told import Told, fault
from myquant.monitor.finding import CRITICAL
from myquant.monitor.outgoing import Outgoing

DAY_NS = 24 * HOUR_NS
DAY_S = 86_400
ALONE = {"alerts__group_s": 0, "alerts__critical": '["mail"]'}
DEAD = fault("engine_dead", CRITICAL)
LONDON = ZoneInfo("Europe/London")


@pytest.mark.parametrize("step_ns", [2 * DAY_NS, -2 * DAY_NS])
def test_what_waits_is_not_given_up_as_the_clock_was_set(tmp_path: Path, step_ns: int) -> None:
    async def run() -> None:
        mail = Post(lambda _: "no network yet")
        async with Office(tmp_path, {"mail": mail}, give_up_s=DAY_S) as office:
            office.courier.post(message_of("dead", severity="critical"))
            office.clock.set_by(step_ns)
            tries = len(mail.tried)
            await until(lambda: len(mail.tried) > tries + 3)
            assert office.courier.counts().spool["mail"] == 1
            office.clock.now_ns += DAY_NS - 1
            tries = len(mail.tried)
            await until(lambda: len(mail.tried) > tries + 3)
            assert office.courier.counts().spool["mail"] == 1
            office.clock.now_ns += 1
            await until(lambda: not office.courier.counts().spool["mail"])

    asyncio.run(run())


@pytest.mark.parametrize(("away_ns", "is_given_up"), [(DAY_NS, True), (DAY_NS - 1, False), (-DAY_NS, False)])
def test_what_an_earlier_monitor_left_is_as_old_as_the_clock_says(
    tmp_path: Path, away_ns: int, *, is_given_up: bool
) -> None:
    async def run() -> None:
        clock, mail = Clock(), Post(lambda _: "no network yet")
        async with Office(tmp_path, {"mail": mail}, clock, give_up_s=DAY_S) as office:
            office.courier.post(message_of("dead", severity="critical"))
            await until(lambda: mail.tried)
        clock.now_ns += away_ns
        mail.tried.clear()
        async with Office(tmp_path, {"mail": mail}, clock, give_up_s=DAY_S) as office:
            await until(lambda: len(mail.tried) > 3 or not office.courier.counts().spool["mail"])
            assert office.courier.counts().spool["mail"] == (0 if is_given_up else 1)

    asyncio.run(run())


@pytest.mark.parametrize("back_s", [30, DAY_S])
def test_it_is_repeated_after_the_clock_was_set_back(tmp_path: Path, back_s: int) -> None:
    told = Told(tmp_path, **ALONE, alerts__repeat_s=60)
    assert told.take(0, DEAD)
    assert [at_s for at_s in range(0, 200, 5) if told.take(at_s - back_s, DEAD)] == [60, 120, 180]


def test_a_comeback_is_the_same_alert_though_the_clock_was_set_back(tmp_path: Path) -> None:
    told = Told(tmp_path, **ALONE)
    assert [len(told.take(at_s, *each)) for at_s, each in ((0, [DEAD]), (1, []), (2, [DEAD]), (3, []))] == [1, 1, 1, 0]
    assert [told.take(at_s - DAY_S) for at_s in (4, 63)] == [[], []]
    assert len(told.take(64 - DAY_S)) == 1


def quiet(begin: str, end: str, night: datetime) -> list[str]:
    """Return when quiet hours begin and end in a night, in London and in UTC, looked at each minute."""
    settings = loaded(alerts__quiet_from=f'"{begin}"', alerts__quiet_to=f'"{end}"').config.alerts
    outgoing, found, before = Outgoing(settings, LONDON), [], False
    for minute in range(13 * 60):
        now_s = int(night.timestamp()) + 60 * minute
        is_quiet = outgoing.is_quiet(now_s * SECOND)
        if is_quiet is not before:
            local, before = datetime.fromtimestamp(now_s, LONDON), is_quiet
            found.append(f"{local:%H:%M %Z}")
    return found


@pytest.mark.parametrize(
    ("begin", "end", "found"),
    [
        ("01:30", "07:00", ["01:30 BST", "07:00 GMT"]),
        ("22:00", "01:30", ["22:00 BST", "01:30 BST"]),
        ("01:15", "01:45", ["01:15 BST", "01:45 BST"]),
        ("01:00", "02:00", ["01:00 BST", "02:00 GMT"]),
        ("02:00", "02:30", ["02:00 GMT", "02:30 GMT"]),
        ("01:45", "01:15", ["20:00 BST", "01:15 BST", "01:45 BST"]),
    ],
)
def test_quiet_hours_that_have_begun_last_until_their_end_when_the_clocks_go_back(
    begin: str, end: str, found: list[str]
) -> None:
    assert quiet(begin, end, datetime(2025, 10, 25, 19, tzinfo=UTC)) == found


@pytest.mark.parametrize(
    ("begin", "end", "found"),
    [
        ("01:30", "07:00", ["02:00 BST", "07:00 BST"]),
        ("22:00", "01:30", ["22:00 GMT", "02:00 BST"]),
        ("01:15", "01:45", []),
        ("00:30", "02:00", ["00:30 GMT", "02:00 BST"]),
    ],
)
def test_quiet_hours_with_an_end_that_the_clocks_leave_out(begin: str, end: str, found: list[str]) -> None:
    assert quiet(begin, end, datetime(2026, 3, 28, 20, tzinfo=UTC)) == found
