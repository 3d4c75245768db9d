"""The errors a user can meet. Each carries the exit code of the command line and one line that names what, where and the remedy."""

import errno
from pathlib import Path


class MyquantError(Exception):
    """Anything that stops a command for a reason we can name."""

    exit_code = 1


class ConfigError(MyquantError):
    """Bad usage or configuration: names the key, its value and what is allowed."""

    exit_code = 2


class DataError(MyquantError):
    """Bad data: names the file, the line where there is one, and the remedy."""

    exit_code = 3


class JournalError(MyquantError):
    """The journal can't be written or read: names the folder, the record where there is one, and the remedy."""

    exit_code = 4


class BrokerError(MyquantError):
    """A broker refused or could not be reached: names the broker, what was asked, its answer, and the remedy."""

    exit_code = 5


def cannot_write(path: Path, error: OSError, remedy: str) -> MyquantError:
    """Return the error for a file that can't be written: the disk's fault (full, broken), or that of the path chosen."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}:
        return MyquantError(f"{path}: can't be written ({error.strerror}): free the disk and run again")
    return ConfigError(f"{path}: can't be written ({error.strerror or error}): {remedy}")
