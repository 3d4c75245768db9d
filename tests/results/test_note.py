"""Contract notes: rounded once a day, and how far that is from the ledger."""

from datetime import date

from myquant.core import codes
from myquant.market.charges import schedule_rates
from myquant.results.note import billed_charges
from myquant.results.summary import summary
from results.sample import DAY_1, DAY_2, FREE, SCHEDULE, Held, Out, make_record

SEPTEMBER = date(2026, 9, 1)
RATES_2026 = schedule_rates(SEPTEMBER, "NFO", "zerodha", "NIFTY", "CE")


def bought_and_sold(quantity: int, day: date = DAY_1, instrument: int = 0) -> Held:
    return Held("10:00:00", 10_000, quantity, (Out("10:01:00", 11_000, quantity, codes.TAKE_PROFIT),), day, instrument)


def test_one_lot_is_billed_as_the_broker_does() -> None:
    # The worked example of the market's reference: 65 x (buy 100, sell 110) is billed 63.94. The ledger, to the paisa per
    # order: 40.00 + 10.73 STT + 4.85 exchange + 0.02 SEBI + 0.20 stamp + 8.08 GST = 63.88.
    record = make_record([bought_and_sold(65, SEPTEMBER)], rates=RATES_2026, days=(SEPTEMBER,), lot_sizes=(65,))
    assert billed_charges(record) == 6394
    figures = summary(record)
    assert figures["charges_paid"]["total"] == 63.88
    assert figures["contract_notes"] == {"charges": 63.94, "difference": 0.06}


def test_the_percent_model_has_no_notes() -> None:
    assert billed_charges(make_record([bought_and_sold(75)], rates=FREE)) is None


def test_each_day_has_a_note_of_its_own() -> None:
    one = make_record([bought_and_sold(75)], rates=SCHEDULE)
    two = make_record([bought_and_sold(75), bought_and_sold(75, DAY_2)], rates=SCHEDULE, days=(DAY_1, DAY_2))
    assert billed_charges(two) == 2 * (billed_charges(one) or 0)


def test_instruments_of_equal_rates_share_a_note() -> None:
    both = [bought_and_sold(75), bought_and_sold(75, instrument=1)]
    shared = make_record(both, rates=SCHEDULE, symbols=("A", "B"))
    alone = make_record([bought_and_sold(75), bought_and_sold(75)], rates=SCHEDULE)
    assert billed_charges(shared) == billed_charges(alone)


def test_brokerage_counts_once_for_each_slice_of_an_order() -> None:
    held = [bought_and_sold(1875)]  # 25 lots; a freeze quantity of 1,800 holds 24
    whole = make_record(held, rates=SCHEDULE, freeze_quantities=(0,))
    sliced = make_record(held, rates=SCHEDULE)
    more = (billed_charges(sliced) or 0) - (billed_charges(whole) or 0)
    assert more == 2 * 2000 + 720  # one more slice on each side, 20 rupees each, and GST on them


def test_a_run_without_orders_bills_nothing() -> None:
    assert billed_charges(make_record(rates=SCHEDULE)) == 0
