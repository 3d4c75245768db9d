"""The pages hold what they say: commands parse, shown output is current, links lead somewhere, names and codes exist."""

import os
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from myquant.cli import failures, main, monitor
from myquant.cli.app import app
from myquant.config.loading import load_config
from myquant.config.schema import SECTIONS
from myquant.core import codes, orders
from myquant.errors import BrokerError, ConfigError, DataError, JournalError
from myquant.market import contracts
from myquant.market.calendar import Calendar
from myquant.market.charges import brokerages, exchange_charges
from myquant.strategies.loading import LoadedStrategy, load_strategy

ROOT = Path(__file__).resolve().parents[1]
PATHS = sorted(
    path for folder in (".", "docs", "docs/decisions", "examples", "bench") for path in ROOT.glob(f"{folder}/*.md")
)
PAGES = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in PATHS}
KEYS = load_config().values

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
SPAN = re.compile(r"`([^`\n]+)`")
KEY = re.compile(rf"(?<![\w./<>-])(?:{'|'.join(SECTIONS)})\.[a-z]\w*(?![\w.(/])")
FILE_SUFFIXES = ("toml", "py", "md", "csv", "json", "html", "sqlite")


def blocks(text: str, *languages: str) -> list[str]:
    return [body for language, body in BLOCK.findall(text) if language in languages]


def commands(page: str) -> list[str]:
    """Return the command lines of a page's blocks that call myquant, without prompt and folder."""
    lines = (line for _, body in BLOCK.findall(PAGES[page]) for line in body.replace("\\\n", " ").splitlines())
    bare = (re.sub(r"^\s*(\$ )?(\.venv[/\\](bin|Scripts)[/\\])?", "", line) for line in lines)
    return [line for line in bare if re.match(r"myquant\b", line)]


def words_of(line: str) -> list[str]:
    """Return the words of a command line after `myquant`, up to a comment, a pipe or a redirection."""
    words = shlex.split(line, comments=True)[1:]
    return words[: next((place for place, word in enumerate(words) if word in {"|", ">", "<", "&&"}), len(words))]


def values_of(words: list[str], *options: str) -> list[str]:
    return [value for option, value in pairwise(words) if option in options]


def options_of(command: Any, name: str = "myquant") -> Iterator[tuple[str, list[str]]]:
    """Return every command that can be run, with its options, those of help aside."""
    inner: dict[str, Any] = getattr(command, "commands", {})
    for word, each in inner.items():
        yield from options_of(each, f"{name} {word}")
    if not inner:
        longs = [max(each.opts, key=len) for each in command.params if each.param_type_name == "option"]
        yield name, [each for each in longs if each != "--help"]


@pytest.mark.parametrize(("name", "options"), list(options_of(get_command(app))))
def test_the_page_has_every_command_and_option(name: str, options: list[str]) -> None:
    """A command has a heading, or a line in that of its group, and its options stand below it or hold for many."""
    sections = re.split(r"^## ", PAGES["docs/cli.md"].split("# From Python")[0], flags=re.MULTILINE)
    _, first, *more = name.split()
    own = [
        section
        for section in sections
        if re.match(r"`myquant\b", section) and re.search(rf"`(myquant )?{first}(?![\w-])", section.splitlines()[0])
    ]
    assert len(own) == 1
    if more:
        assert f"- `{' '.join([first, *more])} " in own[0]
    assert [each for each in options if not re.search(rf"`[^`]*{each}\b", own[0] + sections[1])] == []


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_every_command_is_understood(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    for line in commands(page):
        words = words_of(line)
        code = main([*words, "--help"])  # help comes after the options were understood
        assert code == failures.DONE, f"{line}: {capsys.readouterr().err}"
        assert "Usage: myquant" in capsys.readouterr().out or "--version" in words


def strategy_of(page: str, words: list[str], folder: Path) -> LoadedStrategy | None:
    """Return the strategy that a command names: an example, or the one that the page shows."""
    for name in values_of(words, "--strategy"):
        if name.startswith("examples/"):
            return load_strategy(ROOT / name)
        shown = [body for body in blocks(PAGES[page], "python") if "def update" in body and "class State" in body]
        (folder / name).write_text(shown[0], encoding="utf-8")
        return load_strategy(folder / name)
    return None


@pytest.mark.parametrize("page", [page for page in PAGES if any("--set" in line for line in commands(page))])
def test_every_setting_of_a_command_is_allowed(page: str, tmp_path: Path) -> None:
    for line in commands(page):
        if f"{line}\nerror: " in PAGES[page]:
            continue  # shown for its error, which is tested below
        words = words_of(line)
        strategy = strategy_of(page, words, tmp_path)
        sections = {} if strategy is None or strategy.model is None else {strategy.section: strategy.model}
        load_config(assignments=values_of(words, "--set", "-s"), sections=sections)


def test_the_readme_shows_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("MYQUANT_") and "__" in name]:
        monkeypatch.delenv(name)  # a setting of the developer's
    shown = "".join(blocks(PAGES["README.md"], "console"))
    sessions = re.split(r"^\$ ", shown, flags=re.MULTILINE)[1:]
    assert len(sessions) >= 6
    for session in sessions:
        line, *expected = session.splitlines()
        main(words_of(line))
        printed = [each.rstrip() for each in "".join(capsys.readouterr()).splitlines()]
        places = [printed.index(text.rstrip()) for text in expected if text not in {"...", ""}]
        assert places == sorted(places), line
        if "..." not in expected:
            assert [text.rstrip() for text in expected if text] == [text for text in printed if text], line


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    targets = [target for target in LINK.findall(PAGES[page]) if not re.match(r"[a-z]+:", target)]
    assert [target for target in targets if not (ROOT / page).parent.joinpath(target).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_key_exists(page: str) -> None:
    named = {key for span in SPAN.findall(BLOCK.sub("", PAGES[page])) for key in KEY.findall(span)}
    assert {key for key in named if key not in KEYS and key.split(".")[1] not in FILE_SUFFIXES} == set()


def test_the_pages_name_keys() -> None:
    assert len({key for text in PAGES.values() for key in KEY.findall(text) if key in KEYS}) > 25


@pytest.mark.parametrize("page", ["README.md", "RUNBOOK.md", "docs/cli.md"])
def test_every_exit_code_is_explained(page: str) -> None:
    errors = {kind.exit_code for kind in (ConfigError, DataError, JournalError, BrokerError)}
    health = {monitor.DEGRADED_CODE, monitor.FAILED_CODE}
    known = {failures.DONE, failures.FAILED, failures.INTERRUPTED, *errors, *health}
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", PAGES[page], re.MULTILINE)} == known


@pytest.mark.parametrize(
    "names",
    [
        codes.REJECTION_NAMES,
        codes.GATE_NAMES,
        codes.DENIAL_NAMES,
        codes.EXIT_NAMES,
        codes.HALT_NAMES,
        codes.EVENT_NAMES,
        codes.COMMAND_NAMES,
        orders.STATE_NAMES,
    ],
    ids=lambda names: str(next(iter(names.values()))),
)
def test_the_glossary_has_every_code(names: dict[int, str]) -> None:
    explained = set(SPAN.findall(PAGES["GLOSSARY.md"]))
    tiers = {f"take_profit_{tier}" for tier in range(2, codes.MAX_TIERS)}  # stand between the first and the last
    assert set(names.values()) - tiers <= explained


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("Reasons of rejection", list(codes.REJECTION_NAMES.values())),
        ("Gates, in their order", list(codes.GATE_NAMES.values())),
        ("Reasons of denial, in their order", list(codes.DENIAL_NAMES.values())),
        ("Halts stop entries", list(codes.HALT_NAMES.values())),
    ],
)
def test_the_glossary_has_no_other_code(heading: str, names: list[str]) -> None:
    table = PAGES["GLOSSARY.md"].split(heading, 1)[1].split("\n\n")[1]
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(names)


@pytest.mark.parametrize("reason", codes.HALT_NAMES.values())
def test_the_runbook_says_what_every_halt_means_and_what_to_do(reason: str) -> None:
    rows = re.findall(rf"^\| `{reason}` \|(.*)\|$", PAGES["RUNBOOK.md"].partition("### Halts")[2], re.MULTILINE)
    assert len(rows) == 1
    means, do, lifted = (cell.strip() for cell in rows[0].split(" | "))
    assert min(len(means), len(do), len(lifted)) > 3


def test_the_glossary_has_a_word_once() -> None:
    words = re.findall(r"^\| ([a-zA-Z][^|`]*) \|", PAGES["GLOSSARY.md"], re.MULTILINE)
    words = [word.lower() for word in words if word not in {"word", "name"}]
    assert len(words) > 60
    assert sorted(set(words)) == sorted(words)


def test_the_assumptions_tell_what_the_tables_cover() -> None:
    text = PAGES["ASSUMPTIONS.md"]
    spans = Calendar.load().coverage
    assert f"| {min(span.valid_from for span in spans)} | {max(span.valid_to for span in spans)} |" in text
    charges = (exchange_charges(), brokerages())
    first = max(min(row.valid_from for row in rows) for rows in charges)
    assert f"| {first} | {min(max(row.valid_to for row in rows) for rows in charges)} |" in text
    for name in contracts.underlyings():
        lots = min(row.valid_from for row in contracts.lots() if row.underlying == name)
        freeze = min(
            (str(row.valid_from) for row in contracts.freezes() if row.underlying == name), default="none known"
        )
        assert f"| `{name}` | {lots} | {freeze} |" in text


def test_a_first_compilation_takes_as_long_everywhere() -> None:
    other = re.compile(r"\b10(-| to |\N{EN DASH})30 ?s")
    sources = {str(path): path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py")}
    assert [place for place, text in (PAGES | sources).items() if other.search(text)] == []


def test_decision_records_are_numbered() -> None:
    names = [Path(page).name for page in PAGES if page.startswith("docs/decisions/")]
    numbers = [int(name[:4]) for name in names if re.fullmatch(r"\d{4}(-[a-z0-9]+)+\.md", name)]
    assert len(numbers) == len(names)
    assert sorted(numbers) == list(range(1, len(names) + 1))


def test_every_section_of_the_benchmarks_is_listed() -> None:
    """Read from the file: what the sections import is not installed everywhere."""
    text = (ROOT / "bench" / "run.py").read_text(encoding="utf-8")
    sections = re.findall(r'^    "([a-z-]+)": "bench\.\w+",$', text, re.MULTILINE)
    listed = re.findall(r"^\| ([a-z-]+) \| ", PAGES["docs/benchmarks.md"].partition("## Figures")[0], re.MULTILINE)
    assert len(sections) > 15
    assert sorted(sections) == sorted(set(listed) - {"section"})
