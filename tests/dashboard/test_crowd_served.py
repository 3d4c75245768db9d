"""What a login asks for that is refused, or not there, is no page that is open: it keeps nobody else from his."""

from collections import Counter
from collections.abc import Iterator

import pytest

from dashboard.test_every_route import Served, served_pages
from myquant.dashboard.crowd import FULL, LOGIN_PAGES_MAX, NOT_THERE, PAGES_MAX


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from served_pages(tmp_path_factory.mktemp("runs"))


def test_nobody_keeps_others_out_by_what_is_not_there_or_is_refused(served: Served) -> None:
    viewer, operator = served.cookie("viewer"), served.cookie("operator")
    missing = [served.ask("GET", f"/nothing{number}", Cookie=viewer) for number in range(PAGES_MAX + 2)]
    assert {(status, text) for status, _, text in missing} == {(404, NOT_THERE)}
    assert served.ask("GET", "/", Cookie=operator)[0] == 200
    asked = Counter(served.ask("GET", "/evidence", Cookie=viewer)[0] for _ in range(PAGES_MAX + 2))
    assert asked == {200: LOGIN_PAGES_MAX, 503: PAGES_MAX + 2 - LOGIN_PAGES_MAX}
    status, _, text = served.ask("GET", "/evidence", Cookie=viewer)
    assert (status, FULL in text) == (503, True)
    assert served.ask("GET", "/", Cookie=operator)[0] == 200
