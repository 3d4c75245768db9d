"""Dated rows from the data files: read once, looked up by day."""

import tomllib
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

_DATA = Path(__file__).parent / "data"


class Dated(Protocol):
    """A row that holds from one day to another, both included, and says where that was read."""

    @property
    def valid_from(self) -> date:
        """The first day."""

    @property
    def valid_to(self) -> date:
        """The last day."""

    @property
    def source(self) -> str:
        """Where the fact was read, and how good that is."""


DatedRow = TypeVar("DatedRow", bound=Dated)


@cache
def document(name: str) -> dict[str, Any]:
    """Return the data file `name`, its decimal numbers exact."""
    with (_DATA / f"{name}.toml").open("rb") as file:
        return tomllib.load(file, parse_float=Decimal)


def rows(name: str, table: str, kind: type[DatedRow]) -> tuple[DatedRow, ...]:
    """Return a table of a data file as rows of `kind`; a missing or unknown key is a TypeError."""
    return tuple(kind(**row) for row in document(name)[table])


def on_day(candidates: Iterable[DatedRow], day: date) -> DatedRow | None:
    """Return the row that holds on `day`, or None; the tests see to it that no two do."""
    return next((row for row in candidates if row.valid_from <= day <= row.valid_to), None)
