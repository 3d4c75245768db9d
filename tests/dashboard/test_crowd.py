from types import SimpleNamespace

import pytest
from nicegui import Client, ui
from starlette.exceptions import HTTPException

from myquant.dashboard.access import Identity, Login, Role
from myquant.dashboard.crowd import LOGIN_PAGES_MAX, PAGES_MAX, refuse_crowd


def opened(login: Login | None, count: int) -> dict[str, SimpleNamespace]:
    """Return so many pages of a login."""
    scope = {"state": {"identity": Identity(Role.VIEWER, "link", "10.0.0.1", login)}}
    return {f"{id(login)}/{n}": SimpleNamespace(request=SimpleNamespace(scope=scope)) for n in range(count)}


def test_one_login_has_so_many_pages_and_keeps_no_other_from_his(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Login(Role.VIEWER, "link", 1.0), Login(Role.OPERATOR, "link", 1.0)
    pages = opened(first, LOGIN_PAGES_MAX) | opened(second, 1)
    gone = list[bool]()
    made = SimpleNamespace(client=SimpleNamespace(delete=lambda: gone.append(True)))
    monkeypatch.setattr(Client, "instances", pages)
    monkeypatch.setattr(ui, "context", made)
    refuse_crowd(first)
    assert not gone
    pages |= opened(first, LOGIN_PAGES_MAX + 1)
    with pytest.raises(HTTPException) as refused:
        refuse_crowd(first)
    assert refused.value.status_code == 503
    assert gone  # what is refused holds nothing
    refuse_crowd(second)


def test_all_of_them_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    pages: dict[str, SimpleNamespace] = {}
    logins = [Login(Role.VIEWER, "link", 1.0) for _ in range(PAGES_MAX // LOGIN_PAGES_MAX + 1)]
    for login in logins:
        pages |= opened(login, LOGIN_PAGES_MAX)
    monkeypatch.setattr(Client, "instances", pages)
    monkeypatch.setattr(ui, "context", SimpleNamespace(client=SimpleNamespace(delete=lambda: None)))
    with pytest.raises(HTTPException):
        refuse_crowd(logins[-1])
