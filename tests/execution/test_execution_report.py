"""The report of a day: its sums agree, and it is made of sessions that run, are over, were killed or are damaged."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from execution.conftest import DAY, Played
from execution.made_journal import BEGAN_NS, SECOND_NS, Made
from laws.driver import settings
from monitor.watched import facts_of
from myquant.core import codes
from myquant.errors import ConfigError
from myquant.execution.beside import Told
from myquant.execution.figures import AGAINST, DELAYS, spread_of
from myquant.execution.lives import Lives
from myquant.execution.reading import Reading
from myquant.execution.report import execution_of, foreign_rows, report_of
from myquant.journal.codes import OF_FORGOTTEN
from myquant.journal.disk import DISK
from myquant.session.log_files import FILE as LOG
from myquant.session.reconciliation import FIRST, Kind, Known
from myquant.session.reconciling import OthersFile
from myquant.session.shadow import Comparison

DAY_S = 86_400


def reading_of(made: Made, *, is_simulated: bool = False) -> Reading:
    lives = Lives(("NIFTY", "BANKNIFTY"), settings({}).config, is_simulated=is_simulated)
    return Reading(Path("s"), facts_of("s", ("NIFTY", "BANKNIFTY")), "Asia/Kolkata", made.take_into(lives))


def trade(made: Made, at_s: float, order_id: int, worse: int = 20, who: int = 0) -> None:
    """Add an entry and its exit, each filled `worse` paise a unit worse than its decision's price."""
    for number, side in ((order_id, codes.BUY), (order_id + 1, codes.SELL)):
        made.tick(at_s, 10_000, 9_995, 10_005, who)
        made.submit(at_s, number, side, instrument=who, reason=0 if side > 0 else codes.TRAILING_STOP)
        made.fill(at_s + 1, number, 75, 10_000 + side * worse, instrument=who)
    made.command(codes.TRADE_CLOSED, at_s + 1, order_id=order_id + 1, quantity=75, instrument=who, reason=3)


def test_sums_of_orders_are_those_of_the_totals(played: Played) -> None:
    report = execution_of(played.folder)
    assert (report.day, report.days, report.shadow, report.troubles) == (DAY, (DAY,), "simulated", ())
    for name in AGAINST:
        costs = [getattr(row.slippage, name) for row in report.orders]
        known = [cost for cost in costs if cost is not None]
        assert report.totals.slippage[name].n == len(known)
        assert report.totals.slippage[name].paise == (sum(known) if known else None)
        by_role = [each.slippage[name].paise or 0 for each in report.by_role.values()]
        assert sum(by_role) == (report.totals.slippage[name].paise or 0)
    for count in ("orders", "units", "fills", "partial_fills", "cancelled", "changes"):
        whole = getattr(report.totals, count)
        assert whole == sum(getattr(each, count) for each in report.by_role.values()) > 0, count
        assert whole == sum(getattr(each, count) for each in report.by_instrument.values()), count
    for name in DELAYS:
        assert report.totals.delays[name].n == sum(getattr(row.delays, name) is not None for row in report.orders)
    assert report.checks
    assert all(check.is_met for check in report.checks)
    run_trades = int(played.run.session.engine.desk[0]["account"]["trades"])
    assert sum(report.exit_reasons.values()) == run_trades


def test_it_is_json(played: Played) -> None:
    table = json.loads(json.dumps(execution_of(played.folder).as_dict(), allow_nan=False))
    assert table["schema_version"] == 1
    rupees = sum(order["slippage"]["decision"]["rupees"] for order in table["orders"] if order["slippage"]["decision"])
    assert table["totals"]["slippage"]["decision"]["rupees"] == pytest.approx(rupees, abs=0.001)
    assert table["orders"][0]["decided"]["exchange"].endswith("Z")
    assert table["totals"]["slippage"]["shadow"]["rupees"] is None


def test_a_sum_that_does_not_agree_is_said() -> None:
    made = Made()
    trade(made, 1, 1)
    assert report_of(reading_of(made)).troubles == ()
    made.command(codes.TRADE_CLOSED, 9, quantity=10)
    (trouble,) = report_of(reading_of(made)).troubles
    assert trouble == "units of NIFTY that were sold, and those of its closed trades, differ: 75 and 85"


def test_what_others_sell_of_it_is_booked_as_a_trade() -> None:
    made = Made()
    trade(made, 1, 1)
    made.event(codes.FOREIGN_TRADE, 5, quantity=25, value=25 * 9_900)
    made.command(codes.TRADE_CLOSED, 5, quantity=25, reason=codes.FOREIGN_EXIT)
    report = report_of(reading_of(made))
    assert report.troubles == ()
    assert [(row.source, row.symbol, row.units, row.value) for row in report.foreign] == [
        ("journal", "NIFTY", -25, 25 * 9_900)
    ]
    assert report.exit_reasons == {"trailing_stop": 1, "foreign_trade": 1}


@pytest.mark.parametrize("told_s", [2.1, 40])  # at once, or when the books tell: of a sell of an earlier process
def test_what_a_sell_fills_after_it_was_replaced_is_counted_once(told_s: float) -> None:
    made = Made()
    made.tick(1, 10_000)
    made.submit(1, 1)
    made.fill(1, 1, 75, 10_000)
    made.submit(1, 2, codes.SELL, stop=9_900, reason=codes.STOP_LOSS)
    made.event(codes.CANCELLED, 1.5, order_id=2)
    made.submit(1.5, 3, codes.SELL, stop=9_900, reason=codes.STOP_LOSS)
    made.fill(2, 2, 25, 9_890, code=OF_FORGOTTEN)
    made.event(codes.FOREIGN_TRADE, told_s, quantity=25, value=25 * 9_890)
    made.command(codes.TRADE_CLOSED, told_s, quantity=25, reason=codes.FOREIGN_EXIT)
    report = report_of(reading_of(made))
    assert report.troubles == ()
    assert [row.life.filled for row in report.orders] == [75, 25, 0]


def test_each_day_has_its_own() -> None:
    made = Made()
    trade(made, 1, 1, worse=20)
    trade(made, 1 + DAY_S, 3, worse=40, who=1)
    reading = reading_of(made)
    first, last = report_of(reading, "2025-10-03"), report_of(reading)
    assert (last.day, last.days) == ("2025-10-04", ("2025-10-03", "2025-10-04"))
    assert first.totals.slippage["decision"].paise == 2 * 75 * 20
    assert last.totals.slippage["decision"].paise == 2 * 75 * 40
    assert (list(first.by_instrument), list(last.by_instrument)) == (["NIFTY"], ["BANKNIFTY"])
    for day, words in (("2025-10-05", "it has 2025-10-03, 2025-10-04"), ("monday", "not a date such as")):
        with pytest.raises(ConfigError, match=words):
            report_of(reading, day)
    with pytest.raises(ConfigError, match="no day of trading"):
        report_of(reading_of(Made()))


def test_the_shadow_is_what_the_simulated_exchange_did() -> None:
    made = Made()
    trade(made, 1, 1)
    reading = reading_of(made)
    assert report_of(reading).shadow == "not_run"
    reading.shadow = {
        1: Comparison(1, 0, "entry", 75, 75, 75, 12.5, 1, 1),
        2: Comparison(2, 0, "exit", 75, 75, 0, None, 1, 0),
    }
    report = report_of(reading)
    assert report.shadow == "compared"
    assert [row.slippage.shadow for row in report.orders] == [round(75 * 12.5), None]
    assert report.totals.slippage["shadow"][:3] == (1, 75, round(75 * 12.5))


def test_lines_of_the_log_stand_with_their_day() -> None:
    made = Made()
    trade(made, 1, 1)
    trade(made, 1 + DAY_S, 3)
    reading = reading_of(made)
    reading.told = [Told(BEGAN_NS + at_s * SECOND_NS, f"at {at_s}", "NIFTY", 75, None, "") for at_s in (50, DAY_S + 50)]
    assert [row.what for row in report_of(reading, "2025-10-03").foreign] == ["at 50"]
    assert [row.what for row in report_of(reading).foreign] == [f"at {DAY_S + 50}"]
    reading.told = [Told(BEGAN_NS + 400 * DAY_S * SECOND_NS, "a lab plays a day of the past", "", None, None, "")]
    assert len(report_of(reading).foreign) == 1


def test_what_came_on_a_date_without_a_day_stands_with_the_day_before() -> None:
    made = Made()
    for at_s, order_id in ((1, 1), (1 + 3 * DAY_S, 3)):  # a Friday and a Monday
        trade(made, at_s, order_id)
        if order_id == 1:
            made.event(codes.FOREIGN_TRADE, DAY_S, quantity=25, value=25 * 9_900)
            made.command(codes.TRADE_CLOSED, DAY_S, quantity=25, reason=codes.FOREIGN_EXIT)
            made.event(codes.FILL, DAY_S + 1, order_id=9, quantity=75, value=75 * 10_000, code=codes.OF_LOST_ORDER)
    reading = reading_of(made)
    reading.told = [Told(BEGAN_NS + (DAY_S + 5) * SECOND_NS, "told on Saturday", "", None, None, "")]
    friday, monday = report_of(reading, "2025-10-03"), report_of(reading)
    assert (monday.days, monday.foreign, monday.troubles) == (("2025-10-03", "2025-10-06"), (), ())
    assert [row.units for row in friday.foreign] == [-25, 75, None]
    assert ([row.life.order_id for row in friday.orders], friday.troubles) == ([1, 2, 9], ())
    assert foreign_rows(reading) == list(friday.foreign)


def test_what_came_before_the_first_day_stands_with_it_and_without_a_day_with_its_own() -> None:
    made = Made()
    made.event(codes.FILL, 1, order_id=9, quantity=75, value=75 * 10_000, code=codes.OF_LOST_ORDER)
    lone = report_of(reading_of(made))
    assert (lone.days, len(lone.foreign), len(lone.orders)) == (("2025-10-03",), 1, 1)
    assert len(foreign_rows(reading_of(made))) == 1
    trade(made, DAY_S, 10)
    report = report_of(reading_of(made))
    assert (report.days, len(report.foreign), len(report.orders)) == (("2025-10-04",), 1, 3)


def test_a_lost_entry_that_was_taken_over_is_told_once() -> None:
    made = Made()
    trade(made, 1, 1)
    made.event(codes.FILL, 5, order_id=9, quantity=75, value=75 * 10_000, code=codes.OF_LOST_ORDER)
    reading = reading_of(made)
    lines = ((Kind.LOST_ORDER, "9"), (Kind.LOST_ORDER, "8"), (Kind.ORDER_DIFFERS, "9"))
    reading.told = [Told(BEGAN_NS + 4 * SECOND_NS, kind.value, "NIFTY", 75, 750_000, order) for kind, order in lines]
    found = [(row.source, row.order) for row in report_of(reading).foreign]
    assert found == [("log", "8"), ("log", "9"), ("journal", "9")]


def of_broker(played: Played, folder: Path) -> Path:
    """Copy a session, as one whose fills are the broker's."""
    shutil.copytree(played.folder, folder)
    facts: dict[str, Any] = json.loads((folder / "session.json").read_text())
    (folder / "session.json").write_text(json.dumps({**facts, "kind": "live"}))
    return folder


def test_what_the_broker_has_besides_is_read_from_the_folder(played: Played, tmp_path: Path) -> None:
    folder = of_broker(played, tmp_path / "s")
    head = '{"time": "2025-10-01T05:51:07.120400300Z", "level": "error", "event": '
    (folder / LOG).write_text(
        head + '"somebody else has traded", "symbol": "NIFTY", "quantity": 75, "value": 15341.25}\n'
        "somebody else has traded: no JSON\n"
        + head
        + '"an order that is not ours works at the broker", "token": "43", "broker_id": "B7"}\n'
        + head
        + '"feed stale", "why": "somebody else has traded"}\n'
    )
    OthersFile(folder, DISK).store(
        FIRST._replace(known={("43", "INTRADAY"): Known(0, 150), ("44", "INTRADAY"): Known(5, 0)})
    )
    found = execution_of(folder).foreign
    assert [(row.source, row.symbol, row.units, row.value, row.order) for row in found] == [
        ("log", "NIFTY", 75, 1_534_125, ""),
        ("log", "43", None, None, "B7"),
        ("others.json", "43", 150, None, ""),
    ]


def test_what_can_not_be_read_is_said(played: Played, tmp_path: Path) -> None:
    folder = of_broker(played, tmp_path / "s")
    (folder / "shadow.json").write_text("{")
    (folder / "others.json").write_text("{}")
    (folder / "log-2025-10-01.1.jsonl.gz").write_bytes(b"no gzip")
    segment = sorted((folder / "journal").glob("*.seg"))[3]
    content = bytearray(segment.read_bytes())
    content[4096 + 192 * 10 + 40] ^= 1
    segment.write_bytes(content)
    report = execution_of(folder)
    assert 0 < report.records < execution_of(played.folder).records
    assert 0 < report.totals.orders < execution_of(played.folder).totals.orders
    for words in ("shadow.json", "others.json", "log-2025-10-01.1.jsonl.gz", "the journal is damaged behind record"):
        assert sum(words in trouble for trouble in report.troubles) == 1, words


def test_a_day_behind_damage_is_not_said_to_be_none() -> None:
    made = Made()
    trade(made, 1, 1)
    for reading, day in ((reading_of(Made()), None), (reading_of(made), "2025-10-04")):
        reading.troubles.append("the journal is damaged behind record 7")
        with pytest.raises(ConfigError, match=r"; the journal is damaged behind record 7$"):
            report_of(reading, day)


def test_a_spread_is_by_the_nearest_rank() -> None:
    assert spread_of([]) == (0, None, None, None)
    assert spread_of([3, 1, 2, 4]) == (4, 2, 4, 4)
    assert spread_of(range(1, 101)) == (100, 50, 95, 100)
