"""Which ticks a lab plays: one day of files, or a generated one."""

from datetime import date
from pathlib import Path

import pytest

from lab.labs import SYMBOL
from myquant.errors import ConfigError, DataError
from myquant.lab.market_day import day_of_files, generated_day

ROWS = "timestamp,price,volume\n2025-10-03 09:15:00+05:30,100.05,75\n2025-10-03 09:15:01+05:30,nonsense,75\n"


def file(folder: Path, name: str, text: str = ROWS) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_file_named_after_a_contract_is_played(tmp_path: Path) -> None:
    day = day_of_files([file(tmp_path, f"{SYMBOL}.csv")])
    assert [known.symbol for known in day.contracts] == [SYMBOL]
    assert (day.day, day.price.tolist(), day.volume.tolist(), day.left_out) == (date(2025, 10, 3), [10005], [75], 1)


def test_a_symbol_names_the_contract_of_another_file(tmp_path: Path) -> None:
    day = day_of_files([file(tmp_path, "recorded.csv")], symbol=SYMBOL)
    assert [known.symbol for known in day.contracts] == [SYMBOL]


def test_ticks_of_a_bare_index_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--symbol"):
        day_of_files([file(tmp_path, "recorded.csv")])


def test_one_of_several_days_is_chosen(tmp_path: Path) -> None:
    path = file(tmp_path, f"{SYMBOL}.csv", ROWS + "2025-10-06 09:15:00+05:30,90,75\n")
    with pytest.raises(DataError, match="2 days, 2025-10-03 to 2025-10-06"):
        day_of_files([path])
    assert day_of_files([path], day=date(2025, 10, 6)).price.tolist() == [9000]
    with pytest.raises(DataError, match="no usable tick of 2025-10-07"):
        day_of_files([path], day=date(2025, 10, 7))


def test_a_file_without_a_usable_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no row is a usable tick"):
        day_of_files([file(tmp_path, f"{SYMBOL}.csv", "timestamp,price,volume\nx,1,1\n")])


def test_what_the_contract_book_does_not_know_is_a_share(tmp_path: Path) -> None:
    known = day_of_files([file(tmp_path, "RELIANCE.csv")], symbol="RELIANCE").contracts[0]
    assert (known.symbol, known.exchange, known.expiry) == ("RELIANCE", "NSE", None)


def test_a_generated_day_is_the_same_for_a_seed() -> None:
    first, again, other = generated_day(seed=1), generated_day(seed=1), generated_day(seed=2)
    assert first.price.tolist() == again.price.tolist() != other.price.tolist()
    assert (first.bid < first.ask).all()


def test_no_day_is_generated_on_which_the_market_is_closed() -> None:
    with pytest.raises(DataError, match="closed"):
        generated_day(day=date(2025, 10, 2))
