"""`myquant alerts test`: a message through each channel, now."""

import re
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from myquant.cli.options import Assignments, ConfigFiles, Strategy, examples
from myquant.errors import ConfigError, MyquantError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from myquant.config.watching import AlertSettings

EXAMPLES: Final = examples(
    "myquant alerts test",
    "myquant alerts test mail phone --severity critical",
    "myquant alerts test mail --config mine.toml",
)
NAME: Final = r"[a-z][a-z0-9_]{0,31}"
EXIT_CODES: Final = """\b
Exit codes: 0 every channel took the message; 1 one did not; 2 bad usage or configuration"""


def send_test(
    channels: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CHANNEL]...", show_default=False, help="Their names; else all of the settings."),
    ] = None,
    *,
    severity: Annotated[
        Literal["info", "warning", "critical"] | None,
        typer.Option(
            "--severity", show_default=False, help="Of the message; else info. Without names: its channels only."
        ),
    ] = None,
    config: ConfigFiles = None,
    assignments: Assignments = None,
    strategy: Strategy = None,
) -> None:
    """Send a test message through each channel and say what became of it. No monitor need run.

    The channels are those of alerts.info, alerts.warning and alerts.critical; the address of channel mail is the secret
    MYQUANT_ALERT_MAIL.
    """
    import asyncio
    import os

    from myquant.cli.settings import load_settings
    from myquant.monitor.channels import read_channels
    from myquant.monitor.trial import trial_text, try_channels

    settings = load_settings(strategy, config=config, assignments=assignments).config
    chosen = _chosen(settings.alerts, channels or [], severity)
    found = read_channels(chosen, os.environ)
    now = _now(settings.session.timezone)
    trials = asyncio.run(try_channels(found, settings.alerts, severity or "info", os.environ, now))
    for trial in trials:
        print(trial_text(trial))
    if failed := [trial.channel for trial in trials if not trial.answer.delivered]:
        raise MyquantError(f"not delivered: {', '.join(failed)}")


def _chosen(settings: "AlertSettings", given: "Sequence[str]", severity: str | None) -> tuple[str, ...]:
    """Return the names of the channels to try. Raises ConfigError where there is none, or one is no name."""
    from myquant.monitor.channels import channel_names

    if bad := [name for name in given if not re.fullmatch(NAME, name)]:
        raise ConfigError(f"{bad[0]!r}: no name of a channel: small letters, digits and _, 32 at most")
    by_severity = {"info": settings.info, "warning": settings.warning, "critical": settings.critical}
    configured = channel_names(settings) if severity is None else by_severity[severity]
    if chosen := tuple(dict.fromkeys(given or configured)):
        return chosen
    of_what = "alerts.info, alerts.warning and alerts.critical are" if severity is None else f"alerts.{severity} is"
    raise ConfigError(
        f'no channel to test: {of_what} empty: name one there, such as alerts.critical = ["mail"], and keep its address in '
        'the environment (MYQUANT_ALERT_MAIL) or the keyring (keyring set myquant-alert mail); docs/monitoring.md, "Channels"'
    )


def _now(timezone: str) -> str:
    import time
    from zoneinfo import ZoneInfo

    from myquant.results.text import date_time

    return date_time(time.time_ns(), ZoneInfo(timezone))
