"""The test of the channels on the page: one at a time, and what each answered in words."""

import asyncio
from collections.abc import Sequence

import pytest

from monitor.made_views import loaded
from myquant.dashboard.channel_test import BUSY, FAILED, NO_CHANNEL, ChannelTest
from myquant.monitor.trial import Trial
from myquant.monitor.worker import Answer

TRIALS = (
    Trial("mail", Answer(delivered=True, said="accepted"), 0.25, ""),
    Trial("phone", Answer(delivered=False, said="channel phone: http 401"), 0.1, "check the token"),
)


def test_one_at_a_time() -> None:
    go = asyncio.Event()

    async def attempt(_: str) -> Sequence[Trial]:
        await go.wait()
        return TRIALS

    async def tries() -> None:
        test = ChannelTest(["mail", "phone"], attempt)
        assert test.begin("noon", "me") == ""
        assert (test.begin("noon", "me"), test.is_running) == (BUSY, True)
        assert test.said == "noon: asking mail, phone ..."
        go.set()
        await test.wait()
        assert test.said == "noon: 1 of 2 channels took the message"
        assert test.lines == ["mail: delivered in 0.2 s", "phone: not delivered: http 401: check the token"]
        assert test.begin("later", "me") == ""
        await test.wait()

    asyncio.run(tries())


def test_one_that_fails_is_said() -> None:
    async def attempt(_: str) -> Sequence[Trial]:
        raise OSError

    async def tries() -> None:
        test = ChannelTest(["mail"], attempt)
        test.begin("noon", "")
        await test.wait()
        assert (test.said, test.is_running) == (f"noon: {FAILED}", False)

    asyncio.run(tries())


def test_without_a_channel_there_is_none() -> None:
    assert ChannelTest.of(loaded().config.alerts, {}).begin("noon", "") == NO_CHANNEL


def test_a_channel_without_an_address_says_where_it_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")

    async def tries() -> list[str]:
        test = ChannelTest.of(loaded(alerts__critical='["mail"]').config.alerts, {})
        test.begin("noon", "")
        await test.wait()
        return test.lines

    (line,) = asyncio.run(tries())
    assert "MYQUANT_ALERT_MAIL" in line
