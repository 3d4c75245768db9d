"""What the contract notes of a run's days would bill: rounded once a day where the ledger rounds every order."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date

from myquant.market.charges import ChargeRates, Order, contract_note, slices
from myquant.results.record import RunRecord
from myquant.results.units import day_numbers


def billed_charges(record: RunRecord) -> int | None:
    """Return the sum of the run's contract notes, paise; None for the percent model, which knows no notes.

    There is one note per day and set of rates; it bills the entries and exits that the run reports.
    """
    if any(rates.model == "percent" for rates in record.rates.values()):
        return None
    notes: defaultdict[tuple[date, ChargeRates], list[Order]] = defaultdict(list)
    for day, instrument, order in _orders(record):
        notes[day, record.rates[instrument, day]].append(order)
    return sum(contract_note(orders, rates).total for (_, rates), orders in notes.items())


def _orders(record: RunRecord) -> Iterator[tuple[date, int, Order]]:
    """Yield (day, instrument, order) of every entry and exit."""
    for rows in (record.openings, record.trades):
        days = day_numbers(rows["time_ns"], record.days, record.time_zone).tolist()
        columns = (rows[name].tolist() for name in ("instrument", "side", "price", "quantity"))
        for day, instrument, side, price, quantity in zip(days, *columns, strict=True):
            count = slices(quantity, record.freeze_quantities[instrument] or None, record.lot_sizes[instrument])
            yield record.days[day], instrument, Order("buy" if side > 0 else "sell", price, quantity, count)
