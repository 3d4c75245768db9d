import pytest

from dashboard.doors import Clock
from myquant.dashboard import access
from myquant.dashboard.access import FormTokens, Links, Logins, Role


def test_a_login_lasts_as_long_as_it_may_however_it_is_used() -> None:
    clock = Clock()
    logins = Logins(60.0, clock)
    secret = logins.begin(Role.VIEWER, "password")
    clock.now_s += 59
    found = logins.find(secret)
    assert found is not None
    assert (found.role, logins.left_s(found)) == (Role.VIEWER, 1)
    clock.now_s += 1
    assert logins.find(secret) is None
    assert (logins.left_s(found), len(logins)) == (0, 0)


def test_a_login_that_ends_tells_those_that_hang_on_it() -> None:
    logins = Logins(60.0, Clock())
    secrets = [logins.begin(Role.OPERATOR, "link") for _ in range(2)]
    first = logins.find(secrets[0])
    assert first is not None
    told: list[str] = []
    first.on_end.add(lambda: told.append("over"))
    logins.end(first)
    assert told == ["over"]
    assert [logins.find(secret) is None for secret in secrets] == [True, False]


def test_of_too_many_logins_the_oldest_ends() -> None:
    logins = Logins(60.0, Clock())
    secrets = [logins.begin(Role.VIEWER, "link") for _ in range(access.LOGINS_MAX + 1)]
    assert len(logins) == access.LOGINS_MAX
    assert [logins.find(secrets[place]) is None for place in (0, 1, -1)] == [True, False, False]


def test_no_secret_is_kept() -> None:
    logins, links = Logins(60.0, Clock()), Links(Clock())
    kept = repr((vars(logins), vars(links)))
    assert logins.begin(Role.VIEWER, "link") not in kept
    assert links.make(Role.VIEWER) not in repr(vars(links))


def test_a_link_is_good_once_and_for_ten_minutes() -> None:
    clock = Clock()
    links = Links(clock)
    first, second = links.make(Role.OPERATOR), links.make(Role.VIEWER)
    assert links.is_good(first)
    assert [links.take(first), links.take(first), links.take("")] == [Role.OPERATOR, None, None]
    clock.now_s += access.LINK_S
    assert (links.is_good(second), links.take(second)) == (False, None)


def test_of_too_many_links_the_oldest_is_good_no_more() -> None:
    links = Links(Clock())
    keys = [links.make(Role.VIEWER) for _ in range(access.LINKS_MAX + 1)]
    assert [links.is_good(key) for key in (keys[0], keys[1])] == [False, True]


@pytest.mark.parametrize(("token", "cookie"), [("", ""), ("x", "cookie"), ("\ud800", "cookie"), ("", "cookie")])
def test_a_form_of_another_page_does_not_fit(token: str, cookie: str) -> None:
    forms = FormTokens()
    assert not forms.fits(token, cookie)
    assert not forms.fits(FormTokens().of(cookie), cookie)
    assert not forms.fits(forms.of(cookie), cookie + "x")
    assert forms.fits(forms.of("cookie"), "cookie")
