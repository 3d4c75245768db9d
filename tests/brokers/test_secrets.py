"""Secrets: where they come from, and that no text carries them out."""

import base64
import json
import logging
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from myquant.brokers.secrets import HIDDEN, Redactor, SystemKeyring, read_secrets
from myquant.errors import ConfigError

NAMES = ("api_key", "pin")


class Ring:
    """A keyring with what it is given."""

    def __init__(self, **kept: str) -> None:
        self.kept = kept
        self.asked: list[tuple[str, str]] = []

    def why_not(self) -> str:
        return ""

    def get_password(self, service: str, name: str) -> str | None:
        self.asked.append((service, name))
        return self.kept.get(name)


def test_the_environment_goes_before_the_keyring() -> None:
    ring = Ring(pin="4321", api_key="of the ring")
    environ = {"MYQUANT_ANGELONE_API_KEY": "k1"}
    assert read_secrets("angelone", NAMES, environ, ring) == {"api_key": "k1", "pin": "4321"}
    assert ring.asked == [("myquant-angelone", "pin")]


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read_secrets("angelone", NAMES, {"MYQUANT_ANGELONE_API_KEY": ""}, Ring())
    assert str(caught.value) == (
        "angelone: MYQUANT_ANGELONE_API_KEY, MYQUANT_ANGELONE_PIN not set, and not in the keyring: set each in the "
        "environment, or keep it in the keyring: keyring set myquant-angelone api_key; keyring set myquant-angelone pin"
    )
    with pytest.raises(ConfigError, match=r"angelone: MYQUANT_ANGELONE_PIN not set") as caught:
        read_secrets("angelone", NAMES, {"MYQUANT_ANGELONE_API_KEY": "k1"}, Ring())
    assert "API_KEY" not in str(caught.value)


@pytest.mark.parametrize("value", ["43 21", "4321\n", "\t"])
def test_white_space_is_an_error_that_does_not_show_the_value(value: str) -> None:
    with pytest.raises(ConfigError, match=r"MYQUANT_ANGELONE_PIN.* must not hold white space") as caught:
        read_secrets("angelone", ("pin",), {"MYQUANT_ANGELONE_PIN": value}, Ring())
    assert "43" not in str(caught.value)


def test_a_keyring_that_can_not_be_reached_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring  # noqa: PLC0415  (only here)
    from keyring.errors import NoKeyringError  # noqa: PLC0415

    def refuse(*_names: str) -> None:
        raise NoKeyringError

    monkeypatch.setattr(keyring, "get_password", refuse)
    assert SystemKeyring().get_password("myquant-angelone", "pin") is None
    with pytest.raises(
        ConfigError, match=r"PIN not set, and not in the keyring \(this machine has none that can be reached\)"
    ):
        read_secrets("angelone", ("pin",), {})
    monkeypatch.setattr(keyring, "get_password", lambda service, name: f"{service}/{name}")
    assert SystemKeyring().get_password("myquant-angelone", "pin") == "myquant-angelone/pin"


def forms(secret: str) -> list[str]:
    """Return texts that carry a secret, each in its own way."""
    user = base64.b64encode(f"user:{secret}".encode()).decode()
    return [
        secret,
        f"a{secret}b",
        f"Authorization: Bearer {secret}",
        quote(secret, safe=""),
        quote_plus(secret),
        f"https://h/?jwt={quote(secret)}&x=1",
        json.dumps({"token": secret}),
        repr({"token": secret}),
        base64.b64encode(secret.encode()).decode(),
        base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
        f"Basic {user}",
        base64.b64encode(f"Bearer {secret}, and more".encode()).decode(),
    ]


@pytest.mark.parametrize(
    "secret", ["kEy/8+planted==", "Q77PLANTED", "eyJhbGciOiJIUzUxMiJ9.payload.sig-_", 'qu"o\\te\u20b9d']
)
def test_a_secret_is_hidden_in_every_form(secret: str) -> None:
    redactor = Redactor([secret])
    for text in forms(secret):
        hidden = redactor.text(text)
        assert HIDDEN in hidden, text
        assert secret not in hidden
    assert redactor.text(f"Authorization: Bearer {secret}") == "Authorization: ***"
    assert redactor.text("Bearer of news") == "Bearer of news"


@settings(max_examples=200, deadline=None)
@given(
    secret=st.text(
        st.characters(min_codepoint=33, max_codepoint=0x20FF, exclude_categories=["Cs", "Z", "Cc"]), min_size=8
    ),
    before=st.text(max_size=9),
    after=st.text(max_size=9),
)
def test_any_secret_is_hidden_anywhere(secret: str, before: str, after: str) -> None:
    redactor = Redactor([secret])
    assert secret not in redactor.text(before + secret + after).replace(HIDDEN, "\0")
    assert HIDDEN in redactor.text(quote(before + secret + after, safe=""))
    assert HIDDEN in redactor.text(json.dumps(before + secret + after))


def test_a_pin_is_hidden_but_not_every_number_that_holds_it() -> None:
    redactor = Redactor(["4907"])
    assert redactor.text("pin=4907, 4907! x4907y") == "pin=***, ***! x***y"
    assert redactor.text("%224907%22 \\u00224907 \\x224907") == "%22***%22 \\u0022*** \\x22***"
    assert redactor.text("at 14907 and 49071") == "at 14907 and 49071"


def test_without_secrets_nothing_changes() -> None:
    for redactor in (Redactor(), Redactor([""])):
        assert redactor.text("anything: Bearer x, ***") == "anything: Bearer x, ***"


def test_what_is_learned_is_hidden_from_then_on_up_to_a_limit() -> None:
    redactor = Redactor(["kept-secret"])
    redactor.keep("kept-later", "kept-secret")
    for number in range(100):
        redactor.add(f"token-number-{number:03}")
    assert redactor.text("token-number-099 token-number-068 kept-secret kept-later") == "*** *** *** ***"
    assert redactor.text("token-number-067") == "token-number-067"


def raised(text: str) -> ValueError:
    """Return an error with a traceback."""
    try:
        raise ValueError(text)  # noqa: TRY301  (for its traceback)
    except ValueError as error:
        return error


def test_a_line_of_the_log_is_clean_to_its_depths(capsys: pytest.CaptureFixture[str]) -> None:
    secret = "planted-secret"  # noqa: S105  (made up)

    class Thing:
        def __repr__(self) -> str:
            return f"Thing({secret})"

    logger = structlog.wrap_logger(
        structlog.PrintLogger(), processors=[Redactor([secret, "4907"]), structlog.processors.JSONRenderer()]
    )
    deep: Any = secret
    for _ in range(12):
        deep = [deep]
    error = raised(secret)
    logger.error(
        f"failed {secret}",  # noqa: G004  (a careless caller)
        error=error,
        nested={secret: [secret, (secret, {"pin": 4907})], "set": {secret}},
        thing=Thing(),
        raw=secret.encode(),
        deep=deep,
        exc_info=(ValueError, error, error.__traceback__),
        price=12_500,
        healthy=True,
        nothing=None,
    )
    logger.error("again", exc_info=error)
    out = capsys.readouterr().out
    assert secret not in out
    assert "4907" not in out
    first, second = (json.loads(line) for line in out.splitlines())
    assert (first["price"], first["healthy"], first["nothing"]) == (12_500, True, None)
    assert first["nested"]["***"] == ["***", ["***", {"pin": "***"}]]
    assert "ValueError: ***" in first["exception"]
    assert "ValueError: ***" in second["exception"]


def test_the_standard_librarys_log_is_clean_too(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("test_secrets")
    redactor = Redactor(["planted-secret"])
    logger.addFilter(redactor.filter)
    try:
        raise ValueError("planted-secret")  # noqa: TRY301  (to be logged)
    except ValueError:
        logger.exception("failed: %s", "planted-secret")
    logger.removeFilter(redactor.filter)
    assert "failed: ***" in caplog.text
    assert "ValueError: ***" in caplog.text
    assert "planted-secret" not in caplog.text
