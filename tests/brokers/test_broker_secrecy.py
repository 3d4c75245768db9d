"""Planted secrets, and a broker that throws them back in every way it can: none reaches a log, an error or a text."""

import asyncio
import io
import json
import logging
import traceback
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from aiohttp import web

from brokers.fake_angelone import CREDENTIALS, FakeBroker, connected, envelope, fake_broker, refusal, run, text, until
from brokers.fake_feed import Watcher, feeding
from myquant.brokers.angelone import settings
from myquant.brokers.angelone.client import AngelOneClient
from myquant.brokers.http import Http
from myquant.brokers.port import RequestError
from myquant.brokers.secrets import LINE_MAX, Redactor
from myquant.errors import BrokerError


def planted(broker: FakeBroker, client: AngelOneClient) -> set[str]:
    """Return all secrets there are, as they are and url-encoded."""
    tokens = client.tokens
    assert tokens is not None
    secrets = {*CREDENTIALS.secrets(), broker.jwt, tokens.refresh, tokens.feed}
    return secrets | {quote(secret, safe="") for secret in secrets}


def echo(broker: FakeBroker) -> str:
    """Return words that hold every secret the broker knows of."""
    return " ".join(
        (*CREDENTIALS.secrets(), quote(CREDENTIALS.api_key, safe=""), f"Bearer {broker.jwt}", "refresh-planted-1")
    )


def told(error: BaseException) -> str:
    """Return everything that a traceback or a debugger's first look shows of an error."""
    lines = "".join(traceback.format_exception(error))
    chain = [error, error.__cause__, error.__context__ if not error.__suppress_context__ else None]
    return lines + "".join(
        f"{each!r} {each} {getattr(each, 'args', '')} {vars(each) if each else ''}" for each in chain
    )


def answers(broker: FakeBroker) -> list[list[web.Response]]:
    words = echo(broker)
    return [
        [refusal("AB1007", words)],
        [refusal(words, words)],
        [web.json_response({"success": False, "message": words, "errorCode": broker.jwt, "data": words})],
        [text(429, words) for _ in range(5)],
        [text(403, words) for _ in range(5)],
        [text(500, words) for _ in range(5)],
        [text(200, f"<html>{words}") for _ in range(5)],
        [text(404, json.dumps({"status": words, "message": words}))],
        [envelope({"net": words})],
    ]


def test_no_error_holds_a_secret() -> None:
    async def scenario() -> None:
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            for script in answers(broker):
                broker.scripted[settings.FUNDS] = script
                with pytest.raises(RequestError) as caught:
                    await client.funds()
                shown = told(caught.value)
                assert [secret for secret in planted(broker, client) if secret in shown] == []
            broker.scripted = {}
            with pytest.raises(RequestError) as caught:
                await AngelOneClient(client.http, CREDENTIALS, endpoints=broker.endpoints).funds()
            assert broker.jwt not in told(caught.value)

    run(scenario())


@pytest.mark.parametrize("cut", range(1, 18, 4))
def test_a_secret_that_is_cut_off_does_not_show_its_beginning(cut: int) -> None:
    async def scenario() -> None:
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            words = "x" * (LINE_MAX - cut) + broker.jwt
            for script in ([refusal("AB1007", words)], [text(429, words) for _ in range(5)]):
                broker.scripted[settings.FUNDS] = script
                with pytest.raises(RequestError, match="xxxx") as caught:
                    await client.funds()
                assert broker.jwt[0] not in str(caught.value).partition("xxxx")[2].partition(":")[0]

    run(scenario())


def test_no_error_of_the_network_holds_a_secret() -> None:
    async def scenario() -> None:
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            broker.port = 1  # nobody listens there
            lost = AngelOneClient(client.http, CREDENTIALS, endpoints=broker.endpoints)
            lost.tokens = client.tokens
            with pytest.raises(RequestError, match="try again later") as caught:
                await lost.funds()
            assert [secret for secret in planted(broker, client) if secret in told(caught.value)] == []

    run(scenario())


def test_no_representation_holds_a_secret() -> None:
    async def scenario() -> None:
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            watcher = Watcher()
            async with feeding(client, watcher) as feed:
                await until(watcher.healthy)
                shown = (
                    f"{client!r} {client.tokens!r} {client.redactor!r} {client.http!r} {feed!r} {feed.connections!r}"
                )
                shown += f"{CREDENTIALS!r} {feed.states()!r} {feed.counts()!r} {client.endpoints!r}"
            assert [secret for secret in planted(broker, client) if secret in shown] == []

    run(scenario())


def test_no_log_holds_a_secret_at_any_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    for name in ("asyncio", "aiohttp", "aiohttp.access", "aiohttp.server", "picows.server"):  # the fake broker's own
        logging.getLogger(name).setLevel(logging.WARNING)
    lines = io.StringIO()

    async def scenario() -> None:
        watcher = Watcher()
        async with fake_broker() as broker, connected(broker) as client:
            logger = structlog.wrap_logger(
                structlog.PrintLogger(lines), processors=[client.redactor, structlog.processors.JSONRenderer()]
            )
            await client.login()
            broker.handshakes = [401, 503, 200]
            async with feeding(client, watcher) as feed:
                await until(watcher.healthy)
                words = echo(broker)
                broker.sockets[-1].say(words)
                broker.sockets[-1].say(json.dumps({"errorCode": "E1001", "errorMessage": words}))
                await until(lambda: len(watcher.changes) >= 4)
                watcher.fault = BrokerError(words)
                await until(lambda: feed.failure is not None)
                log_all(logger, watcher, feed.failure, client, words)
            await asyncio.sleep(0.05)
            shown = caplog.text + lines.getvalue() + str(watcher.changes) + str(watcher.texts) + str(feed.failure)
            assert "Send upgrade request" in caplog.text  # the lowest level was on
            assert "Initiate disconnect because of exception" in caplog.text
            assert [secret for secret in planted(broker, client) if secret in shown] == []

    run(scenario())


def log_all(logger: Any, watcher: Watcher, failure: BrokerError | None, client: AngelOneClient, words: str) -> None:
    """Log carelessly whatever there is."""
    logger.info(words, changes=watcher.changes, texts=watcher.texts, headers=client.socket_headers(), cause=failure)
    logger.error("failed", exc_info=failure)
    logger.error("context", credentials=CREDENTIALS.secrets(), tokens=vars(client.tokens), pin=int(CREDENTIALS.pin))


def test_a_client_without_its_block_says_so() -> None:
    async def scenario() -> None:
        async with fake_broker() as broker:
            client = AngelOneClient(Http(Redactor()), CREDENTIALS, endpoints=broker.endpoints)
            with pytest.raises(BrokerError, match="async with"):
                await client.login()

    run(scenario())
