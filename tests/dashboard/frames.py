"""A page's frame without a page: who looks, and a door whose logins last or are over."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from dashboard.doors import TOKEN, Lines
from monitor.made_views import loaded
from myquant.dashboard.access import Identity, Role
from myquant.dashboard.controls import Controls
from myquant.dashboard.door import Door
from myquant.dashboard.frame import Frame


def frame_of(role: Role = Role.OPERATOR, controls: Controls | None = None, **settings: str) -> Frame:
    """Return the frame of one who has logged in by a link, and whose login lasts; `settings` as `made_views.loaded` takes them."""
    made = loaded(**settings)
    door = Door(made.config.dashboard, TOKEN, Lines())
    login = door.logins.find(door.logins.begin(role, "link"))
    site: Any = SimpleNamespace(loaded=made, door=door, controls=controls or Controls(), state=Path("nowhere"))
    return Frame(cast("Any", site), Identity(role, "link", "10.0.0.1", login), [])


def log_out(frame: Frame) -> None:
    """End the login that a frame was made for."""
    assert frame.identity.login is not None
    frame.site.door.log_out(frame.identity.login, frame.identity.address)
