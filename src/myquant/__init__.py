"""myquant: an intraday trading engine for Indian index options."""

__version__ = "0.1.0"
