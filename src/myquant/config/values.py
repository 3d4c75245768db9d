"""What settings are made of: numbers with bounds, texts of a kind, and the section that holds them."""

from decimal import Decimal
from typing import Annotated, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from myquant.config.kinds import Allowed

RUPEES_MAX = 10**10
POINTS_MAX = 10**6
PAISE_DECIMALS = 2
PERCENT_DECIMALS = 6
ZONE = "an IANA time zone such as Asia/Kolkata"

Period = Annotated[int, Field(ge=1, le=5000)]
GreenTicks = Annotated[int, Field(ge=0, le=1000)]
Minutes = Annotated[int, Field(ge=0, le=1439)]
Hour = Annotated[int, Field(ge=0, le=23)]
Minute = Annotated[int, Field(ge=0, le=59)]
Rupees = Annotated[Decimal, Field(ge=0, le=RUPEES_MAX, decimal_places=PAISE_DECIMALS)]
Points = Annotated[Decimal, Field(ge=0, le=POINTS_MAX, decimal_places=PAISE_DECIMALS)]
PositivePoints = Annotated[Decimal, Field(gt=0, le=POINTS_MAX, decimal_places=PAISE_DECIMALS)]
Percent = Annotated[Decimal, Field(ge=0, le=100, decimal_places=PERCENT_DECIMALS)]
PositivePercent = Annotated[Decimal, Field(gt=0, le=100, decimal_places=PERCENT_DECIMALS)]
Fraction = Annotated[Decimal, Field(ge=0, le=1, decimal_places=PERCENT_DECIMALS)]
PositiveFraction = Annotated[Decimal, Field(gt=0, le=1, decimal_places=PERCENT_DECIMALS)]
Seconds = Annotated[Decimal, Field(gt=0, le=3600, decimal_places=PERCENT_DECIMALS)]
Milliseconds = Annotated[int, Field(ge=0, le=60_000)]
Tiers = Field(min_length=1, max_length=8)


def _zone(key: str) -> str:
    """Accept the name of an IANA zone; the machine's own zone and the leap-second copies beside them are none."""
    try:
        known = bool(ZoneInfo(key)) and not key.startswith(("posix", "right/", "localtime", "Factory"))
    except (ZoneInfoNotFoundError, ValueError, OSError):  # ValueError: no relative path; OSError: a folder of zones
        known = False
    if not known:
        raise PydanticCustomError("zone", f"must be {ZONE}")
    return key


Zone = Annotated[str, AfterValidator(_zone), Allowed(ZONE)]
Symbol = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9 &._-]{0,62}[A-Za-z0-9])?$"),
    Allowed("a symbol: 1 to 64 letters, digits, spaces or & . _ -, beginning and ending with a letter or digit"),
]
Exchange = Annotated[
    str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,15}$"), Allowed("an exchange segment in capitals, such as NFO or BFO")
]
Url = Annotated[
    str,
    Field(pattern=r"^(https?|wss?)://[A-Za-z0-9.:\[\]_-]+(/[!-~]*)?$", max_length=300),
    Allowed("an address: https://..., wss://..., or http://... and ws://... of this machine"),
]
Address = Annotated[str, Field(pattern=r"^[0-9A-Fa-f.:]{2,45}$"), Allowed("an IP address, such as 203.0.113.7")]
Mac = Annotated[
    str,
    Field(pattern=r"^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$"),
    Allowed("a network interface's address, such as 02:00:5e:10:00:01"),
]
Folder = Annotated[str, Field(min_length=1, max_length=1000), Allowed("a folder: text of 1 to 1000 characters")]


def contradict(text: str, *keys: str) -> NoReturn:
    """Refuse values that are fine alone and wrong together; `keys` of the section are named with their values."""
    raise PydanticCustomError("contradiction", "{text}", {"text": text, "keys": keys})


class Section(BaseModel):
    """A section: no key more, no key less, no type but its own, and no change after loading."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")
