"""The instrument master: what a symbol is to the broker, and what is said when it is nothing."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from brokers.fake_angelone import FakeBroker, connected, fake_broker, run, text
from myquant.brokers.angelone import master
from myquant.brokers.angelone.master import InstrumentMaster
from myquant.brokers.port import BrokerInstrument, RequestError
from myquant.errors import ConfigError, DataError

DAY = date(2026, 11, 23)
FIELDS = ("token", "symbol", "name", "expiry", "strike", "lotsize", "instrumenttype", "exch_seg", "tick_size")


def row(*values: str, **changed: str) -> dict[str, str]:
    return dict(zip(FIELDS, values, strict=True)) | changed


CALL = row("35003", "NIFTY24NOV2625000CE", "NIFTY", "24NOV2026", "2500000.000000", "65", "OPTIDX", "NFO", "5.000000")
PUT = row("35004", "NIFTY24NOV2625000PE", "NIFTY", "24NOV2026", "2500000.000000", "65", "OPTIDX", "NFO", "5.000000")
FUTURE = row("35100", "NIFTY24NOV26FUT", "NIFTY", "24NOV2026", "-1.000000", "65", "FUTIDX", "NFO", "10.000000")
SENSEX = row(
    "800001", "SENSEX26NOV2685000CE", "SENSEX", "26NOV2026", "8500000.000000", "20", "OPTIDX", "BFO", "5.000000"
)
STOCK = row("90001", "VEDL24NOV26292.5CE", "VEDL", "24NOV2026", "29250.000000", "1150", "OPTSTK", "NFO", "5.000000")
NIFTY = row("99926000", "Nifty 50", "NIFTY", "", "0.000000", "1", "AMXIDX", "NSE", "0.000000")
SHARE = row("3045", "SBIN-EQ", "SBIN", "", "-1.000000", "1", "", "NSE", "5.000000")
BSE_SHARE = row("500112", "SBIN", "SBIN", "", "-1.000000", "1", "", "BSE", "5.000000")
ROWS = [CALL, PUT, FUTURE, SENSEX, STOCK, NIFTY, SHARE, BSE_SHARE]


def of(*rows: dict[str, str]) -> InstrumentMaster:
    return InstrumentMaster(rows, DAY, "master")


def test_picks_contracts_in_order_with_the_indices_under_them() -> None:
    picked = of(*ROWS).pick(["NIFTY24NOV2625000PE", "SENSEX26NOV2685000CE", "NIFTY24NOV2625000CE"])
    put, sensex, _ = picked.instruments
    assert put == BrokerInstrument(
        symbol="NIFTY24NOV2625000PE",
        segment="NFO",
        token="35004",  # noqa: S106  (of an instrument)
        exchange_type=2,
        lot_size=65,
        tick_size_paise=5,
        expiry=date(2026, 11, 24),
        strike_paise=25_000_00,
        right="PE",
        broker_symbol="NIFTY24NOV2625000PE",
    )
    assert (sensex.segment, sensex.exchange_type) == ("BFO", 4)
    assert [(each.token, each.exchange_type) for each in picked.indices] == [("99926000", 1), ("99919000", 3)]
    assert picked.notes == ()


def test_other_kinds_of_instrument() -> None:
    listed = of(*ROWS)
    future, stock = listed.instrument("NIFTY24NOV26FUT"), listed.instrument("VEDL24NOV26292.5CE")
    assert (future.right, future.strike_paise, future.tick_size_paise) == ("FUT", None, 10)
    assert (stock.strike_paise, stock.lot_size) == (29_250, 1150)
    assert listed.instrument("NIFTY").token == "99926000"  # noqa: S105  (of an instrument)
    assert listed.instrument("SBIN").broker_symbol == "SBIN-EQ"
    assert listed.index_of("VEDL").token == "99926000"  # noqa: S105  (likewise)


def test_where_master_and_contract_book_differ_the_master_holds_and_it_is_said() -> None:
    odd = CALL | {"lotsize": "75", "tick_size": "10.000000"}
    picked = of(odd, NIFTY, {"token": "1"}).pick(["NIFTY24NOV2625000CE"])
    assert (picked.instruments[0].lot_size, picked.instruments[0].tick_size_paise) == (75, 10)
    assert picked.notes == (
        "Angel One's master has 1 rows that can't be read",
        "NIFTY24NOV2625000CE: lot size is 75 in Angel One's master, 65 in the contract book: the master's is used",
        "NIFTY24NOV2625000CE: tick size in paise is 10 in Angel One's master, 5 in the contract book: the master's is used",
    )
    (note,) = of(STOCK).pick(["VEDL24NOV26292.5CE"]).notes
    assert note.startswith("VEDL24NOV26292.5CE: not in the contract book on ")


@pytest.mark.parametrize(
    ("symbol", "said"),
    [
        ("NIFTY24NOV2625050CE", r"is not in Angel One's instrument master of 2026-11-23: did you mean NIFTY24NOV26250"),
        ("NIFTI24NOV2625000CE", r"did you mean NIFTY\?"),
        ("ZZZQ", "nothing of ZZZQ is listed"),
        ("NIFTY26NOV25000CE", "is no symbol: write a contract as in NIFTY07OCT2524900CE"),
    ],
)
def test_an_unknown_symbol_is_an_error_with_near_ones(symbol: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        of(*ROWS).pick([symbol])


def test_a_symbol_of_two_segments_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"in several segments of Angel One's master \(BFO, NFO\)"):
        of(CALL, CALL | {"exch_seg": "BFO"}).pick([CALL["symbol"]])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"expiry": "25NOV2026"}, "says expiry 25NOV2026"),
        ({"expiry": "31FEB2026"}, "expiry '31FEB2026': must be as in 25NOV2026"),
        ({"expiry": "soon"}, "must be as in 25NOV2026"),
        ({"strike": "2510000.000000"}, "which is not NIFTY24NOV2625000CE"),
        ({"strike": "much"}, "strike 'much': must be a number"),
        ({"lotsize": "0"}, "must be above 0"),
        ({"lotsize": "6.5"}, "must be a whole number"),
        ({"tick_size": "NaN"}, "must be a number"),
        ({"token": "35x"}, "must be digits"),
    ],
)
def test_a_row_that_contradicts_itself_is_an_error(changed: dict[str, str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        of(CALL | changed, NIFTY).pick([CALL["symbol"]])


def test_an_unknown_segment_is_an_error() -> None:
    with pytest.raises(DataError, match="unknown segment 'XYZ'"):
        of(NIFTY | {"exch_seg": "XYZ"}).index_of("NIFTY")


@pytest.fixture
def _elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the fake broker stand on another machine."""
    monkeypatch.setattr(master, "is_loopback", lambda _host: False)


def fetched(answers: list[web.Response], folder: Path | None, times: int = 1) -> tuple[InstrumentMaster, FakeBroker]:
    """Load the master some times from a broker that answers like this."""

    async def scenario() -> tuple[InstrumentMaster, FakeBroker]:
        async with fake_broker() as broker, connected(broker) as client:
            broker.scripted["/master.json"] = answers
            for _ in range(times):
                listed = await master.load(client.http, broker.endpoints.master, DAY, folder)
            return listed, broker

    result: tuple[InstrumentMaster, FakeBroker] = run(scenario())
    return result


def answer(rows: Any) -> web.Response:
    return web.Response(body=json.dumps(rows).encode())


@pytest.mark.usefixtures("_elsewhere")
def test_is_fetched_once_a_day_and_yesterdays_file_goes(tmp_path: Path) -> None:
    old = tmp_path / "instruments-0123456789ab-2026-11-20.json"
    other = tmp_path / "notes-2026-11-20.json"
    old.write_text("[]")
    other.write_text("[]")
    listed, broker = fetched([text(503, ""), answer(ROWS)], tmp_path, times=3)
    assert len(listed) == len(ROWS)
    assert broker.calls["/master.json"] == 2
    assert not old.exists()
    assert len(list(tmp_path.iterdir())) == 2
    assert other.exists()


def test_without_a_folder_nothing_is_kept() -> None:
    _, broker = fetched([answer(ROWS), answer(ROWS)], None, times=2)
    assert broker.calls["/master.json"] == 2


def test_that_of_this_machine_is_not_kept(tmp_path: Path) -> None:
    _, broker = fetched([answer(ROWS), answer(ROWS)], tmp_path, times=2)
    assert broker.calls["/master.json"] == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_elsewhere")
def test_a_kept_master_that_lacks_a_symbol_is_fetched_again_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with fake_broker() as broker, connected(broker) as client:
            where = client.http, broker.endpoints.master, DAY, tmp_path
            broker.scripted["/master.json"] = [answer([CALL, NIFTY]), answer(ROWS), answer(ROWS)]
            for symbol in (CALL["symbol"], CALL["symbol"], PUT["symbol"], PUT["symbol"]):
                picked = await master.find(*where, [symbol])
                assert picked.instruments[0].symbol == symbol
            assert broker.calls["/master.json"] == 2
            with pytest.raises(ConfigError, match="did you mean"):
                await master.find(*where, ["NIFTY24NOV2625050CE"])
            assert broker.calls["/master.json"] == 3

    run(scenario())


@pytest.mark.usefixtures("_elsewhere")
def test_a_damaged_file_is_fetched_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with fake_broker() as broker, connected(broker) as client:
            broker.scripted["/master.json"] = [answer(ROWS), answer(ROWS)]
            await master.load(client.http, broker.endpoints.master, DAY, tmp_path)
            kept = next(tmp_path.iterdir())  # noqa: ASYNC240  (a test)
            kept.write_bytes(kept.read_bytes()[:100])
            assert len(await master.load(client.http, broker.endpoints.master, DAY, tmp_path)) == len(ROWS)
            assert broker.calls["/master.json"] == 2

    run(scenario())


@pytest.mark.parametrize("rows", [[], {}, "text", 7])
@pytest.mark.usefixtures("_elsewhere")
def test_what_is_no_master_is_an_error_and_not_kept(tmp_path: Path, rows: Any) -> None:
    with pytest.raises(DataError, match="is no list of instruments"):
        fetched([answer(rows)], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_answer_is_an_error() -> None:
    with pytest.raises(RequestError, match=r"Angel One: instrument master failed: HTTP 404 .*: try again later"):
        fetched([web.json_response({}, status=404)], None)
    with pytest.raises(RequestError, match=r"instrument master failed: HTTP 503"):
        fetched([text(503, "") for _ in range(9)], None)


@pytest.mark.usefixtures("_elsewhere")
def test_a_folder_that_can_not_be_written_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found, _ = fetched([answer(ROWS)], tmp_path / "file")
    (note,) = found.pick([]).notes
    assert "set MYQUANT_CACHE" in note


def test_strikes_are_exact() -> None:
    assert int(Decimal("292.5") * 100) == of(STOCK).instrument(STOCK["symbol"]).strike_paise
