import pytest

from dashboard.doors import HASH, PASSWORD, VIEWERS, VIEWERS_HASH
from monitor.made_views import loaded
from myquant.dashboard import passwords
from myquant.dashboard.access import Role
from myquant.dashboard.passwords import Passwords, hash_password
from myquant.errors import ConfigError


def of(operators: str = HASH, viewers: str = VIEWERS_HASH) -> Passwords:
    values = {"dashboard__password_hash": operators, "dashboard__viewer_password_hash": viewers}
    return Passwords(loaded(**values).config.dashboard)


@pytest.mark.parametrize(
    ("given", "role"),
    [
        (PASSWORD, Role.OPERATOR),
        (VIEWERS, Role.VIEWER),
        ("", None),
        (PASSWORD.upper(), None),
        (PASSWORD + " ", None),
        ("\ud800", None),
        ("x" * 100_000, None),
    ],
)
def test_whose_password_it_is(given: str, role: Role | None) -> None:
    assert of().role_of(given) == role


def test_where_both_are_the_same_it_is_the_operators() -> None:
    assert of(HASH, HASH).role_of(PASSWORD) is Role.OPERATOR


def test_without_a_hash_nobody_gets_in_and_as_much_is_worked(monkeypatch: pytest.MonkeyPatch) -> None:
    none, checked = of("", ""), []
    monkeypatch.setattr(passwords, "_fits", lambda hashed, _plain: checked.append(hashed) or True)
    assert none.role_of(PASSWORD) is None
    assert (len(checked), none.is_set) == (2, False)


def test_a_hash_that_is_made_is_taken_by_the_setting_and_fits() -> None:
    made = hash_password("correct horse Grüße")
    assert made.startswith("$argon2id$")
    assert of(made).role_of("correct horse Gru\u0308\u00dfe") is Role.OPERATOR  # the accent typed by itself
    assert hash_password("correct horse Grüße") != made


@pytest.mark.parametrize("bad", ["", "eleven lett", "x" * 1025, "a" * 20, "line one\nline two", "tab\tand some more"])
def test_a_password_that_is_no_good(bad: str) -> None:
    with pytest.raises(ConfigError, match=r"^password: "):
        hash_password(bad)


@pytest.mark.parametrize("hashed", ["$argon2id$v=19$m=8,t=1,p=1$aaaa$bbbb", "$argon2id$v=19$m=1,t=1,p=1$c29tZXNhbHQ$c29tZXNhbHQ"])
def test_a_hash_that_can_not_be_checked_is_told_at_the_start(hashed: str) -> None:
    with pytest.raises(ConfigError, match=r"dashboard.viewer_password_hash: .*myquant dashboard password"):
        of(viewers=hashed)
