"""`myquant config`: show, check and compare configurations, and who used which."""

from pathlib import Path
from typing import Annotated

import typer

from myquant.cli.options import Assignments, ConfigFiles, Strategy, examples
from myquant.cli.runs import Directory

app = typer.Typer(help="Show, check and compare configurations, and see who used which.", rich_markup_mode=None)


@app.command(
    epilog=examples(
        "myquant config show",
        "myquant config show --config mine.toml --set strategy.fast_ema=9 --origins",
        "myquant config show --strategy my_strategy.py --toml > mine.toml",
    )
)
def show(
    *,
    config: ConfigFiles = None,
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


@app.command(epilog=examples("myquant config audit", "myquant config audit --directory archive --json"))
def audit(
    directory: Directory = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with every field.")] = False,
) -> None:
    """Print who used which configuration, when, and what differed from the one before; and whether the trail is whole.

    Each line of the trail holds the hash of the line before it. Exit code 3 where one was changed, taken out or put in.
    """
    import json

    from myquant.cli.config_print import audit_lines
    from myquant.cli.runs import runs_directory, screen_zone
    from myquant.config.audit import REMEDY, ConfigAudit
    from myquant.errors import DataError

    trail = ConfigAudit(runs_directory(directory))
    found = trail.read()
    if as_json:
        print(json.dumps({"entries": found.entries, "problems": found.problems}, indent=2, ensure_ascii=False))
    else:
        print("\n".join(audit_lines(trail.path, found, screen_zone())))
    if found.problems:
        raise DataError("\n".join(f"{problem}: {REMEDY}" for problem in found.problems))
