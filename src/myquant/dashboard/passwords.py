"""Passwords: kept as argon2id hashes in the configuration, and checked in the same time whether or not there is one."""

import unicodedata
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from myquant.config.watching import DashboardSettings
from myquant.dashboard.access import Role
from myquant.errors import ConfigError

PASSWORD_MIN: Final = 12  # characters
PASSWORD_MAX: Final = 1024
REMEDY: Final = "make it anew: myquant dashboard password"
_HASHER: Final = PasswordHasher(time_cost=3, memory_cost=2**16, parallelism=1)  # 64 MiB, about a tenth of a second


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password, for `dashboard.password_hash`. Raises ConfigError for one that is no good."""
    plain = _plain(password)
    if not PASSWORD_MIN <= len(plain) <= PASSWORD_MAX:
        raise ConfigError(f"password: has {len(plain):,} characters: take {PASSWORD_MIN} to {PASSWORD_MAX:,}")
    if not plain.isprintable() or len(set(plain)) < PASSWORD_MIN // 3:
        raise ConfigError("password: must be printable, and more than a few characters again and again")
    return _HASHER.hash(plain)


class Passwords:
    """The passwords of both roles.

    Raises ConfigError for a hash that can't be checked.
    """

    def __init__(self, settings: DashboardSettings) -> None:
        self.is_set = bool(settings.password_hash or settings.viewer_password_hash)
        nobodys = _HASHER.hash("nobody has this one, which is checked where none is set")
        keys = {Role.OPERATOR: "password_hash", Role.VIEWER: "viewer_password_hash"}
        self._hashes: list[tuple[Role | None, str]] = []
        for role, key in keys.items():
            found = str(getattr(settings, key))
            self._hashes.append((role, found) if found else (None, nobodys))
            if found:
                _check(f"dashboard.{key}", found)

    def role_of(self, password: str) -> Role | None:
        """Return whose password it is; None: nobody's. Takes about 0.2 s of a core, so it belongs into a thread."""
        plain = _plain(password[:PASSWORD_MAX])
        fitting = [role for role, hashed in self._hashes if _fits(hashed, plain) and role is not None]
        return fitting[0] if fitting else None


def _plain(password: str) -> str:
    """Return a password as one that is typed on another keyboard: letters and their accents in one."""
    return unicodedata.normalize("NFC", password)


def _fits(hashed: str, plain: str) -> bool:
    try:
        return _HASHER.verify(hashed, plain.encode(errors="surrogatepass"))
    except VerifyMismatchError:
        return False


def _check(key: str, hashed: str) -> None:
    try:
        _fits(hashed, "")
    except (VerificationError, InvalidHashError, MemoryError) as error:
        raise ConfigError(f"{key}: is no hash that can be checked ({error}): {REMEDY}") from None
