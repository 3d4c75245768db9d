"""The files for those beside the monitor: Prometheus, Grafana, systemd. They are kept in `files` and filled in when written.

`@name@` stands for what is filled in; everything else is theirs, and checked by their own tools in the tests.
"""

import os
import re
import secrets
from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import ceil
from pathlib import Path
from typing import Final, NamedTuple

from myquant.config.kinds import write as write_value
from myquant.config.layers import VARIABLE_PREFIX
from myquant.config.loading import LoadedConfig
from myquant.config.watching import HIDDEN, WATCHING, MonitorSettings
from myquant.errors import ConfigError, cannot_write

FOLDER: Final = Path(__file__).with_name("files")
FILES: Final = (
    "prometheus.yml",
    "myquant_rules.yml",
    "myquant_rules_test.yml",
    "grafana_dashboard.json",
    "myquant-monitor.service",
    "myquant-health.service",
    "myquant-health.timer",
    "myquant-session@.service",
)
SECRET_FILES: Final = ("myquant_token", "monitor-secrets.env", "broker-secrets.env")  # of mode 0600
COMMON: Final = "common.unit"  # what all units have
TOKEN_BYTES: Final = 32
SECRET_MODE: Final = 0o600
FILE_MODE: Final = 0o644
UNFIT: Final = re.compile(r"[\"'\\$\n\r]")  # what a path in a unit can't have
_PLACE: Final = re.compile(r"@(\w+)@")


class Installation(NamedTuple):
    """Where myquant is on this machine, and who runs it; every path is absolute."""

    python: Path
    user: str
    working: Path  # where sessions are begun
    runs: Path
    state: Path
    cache: Path
    config_files: tuple[Path, ...] = ()
    assignments: tuple[str, ...] = ()  # of settings, as given on a command line
    hidden: tuple[str, ...] = ()  # lines of variables, which only a secret file may have


def monitor_options(loaded: LoadedConfig, files: Sequence[Path], assignments: Sequence[str]) -> tuple[str, ...]:
    """Return the assignments that a monitor started elsewhere needs to have the same settings.

    Those that were given, after those of the environment that are about watching; what `files` say it reads itself, and what
    is hidden is in `hidden_variables`.
    """
    read = {"default", "--set", *map(str, files)}
    of_environment = [
        name
        for name, origin in loaded.origins.items()
        if name.split(".")[0] in WATCHING and name not in HIDDEN and origin not in read
    ]
    given = [each for each in assignments if each.partition("=")[0].strip() not in HIDDEN]
    return (*(f"{name}={write_value(loaded.values[name])}" for name in of_environment), *given)


def hidden_variables(loaded: LoadedConfig, files: Sequence[Path]) -> tuple[str, ...]:
    """Return the lines of the environment that hidden settings come by which no file of `files` has."""
    read = {"default", *map(str, files)}
    return tuple(
        f"{VARIABLE_PREFIX}{name.replace('.', '__').upper()}='{loaded.values[name]}'"  # quoted: a shell reads it, too
        for name in HIDDEN
        if loaded.origins[name] not in read
    )


def render(monitor: MonitorSettings, installation: Installation, token: str) -> dict[str, str]:
    """Return every file's text by its name, filled in. Raises ConfigError for a path that a unit can't name."""
    values = {**_of_settings(monitor), "token": token, "hidden": "".join(f"\n{line}" for line in installation.hidden)}
    in_units = {**values, **_of_installation(installation)}
    in_units["common"] = _fill(_read(COMMON), in_units)
    return {
        name: _fill(_read(name), in_units if name.endswith((".service", ".timer")) else values)
        for name in (*FILES, *SECRET_FILES)
    }


def write(texts: Mapping[str, str], folder: Path, *, force: bool) -> list[Path]:
    """Write files into a folder, secrets with mode 0600; return their paths.

    Raises ConfigError where one is there already and `force` is false (then nothing is written), or none can be written.
    """
    there = [name for name in texts if (folder / name).exists()]
    if there and not force:
        raise ConfigError(f"{folder}: has {', '.join(there)} already: give --force to replace them, or another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            _write_one(folder / name, text, SECRET_MODE if name in SECRET_FILES else FILE_MODE)
    except OSError as error:
        raise cannot_write(folder, error, "choose another folder") from error
    return [folder / name for name in texts]


def token_of(folder: Path) -> str:
    """Return the token that a folder holds from before, else a new one."""
    try:
        kept = (folder / "myquant_token").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        kept = ""
    return kept if re.fullmatch(r"[\w-]{20,}", kept) else secrets.token_urlsafe(TOKEN_BYTES)


def _write_one(path: Path, text: str, mode: int) -> None:
    """Replace a file by a new one, so that nobody who had it open, or could read it, sees the new text."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "w") as file:
        file.write(text)


def _of_settings(monitor: MonitorSettings) -> dict[str, str]:
    host = f"[{monitor.host}]" if ":" in monitor.host else monitor.host
    thresholds = ("silence_s", "feed_age_s", "bare_s", "rejects", "queue_percent")
    more = ("clock_offset_s", "journal_lag_s", "disk_free_mib")
    numbers = {name: format(Decimal(getattr(monitor, name)).normalize(), "f") for name in (*thresholds, *more)}
    numbers["disk_free_bytes"] = str(monitor.disk_free_mib * 2**20)
    unknown_s = round(monitor.unknown_s)  # Prometheus wants whole numbers there
    lasts: dict[str, str] = {}
    for name, begins_s in (("feed_stale_s", 25), ("order_channel_s", 30)):  # in the tests, so far into a series
        least_s = ceil(getattr(monitor, name))
        lasts |= {name: f"{least_s}s", f"{name}_at": f"{begins_s + least_s + 10}s"}
    more_of_rules = {**lasts, "unknown_s": str(unknown_s), "unknown_after_s": str(unknown_s + 10)}
    return {"address": f"{host}:{monitor.port}", **more_of_rules, **numbers}


def _of_installation(installation: Installation) -> dict[str, str]:
    paths = {name: str(getattr(installation, name)) for name in ("python", "working", "runs", "state", "cache")}
    options = [f"--config {_quoted(path)}" for path in installation.config_files]
    options += [f"--set {_quoted(assignment)}" for assignment in installation.assignments]
    for name, text in {**paths, "user": installation.user}.items():
        if UNFIT.search(text):
            raise ConfigError(
                f"{name} {text!r}: a systemd unit can't name it: quotes, \\, $ and line ends are not allowed"
            )
    found = {name: text.replace("%", "%%") for name, text in paths.items()}
    return {**found, "user": installation.user, "options": "".join(f" {option}" for option in options)}


def _quoted(text: object) -> str:
    """Return a word of a unit's command line."""
    escaped = str(text).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda found: values[found[1]], text)
