"""`myquant dashboard`: serve the pages, hash a password for them, get a link that lets a browser in."""

from typing import Annotated, Final

import typer

from myquant.cli.monitor import Directories
from myquant.cli.options import Assignments, ConfigFiles, examples

EXAMPLES: Final = examples(
    "myquant dashboard",
    "myquant dashboard --directory runs --directory archive --port 9500",
    "myquant dashboard --set dashboard.controls=true",
    "myquant dashboard password",
    "myquant dashboard link",
)
PASSWORD_EXAMPLES: Final = examples("myquant dashboard password", "myquant dashboard password < password.txt")
LINK_EXAMPLES: Final = examples("myquant dashboard link", "myquant dashboard link --viewer")
LINE_MAX: Final = 4096

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True, epilog=EXAMPLES)
def serve(
    context: typer.Context,
    directories: Directories = None,
    host: Annotated[
        str | None,
        typer.Option("--host", metavar="ADDRESS", show_default=False, help="Listen there; else on dashboard.host."),
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, metavar="N", help="Listen there; 0: any free port.")
    ] = None,
    config: ConfigFiles = None,
    assignments: Assignments = None,
    with_link: Annotated[
        bool | None,
        typer.Option(
            "--link/--no-link", show_default=False, help="Print a link to come in by; else at a terminal only."
        ),
    ] = None,
) -> None:
    """Serve the pages: what a trader watches all day, in a browser, until Ctrl-C or SIGTERM.

    Where no password is set it prints, at a terminal, a link that lets one browser in; `myquant dashboard link` makes another. `myquant monitor`
    begins the pages by itself, so this is for pages without a monitor. Only files are read: nothing that happens here reaches
    a session, but what an operator asks of it, where dashboard.controls allows that.
    """
    if context.invoked_subcommand is not None:
        return
    import os
    import sys
    from functools import partial

    from myquant.cli.monitor import folders_of
    from myquant.cli.settings import load_settings
    from myquant.dashboard.service import run_dashboard

    given = {"--host": ("dashboard.host", host), "--port": ("dashboard.port", port)}
    flags = {option: f"{key}={value}" for option, (key, value) in given.items() if value is not None}
    loaded = load_settings(None, config=config, assignments=assignments, flags=flags)
    is_read = sys.stdout.isatty() if with_link is None else with_link
    run_dashboard(loaded, folders_of(directories, loaded), os.environ, partial(print, flush=True), is_read=is_read)


@app.command(epilog=PASSWORD_EXAMPLES)
def password() -> None:
    """Ask for a new password, twice, and print the line for the configuration file; or read a line of stdin.

    Only the hash is printed and kept.
    """
    from myquant.dashboard.passwords import hash_password

    hashed = hash_password(_asked())
    print("[dashboard]")
    print(f'password_hash = "{hashed}"  # of who may do all')
    print("# or, of who may only look:")
    print(f'# viewer_password_hash = "{hashed}"')


@app.command(epilog=LINK_EXAMPLES)
def link(
    viewer: Annotated[bool, typer.Option("--viewer", help="For somebody who may only look.")] = False,
) -> None:
    """Print a link that lets one browser in, once, within ten minutes. The pages must be served."""
    from myquant.dashboard.card import ask_dashboard
    from myquant.monitor.folder import monitor_folder

    role = "viewer" if viewer else "operator"
    print(ask_dashboard(monitor_folder(), "POST", "/api/links", {"role": role})["url"])


def _asked() -> str:
    """Return the password that is typed twice, or a line of stdin. Raises ConfigError."""
    import getpass
    import sys

    from myquant.errors import ConfigError

    if not sys.stdin.isatty():
        return sys.stdin.readline(LINE_MAX).rstrip("\r\n")
    try:
        first = getpass.getpass("New password (12 characters at least): ")
        again = getpass.getpass("Once more: ")
    except EOFError:
        raise ConfigError("password: none was given") from None
    if first != again:
        raise ConfigError("password: the two are not the same: nothing is made")
    return first
