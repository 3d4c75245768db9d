"""`myquant alerts`: what was told, and the channels that it is told through."""

import typer

app = typer.Typer(help="See and acknowledge alerts, and try the channels that they go through.", rich_markup_mode=None)


@app.callback()
def _alerts() -> None:
    """See and acknowledge alerts, and try the channels that they go through."""
