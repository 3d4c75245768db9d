"""Tokens and their end, TOTP, and how often one may ask."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from pyotp import TOTP

from myquant.lab.angelone.account import (
    BAD_REFRESH,
    EXPIRED,
    INVALID,
    MISSING,
    NO_API_KEY,
    OLD_REFRESH,
    WRONG_PIN,
    WRONG_TOTP,
    Account,
    Credentials,
    Limiter,
    Refusal,
    Tokens,
    credentials_of,
)
from myquant.ticks.generate import SECOND_NS

KNOWN = Credentials()
EVENING = int(datetime(2025, 10, 3, 23, 59, 50, tzinfo=ZoneInfo("Asia/Kolkata")).timestamp()) * SECOND_NS


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_ns = EVENING

    def __call__(self) -> int:
        return self.now_ns


def totp(clock: Clock, late_s: int = 0) -> str:
    return TOTP(KNOWN.totp_secret).at(clock.now_ns // SECOND_NS + late_s)


def entered(account: Account, clock: Clock) -> Tokens:
    tokens = account.login(KNOWN.client_code, KNOWN.pin, totp(clock))
    assert isinstance(tokens, Tokens)
    return tokens


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def account(clock: Clock) -> Account:
    return Account(KNOWN, clock)


def feed_headers(tokens: Tokens, **other: str) -> dict[str, str]:
    known = {"x-api-key": KNOWN.api_key, "x-client-code": KNOWN.client_code, "x-feed-token": tokens.feed}
    return {"Authorization": tokens.jwt, **known, **other}


def test_a_login_needs_client_code_pin_and_totp(account: Account, clock: Clock) -> None:
    assert account.login("OTHER", KNOWN.pin, totp(clock)) == WRONG_PIN
    assert account.login(KNOWN.client_code, "0", totp(clock)) == WRONG_PIN
    assert account.login(KNOWN.client_code, KNOWN.pin, totp(clock, 300)) == WRONG_TOTP
    assert isinstance(account.login(KNOWN.client_code, KNOWN.pin, totp(clock, -30)), Tokens)


def test_tokens_end_at_midnight_in_india(account: Account, clock: Clock) -> None:
    tokens = entered(account, clock)
    clock.now_ns += 10 * SECOND_NS - 1
    assert account.refusal(f"Bearer {tokens.jwt}", KNOWN.api_key) is None
    assert account.feed_refusal(feed_headers(tokens)) is None
    clock.now_ns += 1
    assert account.refusal(f"Bearer {tokens.jwt}", KNOWN.api_key) == EXPIRED
    assert account.feed_refusal(feed_headers(tokens)) == "Invalid Auth Token"
    assert account.refresh(f"Bearer {tokens.jwt}", tokens.refresh) == OLD_REFRESH
    again = entered(account, clock)
    clock.now_ns += 86_400 * SECOND_NS - 1
    assert account.refusal(again.jwt, KNOWN.api_key) is None


def test_a_request_is_refused_for_its_first_fault(account: Account, clock: Clock) -> None:
    tokens = entered(account, clock)
    cases: list[tuple[str | None, str | None, Refusal]] = [
        (tokens.jwt, None, NO_API_KEY),
        (tokens.jwt, "other", NO_API_KEY),
        (None, KNOWN.api_key, MISSING),
        ("Bearer ", KNOWN.api_key, MISSING),
        ("Bearer x.y.z", KNOWN.api_key, INVALID),
        (f"Bearer {tokens.feed}", KNOWN.api_key, INVALID),
    ]
    assert [account.refusal(authorization, key) for authorization, key, _ in cases] == [why for _, _, why in cases]


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("Authorization", "Invalid Auth Token"),
        ("x-client-code", "Invalid Client Code"),
        ("x-api-key", "Invalid API Key"),
        ("x-feed-token", "Invalid Feed Token"),
    ],
)
def test_a_handshake_is_refused_with_its_reason(account: Account, clock: Clock, header: str, why: str) -> None:
    tokens = entered(account, clock)
    assert account.feed_refusal(feed_headers(tokens)) is None
    assert account.feed_refusal(feed_headers(tokens, Authorization=f"Bearer {tokens.jwt}")) is None
    assert account.feed_refusal(feed_headers(tokens) | {header: "x"}) == why
    assert account.feed_refusal({key: value for key, value in feed_headers(tokens).items() if key != header}) == why


def test_a_roll_leaves_the_refresh_which_is_good_once(account: Account, clock: Clock) -> None:
    tokens = entered(account, clock)
    account.roll()
    assert account.refusal(tokens.jwt, KNOWN.api_key) == INVALID
    assert account.refresh(None, tokens.refresh) == MISSING
    fresh = account.refresh(f"Bearer {tokens.jwt}", tokens.refresh)
    assert isinstance(fresh, Tokens)
    assert account.refusal(fresh.jwt, KNOWN.api_key) is None
    assert account.refresh(fresh.jwt, tokens.refresh) == BAD_REFRESH


def test_a_logout_leaves_nothing(account: Account, clock: Clock) -> None:
    tokens = entered(account, clock)
    account.logout()
    assert account.refusal(tokens.jwt, KNOWN.api_key) == INVALID
    assert account.refresh(tokens.jwt, tokens.refresh) == BAD_REFRESH


def test_so_many_times_in_any_second(clock: Clock) -> None:
    limiter = Limiter(clock)
    assert [limiter.allows("a", 2) for _ in range(3)] == [True, True, False]
    assert limiter.allows("b", 1)
    clock.now_ns += SECOND_NS - 1
    assert not limiter.allows("a", 2)
    clock.now_ns += 1
    assert [limiter.allows("a", 2) for _ in range(3)] == [True, True, False]


def test_the_environment_goes_before_the_labs_own() -> None:
    found = credentials_of({"MYQUANT_ANGELONE_PIN": "9876", "MYQUANT_ANGELONE_API_KEY": ""})
    assert found == KNOWN._replace(pin="9876")
    assert "9876" not in repr(found)
