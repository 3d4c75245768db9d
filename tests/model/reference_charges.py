"""What one order costs, by either charge model, in whole paise. Every rate is in percent of turnover."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor


def half_up(amount: Fraction) -> int:
    """Round an amount that is not negative to whole paise, half up."""
    return floor(amount + Fraction(1, 2))


def percent_of(amount: Fraction | int, percent: Decimal) -> Fraction:
    return amount * Fraction(percent) / 100


@dataclass(frozen=True)
class PercentCharges:
    """Model "percent": four components, each rounded; GST is a percentage of the rounded ones.

    `commission_per_trade` is in rupees per order.
    """

    commission_percent: Decimal = Decimal("0.03")
    commission_per_trade: Decimal = Decimal("0.0")
    stt_percent: Decimal = Decimal("0.025")
    exchange_charges_percent: Decimal = Decimal("0.003")
    gst_percent: Decimal = Decimal("18.0")

    def of_order(self, turnover: int, slices: int, *, is_buy: bool) -> int:
        """Return the charges of one order in paise; the number of slices makes no difference here."""
        del slices
        least = Fraction(self.commission_per_trade) * 100
        commission = half_up(max(least, percent_of(turnover, self.commission_percent)))
        exchange = half_up(percent_of(turnover, self.exchange_charges_percent))
        stt = 0 if is_buy else half_up(percent_of(turnover, self.stt_percent))
        gst = half_up(percent_of(commission + exchange, self.gst_percent))
        return commission + exchange + stt + gst


@dataclass(frozen=True)
class DatedCharges:
    """The dated schedule as it stands on one day. GST is a percentage of the parts before they are rounded.

    `brokerage_per_order` is in paise and is paid once per slice.
    """

    brokerage_per_order: int
    exchange_percent: Decimal
    sebi_percent: Decimal
    stt_percent: Decimal
    stamp_percent: Decimal
    gst_percent: Decimal

    def of_order(self, turnover: int, slices: int, *, is_buy: bool) -> int:
        """Return the charges of one order in paise."""
        brokerage = self.brokerage_per_order * slices
        exchange = percent_of(turnover, self.exchange_percent)
        sebi = percent_of(turnover, self.sebi_percent)
        gst = percent_of(brokerage + exchange + sebi, self.gst_percent)
        side = percent_of(turnover, self.stamp_percent if is_buy else self.stt_percent)
        return brokerage + half_up(exchange) + half_up(sebi) + half_up(gst) + half_up(side)


ModelCharges = PercentCharges | DatedCharges


def slices_of(quantity: int, lot_size: int, freeze_quantity: int) -> int:
    """Return how many orders of whole lots, none above the freeze quantity (0: none), carry this quantity."""
    if freeze_quantity == 0:
        return 1
    largest = freeze_quantity // lot_size * lot_size
    if largest == 0:
        raise ValueError(f"a freeze quantity of {freeze_quantity} does not hold one lot of {lot_size}")
    return -(-quantity // largest)
