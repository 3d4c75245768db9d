import socket
from pathlib import Path
from typing import Any

import pytest
import trustme

from dashboard.doors import HASH
from laws.paging import NoKeyring
from monitor.made_views import loaded
from myquant.config.watching import DashboardSettings
from myquant.dashboard.opening import (
    NOT_ENCRYPTED,
    Opening,
    listen,
    open_for,
    server_config,
)
from myquant.errors import ConfigError, MyquantError

TOKEN = "a-token-of-my-own-0123"  # noqa: S105  (made up)


def of(**settings: Any) -> DashboardSettings:
    return loaded(**{f"dashboard__{key}": value for key, value in settings.items()}).config.dashboard


def opened(environ: dict[str, str] | None = None, **settings: Any) -> Opening:
    return open_for(of(**settings), environ or {}, NoKeyring())


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pem")
    authority = trustme.CA()
    for name in ("one", "two"):
        made = authority.issue_cert("127.0.0.1")
        made.private_key_pem.write_to_path(folder / f"{name}.key")
        made.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    (folder / "text").write_text("no PEM", encoding="utf-8")
    return folder


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.20", "::"])  # noqa: S104  (an address, not listened at)
def test_others_can_reach_it_only_with_a_password_or_a_token(host: str) -> None:
    with pytest.raises(ConfigError, match=r"dashboard.host = .*dashboard.password_hash.*MYQUANT_DASHBOARD_TOKEN"):
        opened(host=host)
    for key in ("password_hash", "viewer_password_hash"):
        settings: dict[str, Any] = {"host": host, key: HASH}
        assert opened(**settings).warnings == (NOT_ENCRYPTED,)
    assert opened({"MYQUANT_DASHBOARD_TOKEN": TOKEN}, host=host).token == TOKEN


def test_on_loopback_nothing_is_needed_and_each_start_has_its_own_token() -> None:
    first, second = opened(), opened(host="::1")
    assert (first.warnings, second.warnings, first.is_https) == ((), (), False)
    assert len(first.token) >= 43
    assert first.token != second.token
    assert first.token not in repr(first)


def test_a_short_token_is_refused() -> None:
    with pytest.raises(ConfigError, match="MYQUANT_DASHBOARD_TOKEN: is too short"):
        opened({"MYQUANT_DASHBOARD_TOKEN": "short"})


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"dashboard.host"):
        opened(host="desk")


@pytest.mark.parametrize(
    ("certificate", "key", "said"),
    [
        ("one.pem", "", "dashboard.tls_certificate: is set and dashboard.tls_key is not"),
        ("", "one.key", "dashboard.tls_key: is set and dashboard.tls_certificate is not"),
        ("no.pem", "one.key", "dashboard.tls_certificate = .*can't be read"),
        ("one.pem", ".", "dashboard.tls_key = .*can't be read"),
        ("one.pem", "two.key", "the key is not that of the certificate"),
        ("text", "one.key", "not a certificate and a key in PEM"),
        ("one.pem", "text", "not a certificate and a key in PEM"),
    ],
)
def test_a_certificate_that_can_not_be_used_is_refused(pem: Path, certificate: str, key: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        opened(tls_certificate=certificate and str(pem / certificate), tls_key=key and str(pem / key))
    assert "\n" not in str(caught.value)


def test_with_a_certificate_nothing_is_warned_of(pem: Path) -> None:
    files: dict[str, Any] = {"tls_certificate": str(pem / "one.pem"), "tls_key": str(pem / "one.key")}
    made = opened(host="0.0.0.0", password_hash=HASH, **files)  # noqa: S104  (not listened at)
    assert (made.warnings, made.is_https) == ((), True)


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            MyquantError, match=rf"dashboard.port = {port}: can't listen there .* choose another port, or 0"
        ):
            listen(of(port=port))


def test_what_strangers_send_that_is_no_request_fills_no_log() -> None:
    assert server_config(None).log_level == "error"
