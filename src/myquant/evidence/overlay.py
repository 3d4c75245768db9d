"""The overlay: a file of settings that the gate switched on, for `--config`, to be read and reverted by a person."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from myquant.errors import ConfigError
from myquant.evidence.files import put_text, read_text

MARK: Final = "# Written by `myquant gate`; sha256 of what follows: "
REMEDY: Final = "name another file with --overlay"


@dataclass(frozen=True)
class Switched:
    """A setting of the overlay, `pipeline.logging`, with the lines that say why. `is_on` False: reverted, a remark only."""

    key: str
    before: str
    after: str
    reasons: tuple[str, ...]
    is_on: bool = True


def overlay_text(report: str, report_sha256: str, switched: Sequence[Switched]) -> str:
    """Return the text of an overlay; the same decision gives the same text."""
    lines = [
        "#",
        f"# Report: {report}",
        f"# sha256: {report_sha256}",
        "# Use: --config with this file, on any command that runs a session. Revert: delete the file, or a setting in it.",
    ]
    on = [each for each in switched if each.is_on]
    for each in switched:
        if not each.is_on:
            lines += ["", *(f"# {line}" for line in each.reasons)]
    lines += ["", "[pipeline]"] if on else ["", "# Nothing is switched on."]
    for each in on:
        lines += [*(f"# {line}" for line in each.reasons)]
        was = f'was "{each.before}"' if each.before else "as it was in the report's pipeline"
        lines += [f'{each.key.partition(".")[2]} = "{each.after}"  # {was}']
    body = "\n".join(lines) + "\n"
    return f"{MARK}{hashlib.sha256(body.encode()).hexdigest()}\n{body}"


def write_overlay(path: Path, text: str) -> bool:
    """Write an overlay and return whether anything changed. Raises ConfigError over a file that is not the gate's own.

    One that a person has changed since is his.
    """
    if path.exists():
        refuse_foreign(path)
        if read_text(path, REMEDY) == text:
            return False
    put_text(path, text)
    return True


def refuse_foreign(path: Path) -> None:
    """Raise ConfigError for a file that `write_overlay` would not write over."""
    if not path.exists():
        return
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder: {REMEDY}")
    head, _, body = read_text(path, REMEDY).partition("\n")
    if not head.startswith(MARK):
        raise ConfigError(f"{path}: was not written by `myquant gate`, and stays as it is: {REMEDY}")
    if head.removeprefix(MARK) != hashlib.sha256(body.encode()).hexdigest():
        raise ConfigError(f"{path}: was changed by hand since the gate wrote it, and stays as it is: {REMEDY}")
