"""Configurations and their differences as lines, a value each."""

from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Final

from myquant.cli.settings import own_sections
from myquant.config.chain import Read
from myquant.config.loading import DEFAULT, SET, LoadedConfig, diff, load_config, shown
from myquant.results.text import SECOND_NS, date_time

DEFAULTS: Final = "defaults"  # the word that stands for them where a file could be named
HASH_LETTERS: Final = 8
ALIGNED_MAX: Final = 24  # a longer value pushes no other line's comment to the right


def setting_lines(loaded: LoadedConfig, *, every_origin: bool) -> list[str]:
    """Return each value as TOML, its origin as a comment; that of a default only with `every_origin`.

    A line of a hidden value that is set is a comment altogether, so that all of it loads back.
    """
    texts = {name: loaded.text_of(name) for name in loaded.values}
    name_width = max(map(len, texts))
    text_width = max((len(text) for text in texts.values() if len(text) <= ALIGNED_MAX), default=0)
    lines = []
    for name, text in texts.items():
        origin = loaded.origins[name]
        is_told = every_origin or origin != DEFAULT
        line = (
            f"{name:<{name_width}} = {text:<{text_width}}  # {origin}" if is_told else f"{name:<{name_width}} = {text}"
        )
        lines.append(f"# {line}" if text == SET else line)
    return lines


def difference_lines(a: str, b: str, strategy: str | None) -> list[str]:
    """Return the values in which two configurations differ; each is a file over the defaults, or `defaults`."""
    sections = own_sections(strategy)
    left, right = (load_config(files=[] if name == DEFAULTS else [Path(name)], sections=sections) for name in (a, b))
    changes = diff(left, right)
    name_width = max((len(name) for name, _, _ in changes), default=0)
    return [f"{name:<{name_width}} = {_text(name, one)} -> {_text(name, other)}" for name, one, other in changes]


def audit_lines(path: Path, found: Read, zone: tzinfo) -> list[str]:
    """Return the lines of a trail of configurations: one a use, what changed and what was overridden below it.

    The trail's times are UTC; the lines have them in `zone`.
    """
    lines = []
    for entry in found.entries:
        known = {name: entry.get(name, "?") for name in ("number", "time", "who", "session", "command", "config_hash")}
        known["time"] = _in_zone(str(known["time"]), zone)
        head = "{number}  {time}  {who}  {session}  {command}".format_map(known)
        lines.append(f"{head}  config {str(known['config_hash'])[:HASH_LETTERS]}")
        lines += [f"     changed   {change}" for change in entry.get("changed", ())]
        lines += [f"     overrides {reason}" for reason in entry.get("overrides", ())]
    if found.cut:
        lines.append(f"{path}: its last line was cut while it was written; the next use removes it")
    if not found.problems:
        lines.append(f"{path}: {found.lines} uses, the chain is whole; its end {found.last[:16]}")
    return lines


def _in_zone(utc: str, zone: tzinfo) -> str:
    try:
        return date_time(int(datetime.fromisoformat(utc).timestamp()) * SECOND_NS, zone)
    except ValueError:  # of a line that somebody wrote
        return utc


def _text(name: str, value: Any) -> str:
    return "(not set)" if value is None else shown(name, value)
