"""The facts of the market by date: the contract book, the trading calendar and the charge schedules.

The facts are data files (`data/*.toml`); every row carries the dates between which it holds and its source. A date that
no row covers is an error that names the setting to fill in, never a guess. This room imports `errors` and the standard
library only, and importing it reads no file.
"""
