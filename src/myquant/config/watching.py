"""The settings of those that watch sessions, and of what sessions log: none of them decides anything in a session.

So they are no part of a configuration's hash: a session goes on, and evidence holds, after an alarm got another threshold.
"""

from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import Field

from myquant.config.kinds import Allowed
from myquant.config.values import PERCENT_DECIMALS, Address, PositivePercent, Seconds, Section

WATCHING: Final = ("logs", "monitor", "alerts", "dashboard")  # sections
# Settings that nobody is shown and that stand in no file but the one they were given in: a hash can be tried against.
HIDDEN: Final = ("dashboard.password_hash", "dashboard.viewer_password_hash")

Clock = Annotated[
    str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9])?$"), Allowed('a time such as 09:10, or "" for none')
]
Name = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$"), Allowed("a name: small letters, digits and _, 32 at most")
]
Names = Annotated[tuple[Name, ...], Field(max_length=32)]
Pattern = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9._*?-]{1,100}$"), Allowed("a session's name; * and ? stand for what varies")
]
WebAddress = Annotated[
    str,
    Field(pattern=r"^(https?://[A-Za-z0-9.:\[\]_-]+(/[!-~]*)?)?$", max_length=300),
    Allowed('an address: http://... or https://..., or "" for none'),
]
HostName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$"), Allowed("a host's name, without a port")
]
PasswordHash = Annotated[
    str,
    Field(pattern=r"^(\$argon2id\$v=\d+\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+)?$", max_length=300),
    Allowed('a hash as `myquant dashboard password` prints it, or "" for none'),
]
FilePath = Annotated[
    str, Field(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=4096), Allowed('a file on one line, or "" for none')
]
LongSeconds = Annotated[Decimal, Field(gt=0, le=604_800, decimal_places=PERCENT_DECIMALS)]
Severity = Literal["info", "warning", "critical"]


class LogSettings(Section):
    """What is logged, how long it is kept, and where it goes besides."""

    file_mib: Annotated[int, Field(ge=1, le=1024)]
    total_mib: Annotated[int, Field(ge=2, le=1_000_000)]
    daily: bool
    adaptive: bool
    raise_s: Seconds
    errors_per_minute: Annotated[int, Field(ge=1, le=10_000)]
    volatility_percent: PositivePercent
    queue_percent: PositivePercent
    tick_line_every: Annotated[int, Field(ge=0, le=1_000_000)]
    export_url: WebAddress


class MonitorSettings(Section):
    """Where the monitor listens, and what it takes for a fault."""

    host: Address
    port: Annotated[int, Field(ge=0, le=65_535)]
    open_probes: bool
    look_s: Annotated[Decimal, Field(ge=Decimal("0.05"), le=10, decimal_places=PERCENT_DECIMALS)]
    silence_s: Annotated[Decimal, Field(ge=Decimal("1.5"), le=3600, decimal_places=PERCENT_DECIMALS)]
    feed_age_s: Seconds
    feed_stale_s: Seconds
    order_channel_s: Seconds
    bare_s: Seconds
    unknown_s: Seconds
    rejects: Annotated[int, Field(ge=1, le=1000)]
    day_loss_percents: Annotated[tuple[PositivePercent, ...], Field(max_length=8)]
    queue_percent: PositivePercent
    clock_offset_s: Seconds
    journal_lag_s: Seconds
    disk_free_mib: Annotated[int, Field(ge=0, le=10**9)]
    drift: bool
    replay: bool
    expect: Annotated[tuple[Pattern, ...], Field(max_length=32)]
    expect_by: Clock
    heartbeat_s: Seconds


class AlertSettings(Section):
    """Whom to tell of what, and how often."""

    info: Names
    warning: Names
    critical: Names
    off: Names
    entries: bool
    exits: bool
    days: bool
    group_s: Annotated[Decimal, Field(ge=0, le=3600, decimal_places=PERCENT_DECIMALS)]
    repeat_s: Annotated[Decimal, Field(ge=0, le=604_800, decimal_places=PERCENT_DECIMALS)]
    per_hour: Annotated[int, Field(ge=1, le=100_000)]
    quiet_from: Clock
    quiet_to: Clock
    quiet_below: Severity
    attempt_s: Seconds
    retry_s: Seconds
    retry_max_s: Seconds
    give_up_s: LongSeconds
    down_after: Annotated[int, Field(ge=1, le=100)]


class DashboardSettings(Section):
    """Where the pages are served, and who may do what there."""

    enabled: bool
    host: Address
    port: Annotated[int, Field(ge=0, le=65_535)]
    names: Annotated[tuple[HostName, ...], Field(max_length=32)]
    password_hash: PasswordHash
    viewer_password_hash: PasswordHash
    controls: bool
    login_hours: Annotated[Decimal, Field(gt=0, le=720, decimal_places=PERCENT_DECIMALS)]
    tls_certificate: FilePath
    tls_key: FilePath
    update_s: Annotated[Decimal, Field(ge=Decimal("0.2"), le=10, decimal_places=PERCENT_DECIMALS)]
    verdicts: bool
