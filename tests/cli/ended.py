"""What the tests know of a command that has ended."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias


class Ended(NamedTuple):
    """What a command left: its exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The lines of stderr without their mark; every line of it must be an error."""
        lines = self.err.splitlines()
        assert all(line.startswith("error: ") for line in lines), self.err
        return [line.removeprefix("error: ") for line in lines]


Run: TypeAlias = Callable[..., Ended]
