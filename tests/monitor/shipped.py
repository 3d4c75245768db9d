"""What the tests of the shipped files share: the files, filled in for a test, and what they name."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import yaml

from myquant.config.loading import load_config
from myquant.config.watching import MonitorSettings
from myquant.monitor.shipped import Installation, render, write

TOKEN: Final = "a-token-of-the-tests-0123456789"  # noqa: S105  (no secret)
SUFFIX: Final = re.compile(r"_(bucket|sum|count)$")
METRIC: Final = re.compile(r"(?<![\w:])myquant_\w+")
MATCHERS: Final = re.compile(r"\{[^}]*\}|\bby \([^)]*\)|\bon \([^)]*\)")


def settings(**changes: Decimal | str | int) -> MonitorSettings:
    """Return the defaults of [monitor] with some changed."""
    return load_config(assignments=[f"monitor.{name}={value}" for name, value in changes.items()]).config.monitor


def installation(folder: Path) -> Installation:
    """Return an installation below a folder."""
    return Installation(
        python=folder / "venv" / "bin" / "python",
        user="trader",
        working=folder,
        runs=folder / "runs",
        state=folder / "state",
        cache=folder / "cache",
    )


def texts(folder: Path, **changes: Decimal | str | int) -> dict[str, str]:
    """Return every file, filled in."""
    return render(settings(**changes), installation(folder), TOKEN)


def written(folder: Path, **changes: Decimal | str | int) -> Path:
    """Write every file into a folder and return it."""
    write(texts(folder, **changes), folder, force=False)
    return folder


def alert_rules(text: str) -> Iterator[dict[str, Any]]:
    """Return the rules of a rules' file that raise alerts."""
    return (rule for rule in rules(text) if "alert" in rule)


def rules(text: str) -> Iterator[dict[str, Any]]:
    """Return all rules of a rules' file."""
    return (rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"])


def panels(text: str) -> list[dict[str, Any]]:
    """Return all panels of a dashboard, those of rows included."""
    found = json.loads(text)["panels"]
    return [each for panel in found for each in (panel, *panel.get("panels", ()))]


def expressions(text: str) -> list[str]:
    """Return the queries of a dashboard's panels and annotations."""
    of_panels = [target["expr"] for panel in panels(text) for target in panel.get("targets", ())]
    return of_panels + [each["expr"] for each in json.loads(text)["annotations"]["list"]]


def metrics_of(expression: str) -> set[str]:
    """Return the metrics that an expression names, a histogram's without a suffix; recorded ones are none."""
    return {SUFFIX.sub("", name) for name in METRIC.findall(MATCHERS.sub("", expression))}
