"""The command line: it parses arguments, calls the rooms below and prints; it decides nothing about trading.

Only typer is imported before a command runs, so that `--help` answers at once: a command imports what it needs.
"""

from myquant.cli.app import main

__all__ = ["main"]
