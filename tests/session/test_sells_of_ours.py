"""What a sell that the engine has forgotten has sold since."""

from myquant.brokers.port import OrderAnswer
from myquant.core import codes
from myquant.session.sells import LateFills


def filled(units: int) -> OrderAnswer:
    return OrderAnswer(codes.FILL, 6, units, units * 9_000, 0, "")


def test_what_a_sell_has_filled_beyond_what_was_heard_is_new_once() -> None:
    late = LateFills()
    late.hear(filled(25))
    found = [late.beyond(filled(units)) for units in (100, 100, 125)]
    assert found == [(75, 675_000), (0, 0), (25, 225_000)]


def test_what_was_never_heard_of_as_a_sell_has_sold_nothing() -> None:
    """It may be an entry: what that fills, in however many parts, was bought."""
    late = LateFills()
    assert [late.beyond(filled(units)) for units in (75, 150, 300)] == [(0, 0)] * 3
