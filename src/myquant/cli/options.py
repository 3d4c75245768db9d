"""The options that several commands share."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

ConfigFiles: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option("--config", "-c", metavar="FILE", help="A TOML file with the settings to change; can be repeated."),
]
Assignments: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", metavar="SECTION.KEY=VALUE", help="Change one setting; can be repeated."),
]
Strategy: TypeAlias = Annotated[
    str | None,
    typer.Option("--strategy", metavar="FILE.py[:Name]", help="A strategy of your own instead of the default one."),
]
TickFiles: TypeAlias = Annotated[
    list[Path],
    typer.Argument(metavar="TICKS", show_default=False, help="CSV (also .gz, .zst) or Parquet files of ticks."),
]


def examples(*lines: str) -> str:
    """Return the end of a command's help: its examples, each on its own line."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
