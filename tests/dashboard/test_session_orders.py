"""Orders on the page of a session: what they cost, what they come to, and what the broker has besides."""

from zoneinfo import ZoneInfo

from execution.made_journal import Made
from execution.test_execution_report import reading_of, trade
from myquant.core import codes
from myquant.dashboard.charts import LIGHT, slippage_series
from myquant.dashboard.components import Cell
from myquant.dashboard.session_orders import (
    FILLS,
    FOREIGN,
    ORDERS,
    ORDERS_MAX,
    TOTALS,
    fill_rows,
    foreign_cells,
    order_rows,
    report_url,
    slips_of,
    total_rows,
)
from myquant.execution.beside import Told
from myquant.session.shadow import Comparison

INDIA = ZoneInfo("Asia/Kolkata")
DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def texts(cells: object) -> list[str]:
    assert isinstance(cells, list | tuple)
    return [cell.text if isinstance(cell, Cell) else cell for cell in cells]


def test_an_order_says_what_it_cost_against_each_price() -> None:
    made = Made()
    trade(made, 1, 1, worse=20)
    reading = reading_of(made)
    reading.shadow = {1: Comparison(1, 0, "entry", 75, 75, 75, -40.0, 1, 1)}
    rows = order_rows(reading, INDIA)
    assert [key for key, _ in rows] == ["2", "1"]
    entry = dict(zip(ORDERS, texts(rows[1][1]), strict=True))
    assert entry["Decided"] == "09:15:01 IST"
    assert (entry["Side"], entry["Role"], entry["#Units"], entry["#Filled"]) == ("buy", "entry", "75", "75")
    assert (entry["#Decided at, Rs"], entry["#Filled at, Rs"]) == ("100.00", "100.20")
    # 20 paise a unit worse than the last price, 15 worse than the ask, 40 better than the simulated fill.
    assert (entry["#To decision"], entry["#To quote"], entry["#To shadow"]) == ("+15.00", "+11.25", f"{MINUS}30.00")
    assert (entry["#Until sent"], entry["State"]) == (DASH, "filled")
    exit_ = dict(zip(ORDERS, texts(rows[0][1]), strict=True))
    assert (exit_["Side"], exit_["Role"]) == ("sell", "exit, trailing stop")
    assert (exit_["#To decision"], exit_["#To quote"], exit_["#To shadow"]) == ("+15.00", "+11.25", DASH)


def test_worse_is_marked_by_its_sign_too() -> None:
    made = Made()
    trade(made, 1, 1, worse=20)
    trade(made, 5, 3, worse=-20)
    styles = {
        cell.style: cell.text[:1]
        for _, cells in order_rows(reading_of(made), INDIA)
        for cell in cells
        if isinstance(cell, Cell) and cell.style == "loss"
    }
    assert styles == {"loss": "+"}


def test_parts_and_what_is_unknown_are_said() -> None:
    made = Made()
    made.tick(1, 10_000)
    made.submit(1, 1)
    made.fill(2, 1, 25, 10_000)
    made.fill(3, 1, 50, 10_010)
    made.submit(4, 2, codes.SELL, reason=codes.STOP_LOSS)
    made.event(codes.TIMER, 60)
    found = {key: dict(zip(ORDERS, texts(cells), strict=True)) for key, cells in order_rows(reading_of(made), INDIA)}
    assert found["1"]["#Filled"] == "50 in 2 parts"
    assert found["1"]["#Filled at, Rs"] == "100.10"
    assert found["1"]["State"] == "partial"
    assert (found["2"]["#Filled at, Rs"], found["2"]["State"]) == (DASH, "unknown")


def test_each_part_of_an_order_is_a_fill_of_its_own() -> None:
    made = Made()
    made.tick(1, 10_000)
    made.submit(1, 1)
    made.fill(2, 1, 25, 10_000)
    made.fill(3, 1, 75, 10_010)
    rows = [
        dict(zip(FILLS, texts(cells), strict=True))
        for _, cells in fill_rows(reading_of(made, is_simulated=True), INDIA)
    ]
    assert [(row["When"], row["#Units"], row["#Filled of it"], row["#After the decision"]) for row in rows] == [
        ("09:15:03 IST", "50", "75 of 75", "2.00 s"),
        ("09:15:02 IST", "25", "25 of 75", "1.00 s"),
    ]
    # 75 units for 75 x 100.10, of which 25 were had for 100.00: the last 50 cost 100.15 each.
    assert [row["#Price, Rs"] for row in rows] == ["100.15", "100.00"]


def test_totals_are_the_sums_of_the_orders() -> None:
    made = Made()
    for number in range(5):
        trade(made, 1 + 10 * number, 1 + 2 * number, worse=20 * number)
    reading = reading_of(made)
    totals = {key: dict(zip(TOTALS, texts(cells), strict=True)) for key, cells in total_rows(reading)}
    assert list(totals) == ["all", "entry", "exit"]
    rows = order_rows(reading, INDIA)
    paid = sum(
        float(texts(cells)[ORDERS.index("#To decision")].replace(",", "").replace(MINUS, "-")) for _, cells in rows
    )
    assert float(totals["all"]["#To decision, Rs"].replace(",", "")) == paid == 2 * 75 * 0.2 * 10
    assert (totals["all"]["#Orders"], totals["entry"]["#Orders"], totals["exit"]["#Orders"]) == ("10", "5", "5")
    assert total_rows(reading_of(Made())) == []


def test_the_newest_orders_are_shown_and_the_picture_has_those_that_filled() -> None:
    made = Made()
    for number in range(ORDERS_MAX):
        trade(made, 1 + 10 * number, 1 + 2 * number)
    made.submit(2_000, 999)
    reading = reading_of(made)
    rows = order_rows(reading, INDIA)
    assert (len(rows), rows[0][0]) == (ORDERS_MAX, "999")
    slips = slips_of(reading)
    assert len(slips) == 2 * ORDERS_MAX
    assert {slip.points for slip in slips} == {0.2}
    drawn = slippage_series(slips, INDIA, LIGHT)
    assert sum(len(series["data"]) for series in drawn) == len(slips)
    assert len({series["symbol"] for series in drawn}) == len(drawn)


def test_what_the_broker_has_besides_is_listed_newest_first() -> None:
    made = Made()
    trade(made, 1, 1)
    made.event(codes.FOREIGN_TRADE, 5, quantity=25, value=25 * 9_900)
    reading = reading_of(made)
    reading.told = [Told(1_759_463_200 * 10**9, "a foreign trade", "NIFTY", -50, None, "77")]
    cells = [dict(zip(FOREIGN, texts(cells), strict=True)) for _, cells in foreign_cells(reading, INDIA)]
    assert [each["Known by"] for each in cells] == ["log", "journal"]
    assert (cells[0]["#Units"], cells[0]["#For, Rs"]) == (f"{MINUS}50", DASH)
    assert (cells[1]["#Units"], cells[1]["#For, Rs"]) == (f"{MINUS}25", "2,475.00")


def test_an_address_holds_any_name() -> None:
    assert report_url("a&b/ü", "2025-10-03") == "/execution?session=a%26b%2F%C3%BC&day=2025-10-03"
