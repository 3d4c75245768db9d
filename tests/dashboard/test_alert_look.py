"""The book for those who look at pages: read where it has changed, and a damaged one is said."""

import asyncio
from pathlib import Path

from monitor.told import Told, fault
from myquant.dashboard.alert_look import AT_LEAST_S, AlertLook, troubles_of
from myquant.monitor.alert_list import acknowledge
from myquant.monitor.book import FILE


def test_it_is_read_where_it_has_changed(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.take(0, fault())
    now_s = [0.0]
    look = AlertLook(tmp_path, lambda: now_s[0])

    async def looks() -> None:
        for _ in range(3):
            await look.refresh()
        assert (look.readings, len(look.alerts.alerts)) == (1, 1)
        acknowledge(tmp_path, [1], "seen", 1)
        await look.refresh()
        assert (look.readings, look.alerts.alerts[0].note) == (2, "seen")
        now_s[0] = AT_LEAST_S
        await look.refresh()
        assert look.readings == 3

    asyncio.run(looks())


def test_a_damaged_file_is_said_until_it_is_mended(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database, but long enough to look like one" * 100)
    look = AlertLook(tmp_path)
    asyncio.run(look.refresh())
    assert "can't be read" in troubles_of(look, 0)
    (tmp_path / FILE).unlink()
    look = AlertLook(tmp_path)
    asyncio.run(look.refresh())
    assert troubles_of(look, 0) == ""
    assert "the 100 gravest are shown" in troubles_of(look, 101)
