"""The courier, with channels in memory: order, retries, giving up, restarts, a full disk."""

import asyncio
import operator
import sqlite3
from collections import Counter
from functools import partial
from pathlib import Path
from random import Random

from monitor.posts import HOUR_NS, Clock, Lines, Office, Post, message_of, settings_of, until
from myquant.monitor.channels import Channel
from myquant.monitor.courier import Courier, stop_in_order
from myquant.monitor.lane import PROBE_EVERY, pause_s
from myquant.monitor.spool import FILE, Spool


def rows(folder: Path, columns: str) -> list[tuple[object, ...]]:
    base = sqlite3.connect(folder / FILE)
    found = base.execute(f"select {columns} from deliveries order by id").fetchall()  # noqa: S608  (columns of a test)
    base.close()
    return found


def test_messages_go_out_in_order_what_is_critical_first(tmp_path: Path) -> None:
    async def run() -> None:
        post = Post()
        async with Office(tmp_path, {"mail": post}) as office:
            for title, severity in (
                ("a", "info"),
                ("b", "warning"),
                ("c", "critical"),
                ("d", "info"),
                ("e", "critical"),
            ):
                office.courier.post(message_of(title, severity=severity))
            await until(lambda: len(post.got) == 5)
        assert post.got == ["c", "e", "b", "a", "d"]
        assert office.courier.counts().deliveries == {("mail", "delivered"): 5}

    asyncio.run(run())


def test_a_receipt_is_kept_with_time_attempts_and_answer(tmp_path: Path) -> None:
    async def run() -> None:
        failures = iter(["451 later", "451 later"])
        post = Post(lambda _: next(failures, ""))
        async with Office(tmp_path, {"mail": post}) as office:
            office.courier.post(message_of("a"))
            await until(lambda: post.got)
            await until(lambda: not office.courier.counts().spool["mail"])
        assert office.courier.counts().deliveries == {("mail", "failed"): 2, ("mail", "delivered"): 1}
        found = rows(tmp_path, "title, state, attempts, ended_ns, answer, alert_ids")
        assert found == [("a", "delivered", 3, office.clock(), "fine", '["7"]')]
        events = Counter(office.log.events())
        assert events["alert delivered"] == 1
        assert events["alert not delivered"] == 2

    asyncio.run(run())


def test_the_body_ends_with_what_tells_a_message_sent_twice(tmp_path: Path) -> None:
    async def run() -> None:
        post = Post()
        async with Office(tmp_path, {"mail": post}) as office:
            office.courier.post(message_of("a", created_ns=1))
            office.courier.post(message_of("a", created_ns=1))
            office.courier.post(message_of("a", created_ns=2))
            await until(lambda: len(post.got) == 2)
        assert len({body.splitlines()[-1] for body in post.bodies}) == 2
        assert all(body.startswith("Body of a.\n\nMessage ") for body in post.bodies)

    asyncio.run(run())


def test_the_same_message_posted_after_a_restart_is_not_sent_again(tmp_path: Path) -> None:
    async def run() -> None:
        for _ in range(2):
            post = Post()
            async with Office(tmp_path, {"mail": post}) as office:
                office.courier.post(message_of("a"))
                office.courier.post(message_of("end", created_ns=len(rows(tmp_path, "id"))))
                await until(partial(operator.contains, post.got, "end"))
        assert post.got == ["end"]

    asyncio.run(run())


def test_a_restart_goes_on_with_what_was_not_delivered(tmp_path: Path) -> None:
    async def run() -> None:
        down = Post(lambda _: "connection refused")
        async with Office(tmp_path, {"mail": down}) as office:
            for number in range(200):
                office.courier.post(message_of(f"m{number}"))
            await until(lambda: len(down.tried) > 3)
        post = Post()
        async with Office(tmp_path, {"mail": post}) as office:
            assert office.courier.counts().spool == {"mail": 200}
            office.courier.post(message_of("new"))
            await until(lambda: len(post.got) == 201)
        assert post.got == [*(f"m{number}" for number in range(200)), "new"]

    asyncio.run(run())


def test_a_blocked_channel_delays_no_other(tmp_path: Path) -> None:
    async def run() -> None:
        blocked, post = Post(), Post()
        blocked.open.clear()
        async with Office(tmp_path, {"sms": blocked, "mail": post}) as office:
            for number in range(50):
                office.courier.post(message_of(f"m{number}", "sms"))
                office.courier.post(message_of(f"m{number}", "mail"))
            await until(lambda: len(post.got) == 50)
            assert blocked.tried == ["m0"]
            assert office.courier.counts().spool == {"sms": 50, "mail": 0}
            assert office.courier.counts().up == {"sms": True, "mail": True}

    asyncio.run(run())


def test_a_channel_that_fails_in_a_row_is_down_until_it_delivers(tmp_path: Path) -> None:
    async def run() -> None:
        is_down = True
        post = Post(lambda _: "connection refused" if is_down else "")
        async with Office(tmp_path, {"mail": post}, down_after=3) as office:
            office.courier.post(message_of("a"))
            await until(lambda: len(post.tried) == 2)
            assert office.courier.down() == {}
            await until(office.courier.down)
            assert office.courier.down() == {"mail": (office.clock(), "connection refused")}
            assert office.courier.counts().up == {"mail": False}
            is_down = False
            await until(lambda: not office.courier.down())
        assert [event for event in office.log.events() if "channel" in event] == [
            "alert channel down",
            "alert channel up",
        ]

    asyncio.run(run())


def test_a_channel_without_a_usable_address_is_down_from_the_start(tmp_path: Path) -> None:
    async def run() -> None:
        async with Office(tmp_path, {"mail": Post(problem="the address can't be used"), "sms": Post()}) as office:
            await until(office.courier.down)
            assert office.courier.down() == {"mail": (office.clock(), "the address can't be used")}
            office.posts["mail"].problem = ""
            await until(lambda: not office.courier.down())

    asyncio.run(run())


def test_what_can_not_be_delivered_is_given_up_and_told_on_the_others(tmp_path: Path) -> None:
    async def run() -> None:
        mail, sms = Post(lambda _: "connection refused"), Post()
        async with Office(tmp_path, {"mail": mail, "sms": sms}, give_up_s=3600) as office:
            for number in range(5):
                office.courier.post(message_of(f"m{number}"))
            await until(office.courier.down)
            assert ("mail", "given_up") not in office.courier.counts().deliveries
            office.clock.now_ns += 2 * HOUR_NS
            await until(lambda: sms.got)
        assert sms.got == ["WARNING monitor: 5 messages for channel mail given up"]
        assert office.courier.counts().deliveries["mail", "given_up"] == 5
        assert [row[0] for row in rows(tmp_path, "state")] == ["given_up"] * 5 + ["delivered"]

    asyncio.run(run())


def test_channels_that_all_fail_do_not_tell_each_other_for_ever(tmp_path: Path) -> None:
    async def run() -> None:
        clock = Clock()
        posts = {name: Post(lambda _: "connection refused") for name in ("mail", "sms")}
        async with Office(tmp_path, posts, clock, give_up_s=3600) as office:
            office.courier.post(message_of("a"))
            await until(office.courier.down)
            clock.now_ns += 2 * HOUR_NS
            await until(lambda: office.courier.counts().spool["sms"])
            clock.now_ns += 2 * HOUR_NS
            await until(lambda: ("sms", "given_up") in office.courier.counts().deliveries)
            office.courier._tell_given_up()
        assert len(rows(tmp_path, "id")) == 2  # the message, and one notice

    asyncio.run(run())


def test_one_message_that_a_channel_never_takes_holds_up_no_other(tmp_path: Path) -> None:
    async def run() -> None:
        post = Post(lambda parcel: "too long" if parcel.title == "bad" else "")
        async with Office(tmp_path, {"mail": post}, retry_max_s="0.02") as office:
            for title in ("bad", "b", "c", "d"):
                office.courier.post(message_of(title))
            await until(lambda: len(post.got) == 3)
            assert post.got == ["b", "c", "d"]
            assert post.tried[: PROBE_EVERY + 1] == ["bad"] * PROBE_EVERY + ["b"]
            tries = post.tried.count("bad")
            await until(lambda: post.tried.count("bad") > tries + 3)  # again and again
            assert office.courier.down() == {}
            office.courier.post(message_of("e"))
            await until(lambda: post.got[-1] == "e")

    asyncio.run(run())


def test_what_failed_with_all_else_goes_out_once_the_channel_works_again(tmp_path: Path) -> None:
    """A message behind it is the first that gets through: that says nothing against the one before."""

    async def run() -> None:
        post = Post(lambda _: "connection refused" if len(post.tried) <= PROBE_EVERY else "")
        async with Office(tmp_path, {"mail": post}, retry_max_s=3_000) as office:
            office.courier.post(message_of("dead", severity="critical"))
            office.courier.post(message_of("news", severity="info"))
            await until(lambda: len(post.got) == 2)
            assert post.tried == ["dead"] * PROBE_EVERY + ["news", "dead"]

    asyncio.run(run())


def test_a_critical_message_does_not_wait_for_the_next_attempt(tmp_path: Path) -> None:
    async def run() -> None:
        is_down = True
        post = Post(lambda _: "connection refused" if is_down else "")
        async with Office(tmp_path, {"mail": post}, retry_s=3600, retry_max_s=3600) as office:
            office.courier.post(message_of("a"))
            await until(lambda: len(post.tried) == 1)
            is_down = False
            office.courier.post(message_of("b"))
            office.courier.post(message_of("loud", severity="critical"))
            await until(lambda: len(post.got) == 3)
        assert post.got == ["loud", "a", "b"]

    asyncio.run(run())


def test_waits_are_doubled_up_to_a_limit_less_some_chance() -> None:
    settings, rng = settings_of(retry_s=5, retry_max_s=60), Random(1)
    for failures, most_s in ((1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (10_000, 60)):
        waits = [pause_s(settings, failures, rng) for _ in range(100)]
        assert most_s / 2 <= min(waits) < max(waits) <= most_s


def test_messages_for_a_channel_that_is_no_more_are_given_up(tmp_path: Path) -> None:
    async def run() -> None:
        async with Office(tmp_path, {"old": Post(lambda _: "no")}) as office:
            office.courier.post(message_of("a", "old"))
        async with Office(tmp_path, {"mail": Post()}) as office:
            await until(lambda: "alert given up" in office.log.events())
            office.courier.post(message_of("b", "old"))
            office.courier.post(message_of("c"))
            await until(lambda: office.posts["mail"].got)
        assert office.courier.counts().deliveries == {("old", "given_up"): 2, ("mail", "delivered"): 1}
        assert office.log.events().count("alert given up") == 2
        assert rows(tmp_path, "state, answer")[0] == ("given_up", "its channel is configured no more")

    asyncio.run(run())


def test_stopping_delivers_what_waits_and_leaves_what_fails(tmp_path: Path) -> None:
    async def run() -> None:
        mail, sms = Post(), Post(lambda _: "no")
        office = Office(tmp_path, {"mail": mail, "sms": sms})
        running = asyncio.create_task(office.courier.run())
        for number in range(10):
            office.courier.post(message_of(f"m{number}", "mail"))
            office.courier.post(message_of(f"m{number}", "sms"))
        office.courier.stop()
        await asyncio.wait_for(running, 30)
        assert len(mail.got) == 10
        assert office.courier.counts().spool == {"mail": 0, "sms": 10}
        office.spool.close()

    asyncio.run(run())


def test_a_courier_without_channels_ends_too(tmp_path: Path) -> None:
    async def run() -> None:
        courier = Courier([], settings_of(), Spool(tmp_path, Clock()), Lines(), {})
        running = asyncio.create_task(courier.run())
        await asyncio.sleep(0)
        courier.stop()
        await asyncio.wait_for(running, 30)
        assert courier.counts() == ({}, {}, {})

    asyncio.run(run())


def test_secrets_of_all_channels_are_hidden_in_what_goes_out_and_in_what_is_logged(tmp_path: Path) -> None:
    secret = "planted-Pass-4711"  # noqa: S105  (planted)

    async def run() -> None:
        post = Post(lambda _: "" if len(post.tried) > 1 else f"535 bad password {secret}")

        def worker(*_: object) -> Post:
            return post

        spool, log = Spool(tmp_path, Clock()), Lines()
        channels = [Channel("mail", f"mailto://me:{secret}@mail.example?to=you@mail.example")]
        courier = Courier(channels, settings_of(), spool, log, {}, worker=worker)
        running = asyncio.create_task(courier.run())
        courier.post(message_of("a")._replace(title=f"t {secret}", body=f"b {secret}"))
        await until(lambda: post.got)
        courier.stop()
        await running
        spool.close()
        assert [secret in text for text in (*post.got, *post.bodies, str(log.lines))] == [False] * 3
        assert "***" in post.got[0]
        assert secret not in str(rows(tmp_path, "answer"))

    asyncio.run(run())


def test_a_disk_that_is_full_is_told_and_delays_no_message(tmp_path: Path) -> None:
    async def run() -> None:
        post = Post()
        (tmp_path / FILE).mkdir()
        async with Office(tmp_path, {"mail": post}) as office:
            office.courier.post(message_of("a"))
            assert office.courier.trouble() is not None
            await until(lambda: post.got == ["a"])
            (tmp_path / FILE).rmdir()
            await until(lambda: office.courier.trouble() is None)
            await until(lambda: "alerts are on disk again" in office.log.events())
        assert rows(tmp_path, "title, state") == [("a", "delivered")]
        assert "alerts can't be written to disk, and are kept in memory" in office.log.events()

    asyncio.run(run())


def test_messages_beyond_the_limit_are_counted_and_told_on_the_others(tmp_path: Path) -> None:
    async def run() -> None:
        blocked, post = Post(), Post()
        blocked.open.clear()
        async with Office(tmp_path, {"sms": blocked, "mail": post}) as office:
            office.spool._waiting_max = 3
            for number in range(5):
                office.courier.post(message_of(f"m{number}", "sms"))
            assert office.courier.counts().deliveries == {("sms", "given_up"): 2}
            await until(lambda: post.got)
        assert post.got == ["WARNING monitor: 2 messages for channel sms given up"]

    asyncio.run(run())


def test_an_orderly_end_waits_for_no_channel_that_hangs(tmp_path: Path) -> None:
    async def run() -> None:
        blocked = Post()
        blocked.open.clear()
        office = Office(tmp_path, {"sms": blocked})
        running = asyncio.create_task(office.courier.run())
        office.courier.post(message_of("a", "sms"))
        await until(lambda: blocked.tried)
        await asyncio.wait_for(stop_in_order(office.courier, running, 0.01), 30)
        assert running.cancelled()
        assert office.courier.counts().spool == {"sms": 1}
        office.spool.close()

    asyncio.run(run())
