"""Certificates: one of an unknown authority or another host is refused, one that can be trusted is taken."""

import ssl

import pytest
import trustme

from brokers.fake_angelone import connected, fake_broker, run, until
from brokers.fake_feed import Watcher, feeding
from myquant.brokers.angelone import settings
from myquant.brokers.port import Remedy, RequestError


def server_of(authority: trustme.CA, host: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def test_a_trusted_certificate_is_taken(authority: trustme.CA) -> None:
    async def scenario() -> None:
        watcher, tls = Watcher(), trusting(authority)
        async with fake_broker(server_of(authority, "localhost")) as broker, connected(broker, tls=tls) as client:
            await client.login()
            async with feeding(client, watcher, tls=tls):
                await until(watcher.healthy)

    run(scenario())


@pytest.mark.parametrize("case", ["unknown authority", "another host"])
def test_any_other_certificate_is_refused(authority: trustme.CA, case: str) -> None:
    strange = case == "unknown authority"
    server = server_of(trustme.CA(), "localhost") if strange else server_of(authority, "elsewhere.example")

    async def scenario() -> None:
        watcher, tls = Watcher(), trusting(authority)
        async with fake_broker(server) as broker, connected(broker, tls=tls) as client:
            with pytest.raises(RequestError, match="certificate") as caught:
                await client.login()
            assert caught.value.remedy is Remedy.STOP
            assert broker.calls[settings.LOGIN] == 0
            assert client.http.counts["requests"] == 1
            broker.grant()
            client._grant("login", {"jwtToken": broker.jwt, "refreshToken": "r", "feedToken": "f"})
            async with feeding(client, watcher, tls=tls) as feed:
                await until(lambda: feed.counts().ends.get("not_trusted", 0) >= 2)
                assert feed.counts().connects == 0
            assert broker.headers == []

    run(scenario())
