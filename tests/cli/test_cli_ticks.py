"""`myquant ticks`: check, convert, generate, info."""

from pathlib import Path

import pytest

from cli.ended import Run
from myquant.ticks.source import open_ticks

HEADER = "timestamp,price,volume\n"
GOOD = "2025-10-03 09:30:00,100.05,75\n"
BACK = "2025-10-03 09:29:00,100.05,75\n"
LOT_MISSING = "the contract book has no lot size for NIFTY traded on that day: set instrument.lot_size"

SORTED_BY_TIME = [(5, "nan", "A"), (6, "1", "A"), (3, "nan", "B"), (4, "nan", "B")]  # minute, price, symbol


def rows_of(path: str) -> int:
    return sum(len(batch) for batch in open_ticks(path, time_zone="Asia/Kolkata", symbol="NIFTY").batches())


@pytest.fixture
def some_bad() -> str:
    Path("ticks.csv").write_text(HEADER + GOOD + "x,1,75\n" + BACK + GOOD + BACK * 2 + "2025-10-03 09:31:00,nan,75\n")
    return "ticks.csv"


def test_check_counts_by_reason_and_names_the_first_lines(run: Run, some_bad: str) -> None:
    ended = run("ticks", "check", some_bad, "--set", "data_quality.rejected_examples=2")
    assert (ended.code, ended.err) == (0, "")
    assert [" ".join(line.split()) for line in ended.out.splitlines()] == [
        "ticks.csv: 7 rows, 2 valid, 5 rejected",
        "unparsable_time 1 at 3",
        "non_finite_price 1 at 8",
        "time_backwards 3 at 4, 6, ...",
    ]


def test_check_names_lines_in_ascending_order_where_symbols_are_sorted_by_time(run: Run) -> None:
    rows = [f"2025-10-03 09:3{minute}:00,{price},75,{name}\n" for minute, price, name in SORTED_BY_TIME]
    Path("ticks.csv").write_text(HEADER[:-1] + ",symbol\n" + "".join(rows))
    ended = run("ticks", "check", "ticks.csv", "--strict", "--set", "data_quality.rejected_examples=2")
    assert ended.out.splitlines()[1].split() == ["non_finite_price", "3", "at", "2,", "4,", "..."]
    assert ended.errors[0].startswith("ticks.csv:2: the first of 3 rejected rows")


def test_check_names_the_days_that_no_table_covers_and_the_closed_ones(run: Run) -> None:
    rows = "".join(GOOD.replace("2025-10-03", day) for day in ("1999-10-01", "1999-10-04", "2025-10-03", "2025-10-04"))
    Path("ticks.csv").write_text(HEADER + rows)
    ended = run("ticks", "check", "ticks.csv")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        "ticks.csv: 4 rows, 4 valid, 0 rejected",
        "  note: a backtest would stop on 1999-10-01, 1999-10-04: " + LOT_MISSING,
        "  note: NFO was closed on 2025-10-04: ticks of a closed day make no entries",
    ]


def test_check_looks_up_each_instrument_and_the_settings(run: Run) -> None:
    rows = GOOD[:-1] + ",NIFTY\n" + GOOD[:-1] + ",ACME\n"
    Path("ticks.csv").write_text(HEADER[:-1] + ",symbol\n" + rows)
    (_, note) = run("ticks", "check", "ticks.csv").out.splitlines()
    assert "would stop on 2025-10-03: the contract book does not know ACME" in note
    own = ["instrument.lot_size=1", "instrument.tick_size=0.05", "charges.model=percent"]
    settings = [word for setting in own for word in ("--set", setting)]
    assert len(run("ticks", "check", "ticks.csv", *settings).out.splitlines()) == 1


def test_check_asks_whether_a_file_is_newest_first(run: Run) -> None:
    Path("ticks.csv").write_text(HEADER + "".join(GOOD.replace("09:30", f"09:{m}") for m in (33, 32, 31, 30)))
    out = run("ticks", "check", "ticks.csv").out
    assert "note: 3 of 4 rows go back in time and were not used: is the file newest first? Sort it by time" in out


@pytest.mark.parametrize("examples", [0, 5])
def test_check_strict_fails_and_names_the_first(run: Run, some_bad: str, examples: int) -> None:
    ended = run("ticks", "check", some_bad, "--strict", "--set", f"data_quality.rejected_examples={examples}")
    assert ended.code == 3
    assert ended.errors == ["ticks.csv:3: the first of 5 rejected rows; mend them, or leave --strict away"]


def test_check_goes_on_after_a_bad_file(run: Run, some_bad: str, day: Path) -> None:
    ended = run("ticks", "check", "absent.csv", some_bad, day)
    assert ended.code == 3
    assert len(ended.errors) == 1
    assert ended.out.splitlines()[0].startswith(some_bad)
    assert ended.out.splitlines()[-1].endswith(" 0 rejected")


@pytest.mark.parametrize("target", ["out.csv", "out.csv.gz", "out.csv.zst", "out.parquet"])
def test_convert_keeps_the_valid_ticks(run: Run, some_bad: str, target: str) -> None:
    ended = run("ticks", "convert", some_bad, target)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"{target}: 2 ticks; left out: unparsable_time 1, non_finite_price 1, time_backwards 3\n"
    assert rows_of(target) == 2


def test_convert_merges_files_by_time(run: Run) -> None:
    Path("b.csv").write_text(HEADER + GOOD + "2025-10-03 09:30:02,2,75\n")
    Path("a.csv").write_text(HEADER + "2025-10-03 09:30:01,1,75\n")
    assert run("ticks", "convert", "b.csv", "a.csv", "all.csv").code == 0
    assert [row.split(",")[1:] for row in Path("all.csv").read_text().splitlines()[1:]] == [
        ["100.05", "75", "b"],
        ["1.00", "75", "a"],
        ["2.00", "75", "b"],
    ]


def test_convert_keeps_the_contract_that_a_file_is_named_after(run: Run) -> None:
    Path("BANKNIFTY28OCT2556000CE.csv").write_text(HEADER + GOOD)
    assert run("ticks", "convert", "BANKNIFTY28OCT2556000CE.csv", "b.csv").code == 0
    head, first = Path("b.csv").read_text().splitlines()[:2]
    assert "symbol" in head
    assert "BANKNIFTY28OCT2556000CE" in first


def test_convert_takes_naive_times_in_the_configured_zone(run: Run) -> None:
    Path("a.csv").write_text(HEADER + GOOD)
    assert run("ticks", "convert", "a.csv", "b.csv", "--set", "session.timezone=America/New_York").code == 0
    assert Path("b.csv").read_text().splitlines()[1].startswith("2025-10-03 09:30:00-04:00,")


@pytest.mark.usefixtures("some_bad")
@pytest.mark.parametrize("command", [["ticks", "convert", "ticks.csv"], ["ticks", "generate"]])
def test_no_file_is_written_over_unless_forced(run: Run, command: list[str]) -> None:
    Path("mine.csv").write_text("mine")
    ended = run(*command, "mine.csv")
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert "--force" in ended.errors[0]
    assert Path("mine.csv").read_text() == "mine"
    assert run(*command, "mine.csv", "--force").code == 0
    assert rows_of("mine.csv") > 1


def test_convert_never_writes_over_an_input(run: Run) -> None:
    Path("a.csv").write_text(HEADER + GOOD)
    Path("b.csv").write_text(HEADER + GOOD)
    Path("link.csv").symlink_to("b.csv")
    Path("hard.csv").hardlink_to("b.csv")
    for target in ("b.csv", Path("b.csv").absolute(), f"../{Path.cwd().name}/b.csv", "link.csv", "hard.csv"):
        for options in ([], ["--force"]):
            ended = run("ticks", "convert", "a.csv", "b.csv", target, *options)
            assert (ended.code, ended.out, len(ended.errors)) == (2, "", 1)
            assert ended.errors[0].startswith(f"{target}: is read and can't be written over")
    assert Path("b.csv").read_text() == HEADER + GOOD


def test_generate_gives_the_same_bytes_for_the_same_seed(run: Run) -> None:
    for name, seed in (("a.csv", 3), ("b.csv", 3), ("c.csv", 4)):
        ended = run("ticks", "generate", name, "--seed", seed)
        assert (ended.code, ended.err) == (0, "")
        assert ended.out == f"{name}: {rows_of(name):,} ticks of 1 day, profile liquid, seed {seed}\n"
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes() != Path("c.csv").read_bytes()


def test_generate_keeps_to_the_exchange_s_days_hours_and_lots(run: Run) -> None:
    # From Saturday: Monday, then Muhurat trading from 13:45 to 14:45, a holiday, Thursday.
    ended = run("ticks", "generate", "a.csv", "--from", "2025-10-18", "--days", 3, "--symbol", "SENSEX30OCT2582000PE")
    assert ended.code == 0
    rows = [row.split(",") for row in Path("a.csv").read_text().splitlines()]
    assert rows[0] == ["timestamp", "price", "volume", "symbol"]
    clocks: dict[str, list[str]] = {}
    for row in rows[1:]:
        clocks.setdefault(row[0][:10], []).append(row[0][11:16])
    assert list(clocks) == ["2025-10-20", "2025-10-21", "2025-10-23"]
    assert (clocks["2025-10-21"][1], clocks["2025-10-21"][-1]) == ("13:45", "14:45")
    assert {int(row[2]) % 20 for row in rows[1:]} == {0}
    assert {row[3] for row in rows[1:]} == {"SENSEX30OCT2582000PE"}


def test_generate_several_symbols_with_quotes_in_order_of_time(run: Run) -> None:
    names = ("NIFTY07OCT2524900CE", "NIFTY07OCT2524900PE")
    symbols = [word for name in names for word in ("--symbol", name)]
    assert run("ticks", "generate", "a.parquet", *symbols, "--quotes", "--profile", "illiquid").code == 0
    source = open_ticks("a.parquet", time_zone="Asia/Kolkata", symbol="NIFTY")
    assert tuple(sorted(name.symbol for name in source.instruments)) == names
    (batch,) = source.batches()
    assert (batch.time_ns[1:] >= batch.time_ns[:-1]).all()
    assert (batch.bid < batch.ask).all()
    assert (batch.bid > 0).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--from", "2035-01-01"], "set instrument.lot_size"),
        (["--symbol", "NIFTY07OCT2524900CE", "--from", "2025-10-08"], "expired on 2025-10-07"),
        (["--symbol", "ACME"], "set instrument.lot_size"),
    ],
)
def test_generate_refuses_what_no_table_covers(run: Run, options: list[str], words: str) -> None:
    ended = run("ticks", "generate", "a.csv", *options)
    assert (ended.code, len(ended.errors)) == (3, 1)
    assert words in ended.errors[0]
    assert not Path("a.csv").exists()


def test_generate_with_hours_and_lots_of_one_s_own(run: Run) -> None:
    own = ["session.source=config", "instrument.lot_size=1", "instrument.tick_size=0.01", "session.end_hour=10"]
    settings = [word for setting in own for word in ("--set", setting)]
    assert run("ticks", "generate", "a.csv", "--symbol", "ACME", "--from", "2035-01-01", *settings).code == 0
    assert Path("a.csv").read_text().splitlines()[-1][:16] == "2035-01-01 10:30"


def test_info_puts_files_side_by_side(run: Run, day: Path) -> None:
    assert run("ticks", "generate", "b.csv", "--profile", "illiquid").code == 0
    out = run("ticks", "info", day, "b.csv").out
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["day.csv", "b.csv"]
    assert ["lot", "size", "75", "75"] in lines
    assert ["ticks", f"{rows_of(str(day)):,}", f"{rows_of('b.csv'):,}"] in lines
    assert [line[0] for line in lines if line[0].startswith("moves.zero_")] == [
        "moves.zero_share",
        "moves.zero_within_second_share",
    ]
    assert max(map(len, out.splitlines())) <= 80
    assert [line.split()[:2] for line in run("ticks", "info", day).out.splitlines()[3:5]] == [
        line[:2] for line in lines[3:5]
    ]


def test_info_describes_each_instrument_and_needs_its_lot(run: Run) -> None:
    Path("a.csv").write_text("timestamp,price,volume,symbol\n" + "".join(f"{GOOD[:-1]},{name}\n" for name in "AABB"))
    ended = run("ticks", "info", "a.csv")
    assert (ended.code, len(ended.errors)) == (3, 1)
    assert "set instrument.lot_size" in ended.errors[0]
    settings = ["--set", "instrument.lot_size=75"]
    lines = [line.split() for line in run("ticks", "info", "a.csv", *settings).out.splitlines()]
    assert ["ticks", "2", "2"] in lines
