"""Every way to fail ends with its exit code and one line on stderr."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.ended import Run
from myquant import compose

HEADER = "timestamp,price,volume\n"
GOOD = "2025-10-03 09:30:00,100.05,75\n"


def write(path: str, content: str | bytes) -> str:
    Path(path).write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "No such command 'nonsense'; see myquant --help"),
        (["ticks"], "Missing command; see myquant ticks --help"),
        (["backtest"], "Missing argument 'TICKS'; see myquant backtest --help"),
        (["backtest", "a.csv", "--frobnicate"], "No such option: --frobnicate"),
        (["ticks", "generate", "a.csv", "--days", "0"], "--days"),
        (["ticks", "generate", "a.csv", "--from", "yesterday"], "'yesterday' does not match"),
        (["ticks", "generate", "a.csv", "--profile", "wild"], "must be one of liquid, trending"),
        (["ticks", "generate", "a.txt"], "a.txt: unknown kind of file"),
        (["ticks", "convert", "a.csv"], "Missing argument 'IN'"),
    ],
)
def test_bad_usage_is_2(run: Run, arguments: list[str], words: str) -> None:
    ended = run(*arguments)
    assert (ended.code, ended.out, len(ended.errors)) == (2, "", 1)
    assert words in ended.errors[0]


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("nonsense", '--set "nonsense": must be section.key=value'),
        ("risk.base_sl_pts=1", "unknown key; did you mean risk.base_sl_points?"),
        ("risks.base_sl_points=1", "unknown section; did you mean [risk]?"),
        ("strategy.fast_ema=slow", 'strategy.fast_ema = "slow" (--set): must be a whole number from 1 to 5000'),
        ("risk.max_position_value_percent=101", "must be a number above 0 and at most 100"),
        (
            "risk.tp_points=5,10",
            "with at most 2 decimals; write a list as in 'risk.tp_points=[5,10]'",
        ),
        ("my_strategy.period=3", "(the section of your own strategy is known with --strategy FILE.py only)"),
        ("strategy.fast_ema=42", "fast_ema must be below slow_ema"),
        ("risk.tp_percents=[0.4, 0.3, 0.2, 0.2]", "must sum to"),
        ("session.timezone=Asia/Kolkatta", "must be an IANA time zone"),
    ],
)
@pytest.mark.parametrize("command", [["backtest", "absent.csv"], ["config", "show"]])
def test_a_bad_setting_is_2(run: Run, command: list[str], assignment: str, words: str) -> None:
    ended = run(*command, "--set", assignment)
    assert (ended.code, ended.out, len(ended.errors)) == (2, "", 1)
    assert words in ended.errors[0]


def test_each_of_several_problems_has_its_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYQUANT_RISK__MAX_REJECTS", "many")
    file = write("mine.toml", "[risk]\nbase_sl_points = -1\n[nonsense]\na = 1\n")
    ended = run("backtest", "absent.csv", "--config", file, "--set", "capital.initial_capital=0")
    assert ended.code == 2
    assert [line.split(" ")[0] for line in sorted(ended.errors)] == [
        "[nonsense]",
        "capital.initial_capital",
        "risk.base_sl_points",
        "risk.max_rejects",
    ]
    assert "(mine.toml)" in ended.err
    assert "(MYQUANT_RISK__MAX_REJECTS)" in ended.err
    assert "(--set)" in ended.err


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("absent.toml", None, "absent.toml: no such config file"),
        ("broken.toml", "[risk]\nbase_sl_points 3\n", "broken.toml, line 2: not valid TOML"),
        ("binary.toml", b"\xff\xfe\x00", "binary.toml, line 1: not UTF-8 text"),
    ],
)
@pytest.mark.parametrize(
    "command", [["backtest", "absent.csv", "--config"], ["config", "check"], ["config", "diff", "defaults"]]
)
def test_a_bad_config_file_is_2(
    run: Run, command: list[str], file: str, content: str | bytes | None, words: str
) -> None:
    if content is not None:
        write(file, content)
    ended = run(*command, file)
    assert (ended.code, ended.out, len(ended.errors)) == (2, "", 1)
    assert words in ended.errors[0]


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("absent.csv", None, "absent.csv: no such file"),
        (".", None, "is a folder"),
        ("empty.csv", "", "empty.csv: the file is empty"),
        ("header.csv", HEADER, "header.csv: there is a header and nothing after it"),
        ("binary.csv", bytes(range(256)) * 20, "binary.csv: a binary file"),
        ("no_price.csv", "timestamp,volume\n2025-10-03 09:30:00,75\n", "no_price.csv: no column for the price; found:"),
        (
            "semicolons.csv",
            "ts;price;volume\n1;2,5;3\n",
            "found: ts;price;volume; the separator seems to be ';': save the file with commas",
        ),
        ("tabs.csv", "ts\tprice\tvolume\n1\t2\t3\n", r"; the separator seems to be '\t': save the file with commas"),
        ("no_volume.csv", "timestamp,price\n2025-10-03 09:30:00,75\n", "no_volume.csv: no column for the volume"),
        ("fake.parquet", HEADER + GOOD, "fake.parquet: "),
        ("broken.csv.gz", b"\x1f\x8b" + bytes(50), "broken.csv.gz: "),
    ],
)
@pytest.mark.parametrize("command", [["backtest", "--no-report"], ["ticks", "check"], ["ticks", "info"]])
def test_bad_data_is_3(run: Run, command: list[str], file: str, content: str | bytes | None, words: str) -> None:
    if content is not None:
        write(file, content)
    ended = run(*command, file)
    assert (ended.code, len(ended.errors)) == (3, 1)
    assert words in ended.errors[0]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["backtest", "--no-report"], "no_valid.csv: none of 2 rows is a usable tick: unparsable_time"),
        (["ticks", "check"], "no_valid.csv: none of 2 rows is a valid tick"),
        (["ticks", "info"], "no_valid.csv: NIFTY has no valid tick"),
        (["ticks", "convert", "--force"], "no tick is valid (2 unparsable_time)"),
    ],
)
def test_no_valid_row_is_3(run: Run, command: list[str], words: str) -> None:
    file = write("no_valid.csv", HEADER + "x,y,z\n,,\n")
    ended = run(*command, file, *(["out.csv"] if "convert" in command else []))
    assert (ended.code, len(ended.errors)) == (3, 1)
    assert words in ended.errors[0]
    assert not Path("out.csv").exists()


def test_strict_stops_at_the_first_bad_row(run: Run) -> None:
    file = write("ticks.csv", HEADER + GOOD + "2025-10-03 09:29:00,100,75\n" + GOOD)
    ended = run("backtest", file, "--no-report", "--strict")
    assert (ended.code, ended.out) == (3, "")
    assert ended.errors == [
        "ticks.csv:3: time_backwards; mend the row, or run without --strict to count and skip such rows"
    ]


def test_a_day_that_no_table_covers_is_3_and_says_what_to_set(run: Run) -> None:
    file = write("old.csv", HEADER + GOOD.replace("2025", "1999"))
    ended = run("backtest", file, "--no-report")
    assert (ended.code, len(ended.errors)) == (3, 1)
    assert "set instrument.lot_size" in ended.errors[0]


@pytest.mark.parametrize("command", [["backtest", "absent.csv"], ["config", "show"]])
def test_a_bad_strategy_is_2(run: Run, command: list[str]) -> None:
    file = write("mine.py", "def update(state, tick, params):\n    return state\n")
    for target, words in (("absent.py", "absent.py: no such strategy file"), (file, "mine.py: strategy mine has no")):
        ended = run(*command, "--strategy", target)
        assert (ended.code, ended.out, len(ended.errors)) == (2, "", 1)
        assert words in ended.errors[0]


def test_a_failed_run_leaves_no_folder(run: Run, day: Path) -> None:
    file = write("no_valid.csv", HEADER + "x,y,z\n")
    assert run("backtest", file, "--out", "runs/mine").code == 3
    assert not Path("runs/mine").exists()
    taken = write("taken", "mine")
    ended = run("backtest", day, "--out", taken)
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert Path("taken").read_text() == "mine"


@pytest.mark.parametrize("options", [[], ["--separate"]])
def test_a_folder_that_is_no_run_is_refused_before_the_run(
    run: Run, day: Path, broken: Callable[[BaseException], None], options: list[str]
) -> None:
    broken(AssertionError("it ran"))
    folder = Path("mine", "day") if options else Path("mine")
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    ended = run("backtest", day, "--out", "mine", *options)
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert f"{folder}: holds notes.txt and is not the folder of a run" in ended.errors[0]
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    def breaks(error: BaseException) -> None:
        def backtest(*_: object) -> None:
            raise error

        monkeypatch.setattr(compose, "backtest", backtest)

    return breaks


def test_a_defect_is_1_in_one_line_that_says_so(run: Run, day: Path, broken: Callable[[BaseException], None]) -> None:
    broken(ZeroDivisionError("first\nsecond"))
    ended = run("backtest", day)
    assert (ended.code, ended.out, len(ended.errors)) == (1, "", 1)
    assert ended.errors[0].startswith("a defect in myquant, please report it: ZeroDivisionError at run.py:")
    assert ended.errors[0].endswith("first second; --debug shows the traceback")
    for debugged in (run("backtest", day, "--debug"), run("--debug", "backtest", day)):
        assert debugged.code == 1
        assert debugged.err.startswith("Traceback")
        assert debugged.err.splitlines()[-1] == f"error: {ended.errors[0]}"


def test_what_the_system_refuses_is_1(run: Run, day: Path, broken: Callable[[BaseException], None]) -> None:
    broken(OSError(28, "No space left on device", "runs/x"))
    ended = run("backtest", day)
    assert (ended.code, ended.errors) == (1, ["runs/x: No space left on device"])


def test_ctrl_c_is_130(run: Run, day: Path, broken: Callable[[BaseException], None]) -> None:
    broken(KeyboardInterrupt())
    ended = run("backtest", day)
    assert (ended.code, ended.errors) == (130, ["interrupted"])
    assert list(Path("runs").iterdir()) == []
