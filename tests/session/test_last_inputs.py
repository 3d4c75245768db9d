"""What a restart finds of the feed in its journal: the last input of each instrument, and how far the exchange's clock is off."""

from pathlib import Path

from myquant.core import codes
from session.sessions import RICH, day_inputs, open_session
from session.stage import journal_of


def test_the_last_tick_or_quote_of_each_instrument_is_found_over_segments(tmp_path: Path) -> None:
    session = open_session(tmp_path / "s", RICH, instruments=3, segment_records=512)
    session.go_on(day_inputs(4, count=900, instruments=3), save_every=200)
    session.journal.close()
    journal = journal_of(tmp_path / "s")
    of_market = [
        (event, origin)
        for event, origin in zip(journal.events.tolist(), journal.origins.tolist(), strict=True)
        if event[0] in {codes.TICK, codes.QUOTE}
    ]
    recovered = open_session(tmp_path / "s", RICH, instruments=3).recovered
    wanted = {event[1]: (event, origin) for event, origin in of_market}
    assert len(wanted) == 3
    assert {who: (tuple(last.event), tuple(last.origin)) for who, last in recovered.last_inputs.items()} == wanted
    newest = of_market[-1][0]
    assert recovered.offset_ns == newest[3] - newest[4]
