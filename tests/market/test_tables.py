"""The data files: every row has its dates and a source, no two rows of one key hold together, gaps are known ones."""

import re
import subprocess
import sys
from collections import defaultdict
from datetime import date, timedelta
from itertools import combinations, pairwise
from typing import Any

import pytest

from myquant.market import charges, contracts
from myquant.market.calendar import Calendar
from myquant.market.tables import Dated, document, rows

DAY = timedelta(days=1)
TAG = re.compile(r"\[(P|S1|S2|K)\]")

# Freeze quantities that no source was found for, inside the span of their index.
KNOWN_GAPS = {("BANKNIFTY", date(2026, 4, 1), date(2026, 8, 2)), ("FINNIFTY", date(2026, 4, 1), date(2026, 8, 2))}


def grouped() -> dict[str, dict[str, list[Dated]]]:
    """Return every table whose rows follow one another in time, by key."""
    calendar = Calendar.load()
    tables: dict[str, list[tuple[str, Dated]]] = {
        "underlying": [(name, row) for name, row in contracts.underlyings().items()],
        "option_tick": [(name, row) for row in contracts.option_ticks() for name in row.exchanges],
        "freeze": [(row.underlying, row) for row in contracts.freezes()],
        "stt": [("all", row) for row in charges.stt_rates()],
        "exchange_charge": [
            (f"{row.exchange} {name}", row) for row in charges.exchange_charges() for name in row.underlyings
        ],
        "levy": [("all", row) for row in charges.levies()],
        "brokerage": [(row.broker, row) for row in charges.brokerages()],
        "coverage": [(name, row) for row in calendar.coverage for name in row.exchanges],
        "hours": [(name, row) for row in calendar.hours for name in row.exchanges],
        "holidays": [(name, row) for row in calendar.holidays for name in row.exchanges],
    }
    found: dict[str, dict[str, list[Dated]]] = {}
    for table, keyed in tables.items():
        found[table] = defaultdict(list)
        for key, row in keyed:
            found[table][key].append(row)
    return found


@pytest.mark.parametrize("name", ["calendar", "charges", "contracts", "freeze"])
def test_every_row_has_its_dates_and_a_tagged_source(name: str) -> None:
    for table, found in document(name).items():
        for row in found:
            assert row["valid_from"] <= row["valid_to"], (table, row)
            assert TAG.search(row["source"]), (table, row)


def test_no_two_rows_of_a_key_hold_together_and_no_gap_is_silent() -> None:
    gaps = set()
    for table, keys in grouped().items():
        for key, found in keys.items():
            for earlier, later in pairwise(sorted(found, key=lambda row: row.valid_from)):
                assert earlier.valid_to < later.valid_from, (table, key)
                if earlier.valid_to + DAY != later.valid_from:
                    gaps.add((key, earlier.valid_to + DAY, later.valid_from - DAY))
    assert gaps == KNOWN_GAPS


def test_no_two_lots_fit_one_contract_on_one_day() -> None:
    for one, other in combinations(contracts.lots(), 2):
        if one.underlying != other.underlying:
            continue
        expiries_meet = one.expiry_from <= other.expiry_to and other.expiry_from <= one.expiry_to
        days_meet = one.valid_from <= other.valid_to and other.valid_from <= one.valid_to
        assert not (expiries_meet and days_meet), (one, other)


def test_lots_name_known_underlyings_and_ordered_expiries() -> None:
    known = contracts.underlyings()
    for row in contracts.lots():
        assert row.underlying in known
        assert row.expiry_from <= row.expiry_to
        assert row.valid_from <= row.expiry_to
        assert row.valid_to <= row.expiry_to
    assert {row.underlying for row in contracts.lots()} == set(known)
    assert {row.underlying for row in contracts.freezes()} <= set(known)


def test_every_underlying_of_the_book_has_a_charge_on_its_exchange() -> None:
    charged = {(row.exchange, name) for row in charges.exchange_charges() for name in row.underlyings}
    assert charged == {(row.exchange, row.name) for row in contracts.underlyings().values()}


def test_holidays_are_weekdays_of_their_year() -> None:
    for row in Calendar.load().holidays:
        assert len(set(row.dates)) == len(row.dates)
        for day in row.dates:
            assert row.valid_from <= day <= row.valid_to
            assert day.weekday() < 5, day


def test_an_unknown_key_in_a_row_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    row: dict[str, Any] = {**document("charges")["levy"][0], "colour": "blue"}
    monkeypatch.setitem(document("charges"), "levy", [row])
    with pytest.raises(TypeError, match="colour"):
        rows("charges", "levy", charges.Levy)


def test_importing_the_room_is_light() -> None:
    code = (
        "import sys, myquant.market.calendar, myquant.market.charges, myquant.market.tables as tables;"
        "heavy = {'numpy', 'numba', 'polars', 'pandas', 'pyarrow', 'pydantic'} & sys.modules.keys();"
        "sys.exit(f'{heavy} {tables.document.cache_info()}' if heavy or tables.document.cache_info().misses else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
