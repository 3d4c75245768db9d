"""The errors a user can meet. Each carries the exit code of the command line and one line that names what, where and the remedy."""


class MyquantError(Exception):
    """Anything that stops a command for a reason we can name."""

    exit_code = 1


class ConfigError(MyquantError):
    """Bad usage or configuration: names the key, its value and what is allowed."""

    exit_code = 2


class DataError(MyquantError):
    """Bad data: names the file, the line where there is one, and the remedy."""

    exit_code = 3
