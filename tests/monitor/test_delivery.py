"""The courier as a whole: real processes, a real mail server, a real webhook, and secrets that must be found nowhere."""

import asyncio
import os
import time
from contextlib import AsyncExitStack
from pathlib import Path

from monitor.posts import Lines, message_of, settings_of, until
from monitor.servers import HOST, Mailbox, Sink, drips, hangs, smtp, tcp
from myquant.monitor.channels import Channel
from myquant.monitor.courier import Courier
from myquant.monitor.spool import Spool

PASSWORD = "planted-Pass-4711"  # noqa: S105  (planted)
TOTAL = 20


def hook(name: str, port: int) -> Channel:
    return Channel(name, f"json://me:{PASSWORD}@{HOST}:{port}/hook/{PASSWORD}")


def mail(port: int) -> Channel:
    return Channel("mail", f"mailto://{HOST}:{port}?from=a@example.com&to=b@example.com&mode=insecure&smtp={HOST}")


def content_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_channels_that_hang_and_drip_delay_no_other_and_one_that_comes_back_gets_all(tmp_path: Path) -> None:
    async def run() -> None:
        mailbox, log, spool = Mailbox(tempfails=2), Lines(), Spool(tmp_path, time.time_ns)
        async with AsyncExitStack() as stack:
            ports = [await stack.enter_async_context(tcp(handle)) for handle in (hangs, drips)]
            mail_port = await stack.enter_async_context(smtp(mailbox))
            channels = [hook("hangs", ports[0]), hook("drips", ports[1]), mail(mail_port)]
            courier = Courier(channels, settings_of(attempt_s=5, down_after=1), spool, log, os.environ)
            running = asyncio.create_task(courier.run())
            for number in range(TOTAL):
                for channel in channels:
                    courier.post(message_of(f"m{number}", channel.name))
            await until(lambda: not courier.counts().spool["mail"])
            await until(lambda: set(courier.down()) == {"hangs", "drips"})
            assert courier.counts().spool == {"hangs": TOTAL, "drips": TOTAL, "mail": 0}
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        spool.close()
        assert len(mailbox.mails) == TOTAL
        assert "no answer within 5 s" in str(log.lines)
        assert PASSWORD not in str(log.lines)
        await goes_on(tmp_path)

    async def goes_on(folder: Path) -> None:
        """After a restart the two services work."""
        sinks, log, spool = [Sink(), Sink()], Lines(), Spool(folder, time.time_ns)
        async with tcp(sinks[0]) as first, tcp(sinks[1]) as second:
            channels = [hook("hangs", first), hook("drips", second)]
            courier = Courier(channels, settings_of(), spool, log, os.environ)
            running = asyncio.create_task(courier.run())
            courier.stop()
            await asyncio.wait_for(running, 60)
        spool.close()
        for sink in sinks:
            assert [body.count('"title": "m') for body in sink.bodies] == [1] * TOTAL
            assert [f'"m{number}"' in sink.bodies[number] for number in range(TOTAL)] == [True] * TOTAL

    asyncio.run(run())
    assert b"Body of m0" in content_of(tmp_path)
    assert PASSWORD.encode() not in content_of(tmp_path)


def test_a_service_that_repeats_the_secret_in_its_answer_teaches_nobody(tmp_path: Path) -> None:
    async def run() -> None:
        log, spool = Lines(), Spool(tmp_path, time.time_ns)
        async with tcp(Sink("500 Oh", body=f"not with {PASSWORD}")) as port:
            courier = Courier([hook("hook", port)], settings_of(), spool, log, os.environ)
            running = asyncio.create_task(courier.run())
            courier.post(message_of("a", "hook"))
            await until(courier.down)
            assert PASSWORD not in str(courier.down())
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert "***" in str(log.lines)
        assert PASSWORD not in str(log.lines)
        spool.close()

    asyncio.run(run())
    assert PASSWORD.encode() not in content_of(tmp_path)
