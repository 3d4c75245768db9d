"""The instrument master: texts as the broker writes them, and tokens that stay."""

from datetime import date

from lab.labs import OTHER, SYMBOL, small_day
from myquant.lab.angelone.instruments import EXCHANGE_TYPES, indices_of, listed, master, others

FIELDS = {"token", "symbol", "name", "expiry", "strike", "lotsize", "instrumenttype", "exch_seg", "tick_size"}


def test_an_option_is_written_as_the_broker_does() -> None:
    each = listed(small_day().contracts)[0]
    assert {**each.row(), "token": ""} == {
        "token": "",
        "symbol": SYMBOL,
        "name": "NIFTY",
        "expiry": "07OCT2025",
        "strike": "2490000.000000",
        "lotsize": "75",
        "instrumenttype": "OPTIDX",
        "exch_seg": "NFO",
        "tick_size": "5.000000",
    }
    assert each.expiry == date(2025, 10, 7)


def test_an_index_is_written_as_the_broker_does() -> None:
    row = indices_of(small_day().contracts)[0].row()
    assert (row["token"], row["name"], row["instrumenttype"], row["exch_seg"]) == ("99926000", "NIFTY", "AMXIDX", "NSE")
    assert (row["expiry"], row["strike"]) == ("", "-1.000000")


def test_the_master_lists_what_ticks_and_more_each_once() -> None:
    ticking = (*listed(small_day(10, (SYMBOL, OTHER)).contracts), *indices_of(small_day().contracts))
    rows = master((*ticking, *others(ticking)))
    assert all(set(row) == FIELDS and all(isinstance(value, str) for value in row.values()) for row in rows)
    assert len({row["symbol"] for row in rows}) == len({(row["exch_seg"], row["token"]) for row in rows}) == len(rows)
    assert {row["instrumenttype"] for row in rows} == {"OPTIDX", "FUTIDX", "AMXIDX", ""}
    assert {row["exch_seg"] for row in rows} <= set(EXCHANGE_TYPES)
    assert len(rows) > 20


def test_a_contract_keeps_its_token() -> None:
    alone, second = listed(small_day().contracts)[0], listed(small_day(10, (OTHER, SYMBOL)).contracts)[1]
    assert alone == second


def test_a_share_has_its_series_in_the_symbol() -> None:
    each = listed(small_day(10, ("SBIN",)).contracts)[0]
    assert (each.symbol, each.row()["instrumenttype"], each.exchange_type) == ("SBIN-EQ", "", 1)
