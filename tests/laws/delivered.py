"""What the settings of delivery come to: attempts, waits, giving up, a channel that is down, the heartbeat."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any, Final

from laws.driver import settings
from monitor.posts import HOUR_NS, Clock, Lines, Office, Post, message_of, until
from monitor.servers import HOST, Sink, tcp
from myquant.brokers.secrets import Redactor
from myquant.config.watching import AlertSettings
from myquant.monitor.channels import Channel
from myquant.monitor.heartbeat import Heartbeat
from myquant.monitor.lane import pause_s
from myquant.monitor.worker import Parcel, Worker

Values = Mapping[str, Any]
ENOUGH_S: Final = 0.5
HANGS: Final = "import sys, time; sys.stdin.readline(); print('{\"ready\": true}', flush=True); time.sleep(3600)"


def alerts(values: Values) -> AlertSettings:
    return settings(values).config.alerts


def attempt(values: Values) -> str:
    """Return what is told of a process that never answers."""

    async def run() -> str:
        limit_s = float(alerts(values).attempt_s)
        worker = Worker(Channel("mail", "json://h"), Redactor(), limit_s, os.environ, (sys.executable, "-c", HANGS))
        try:
            return (await worker.deliver(Parcel("1", "info", "t", "b"))).said
        finally:
            await worker.close()

    return asyncio.run(run())


def waits(values: Values) -> list[float]:
    """Return the waits after 1, 2 and 100 failures in a row."""
    return [pause_s(alerts(values), failures, Random(7)) for failures in (1, 2, 100)]


def given_up(values: Values) -> int:
    """Return how many messages are given up two hours after they were posted to a channel that fails."""

    async def run() -> int:
        post = Post(lambda _: "connection refused")
        with tempfile.TemporaryDirectory() as folder:
            clock = Clock()
            limits = {"give_up_s": alerts(values).give_up_s, "down_after": 1}
            async with Office(Path(folder), {"mail": post}, clock, **limits) as office:
                office.courier.post(message_of("a"))
                clock.now_ns += 2 * HOUR_NS
                await until(lambda: len(post.tried) >= 3 or not office.courier.counts().spool["mail"])
                return office.courier.counts().deliveries.get(("mail", "given_up"), 0)

    return asyncio.run(run())


def failures_until_down(values: Values) -> int:
    """Return how many failures in a row it takes for a channel to be down."""

    async def run() -> int:
        post = Post(lambda _: "connection refused")
        with tempfile.TemporaryDirectory() as folder:
            async with Office(Path(folder), {"mail": post}, down_after=alerts(values).down_after) as office:
                office.courier.post(message_of("a"))
                await until(lambda: "alert channel down" in office.log.events())
                return office.log.events()[: office.log.events().index("alert channel down")].count(
                    "alert not delivered"
                )

    return asyncio.run(run())


def beats(values: Values) -> bool:
    """Return whether a second heartbeat comes soon after the first."""

    async def run() -> bool:
        sink = Sink()
        every_s = float(settings(values).config.monitor.heartbeat_s)
        async with tcp(sink) as port:
            heart = Heartbeat(f"http://{HOST}:{port}/", every_s, lambda: True, Lines(), clock_ns=Clock())
            running = asyncio.create_task(heart.run())
            await until(lambda: heart.counts["sent"])
            second = asyncio.create_task(until(lambda: heart.counts["sent"] > 1))
            await asyncio.wait({second}, timeout=ENOUGH_S)
            count = heart.counts["sent"]
            running.cancel()
            second.cancel()
            await asyncio.gather(running, second, return_exceptions=True)
        return count > 1

    return asyncio.run(run())
