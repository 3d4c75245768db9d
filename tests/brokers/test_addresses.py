"""TLS to anywhere, in clear to this machine alone."""

import ssl
from dataclasses import replace

import pytest

from myquant.brokers.addresses import checked_url, verifying
from myquant.brokers.angelone.settings import Endpoints
from myquant.config.loading import load_config
from myquant.errors import ConfigError


@pytest.mark.parametrize(
    "url",
    [
        "https://apiconnect.angelone.in",
        "https://10.0.0.1:8443/path",
        "http://127.0.0.1:80",
        "http://127.9.9.9",
        "http://[::1]:81",
        "http://localhost:5000",
    ],
)
def test_is_taken(url: str) -> None:
    assert checked_url(url, schemes=("https", "http")) == url
    assert checked_url(url + "/", schemes=("https", "http")) == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://apiconnect.angelone.in", "only this machine may be reached without TLS: write https://"),
        ("http://10.0.0.1", "only this machine"),
        ("http://0.0.0.0", "only this machine"),
        ("http://localhost.evil.example", "only this machine"),
        ("http://127.0.0.1.evil.example", "only this machine"),
        ("http://[::]", "only this machine"),
        ("ftp://host", "write https://host"),
        ("wss://host", "write https://host"),
        ("host", "write https://host"),
        ("https://", "write https://host"),
        ("", "write https://host"),
        ("https://host:port", "is no address"),
        ("https://[1", "is no address"),
        ("https://user:planted@host", "must not carry"),
        ("https://host/?key=planted", "must not carry"),
        ("https://host/#planted", "must not carry"),
    ],
)
def test_is_refused(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        checked_url(url, schemes=("https", "http"))
    assert "planted" not in str(caught.value)


def test_the_endpoints_that_ship_are_safe_and_others_must_be() -> None:
    addresses = load_config().config.angelone
    shipped = Endpoints(addresses.rest_url, addresses.stream_url, addresses.master_url, addresses.update_url)
    assert all(url.split(":")[0] in {"https", "wss"} for url in vars(shipped).values())
    assert replace(shipped, stream="ws://127.0.0.1:9/s/").stream == "ws://127.0.0.1:9/s"
    with pytest.raises(ConfigError, match="write wss://"):
        replace(shipped, stream="ws://smartapisocket.angelone.in/smart-stream")
    with pytest.raises(ConfigError, match="write https://"):
        replace(shipped, master="http://margincalculator.angelbroking.com")


def test_a_context_must_verify() -> None:
    lax = ssl.create_default_context()
    lax.check_hostname = False
    with pytest.raises(ConfigError, match="must verify"):
        verifying(lax)
    lax.verify_mode = ssl.CERT_NONE
    with pytest.raises(ConfigError, match="must verify"):
        verifying(lax)
    assert verifying(None) is verifying(None)  # read once: 25 ms
    assert verifying(None).verify_mode == ssl.CERT_REQUIRED
    assert verifying(None).check_hostname
