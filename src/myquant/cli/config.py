"""`myquant config`: show, check and compare configurations."""

from pathlib import Path
from typing import Annotated

import typer

from myquant.cli.options import Assignments, ConfigFile, Strategy, examples

app = typer.Typer(help="Show, check and compare configurations.", rich_markup_mode=None)


@app.command(
    epilog=examples(
        "myquant config show",
        "myquant config show --config mine.toml --set strategy.fast_ema=9 --origins",
        "myquant config show --strategy my_strategy.py --toml > mine.toml",
    )
)
def show(
    *,
    config: ConfigFile = None,
    assignments: Assignments = None,
    strategy: Strategy = None,
    origins: Annotated[bool, typer.Option("--origins", help="Name the origin of the defaults, too.")] = False,
    toml: Annotated[bool, typer.Option("--toml", help="In the form of config.toml, without origins.")] = False,
) -> None:
    """Print every effective value, with the place that it came from unless that is the defaults.

    A later layer wins: defaults, --config, variables such as MYQUANT_RISK__BASE_SL_POINTS, --set. What is printed is
    TOML that loads back to the same configuration.
    """
    from myquant.cli.config_print import setting_lines
    from myquant.cli.settings import load_settings

    loaded = load_settings(strategy, config=config, assignments=assignments)
    print(loaded.to_toml().rstrip() if toml else "\n".join(setting_lines(loaded, every_origin=origins)))


@app.command(
    epilog=examples(
        "myquant config check mine.toml",
        "myquant config check mine.toml --strategy my_strategy.py",
    )
)
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="A TOML file of settings.")],
    strategy: Strategy = None,
) -> None:
    """Check a file and print what it changes. Variables of the environment are left out."""
    from myquant.cli.config_print import DEFAULTS, difference_lines

    changes = difference_lines(DEFAULTS, str(file), strategy)
    print("\n".join([f"{file}: valid; values other than the default: {len(changes)}", *changes]))


@app.command(
    epilog=examples(
        "myquant config diff defaults mine.toml",
        "myquant config diff mine.toml runs/20251003-160000-day/config.toml",
    )
)
def diff(
    a: Annotated[str, typer.Argument(metavar="A", show_default=False, help="A TOML file, or `defaults`.")],
    b: Annotated[str, typer.Argument(metavar="B", show_default=False, help="A TOML file, or `defaults`.")],
    strategy: Strategy = None,
) -> None:
    """Print the values in which two configurations differ, as `key = value in A -> value in B`.

    Each file is taken over the defaults; variables of the environment are left out.
    """
    from myquant.cli.config_print import difference_lines

    print("\n".join(difference_lines(a, b, strategy) or ["no difference"]))
