"""`myquant monitor-files`: the files for Prometheus, Grafana and systemd, filled in for this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from myquant.cli.options import Assignments, ConfigFiles, examples

if TYPE_CHECKING:
    from myquant.config.loading import LoadedConfig
    from myquant.monitor.shipped import Installation

EXAMPLES: Final = examples(
    "myquant monitor-files monitoring",
    "myquant monitor-files monitoring --config mine.toml --force",
    "prometheus --config.file=monitoring/prometheus.yml",
)
NEXT: Final = """\
Prometheus
  prometheus.yml, myquant_rules.yml, myquant_token   try them: prometheus --config.file={folder}/prometheus.yml
      to keep: copy the three into a folder of its own, myquant_token readable by Prometheus' user only
  myquant_rules_test.yml                             promtool test rules {folder}/myquant_rules_test.yml
Grafana
  grafana_dashboard.json                             Dashboards > New > Import; choose the Prometheus data source there
systemd, as root
  monitor-secrets.env, broker-secrets.env            fill them in; install -D -o root -m 0600 -t /etc/myquant FILE...
  myquant-*.service, myquant-health.timer            install -m 0644 -t /etc/systemd/system FILE...; systemctl daemon-reload
  the monitor                                        systemctl enable --now myquant-monitor myquant-health.timer
  a session NAME                                     its command into /etc/myquant/NAME.env, then
                                                     systemctl start myquant-session@NAME
Without systemd the monitor takes its token from the environment: set -a; . {folder}/monitor-secrets.env; set +a; myquant monitor"""


def monitor_files(
    folder: Annotated[Path, typer.Argument(metavar="DIR", show_default=False, help="Where to; made if need be.")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace files of an earlier time; the token stays.")] = False,
    config: ConfigFiles = None,
    assignments: Assignments = None,
) -> None:
    """Write a Prometheus configuration, alert rules and their tests, a Grafana dashboard and systemd units into DIR.

    They are filled in for this machine, this user, this folder and these settings: the monitor's address, the thresholds
    of [monitor], the paths. myquant_token and monitor-secrets.env hold a new token, which only their owner can read.
    """
    import os
    import sys

    from myquant.cli.settings import load_settings
    from myquant.errors import cannot_write
    from myquant.monitor import shipped

    loaded = load_settings(None, config=config, assignments=assignments)
    here = _installation(loaded, config or [], assignments or [])
    texts = shipped.render(loaded.config.monitor, here, shipped.token_of(folder))
    for path in shipped.write(texts, folder, force=force):
        print(path)
    try:
        for needed in (here.runs, here.state, here.cache):  # a unit that may write to them does not start without
            needed.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(
            needed, error, "choose another with results.directory, MYQUANT_STATE, MYQUANT_CACHE"
        ) from error
    print()
    print(NEXT.format(folder=folder))
    if loaded.config.monitor.port == 0:
        print("note: monitor.port is 0, any free one: Prometheus needs one that stays", file=sys.stderr)
    if os.geteuid() == 0:
        print("note: the units run as root: write them as the user who trades", file=sys.stderr)


def _installation(loaded: "LoadedConfig", files: list[Path], assignments: list[str]) -> "Installation":
    import getpass
    import sys

    from myquant.monitor.shipped import Installation, hidden_variables, monitor_options
    from myquant.session.at_broker import state_folder
    from myquant.strategies.cache import cache_folder

    return Installation(
        python=Path(sys.executable),
        user=getpass.getuser(),
        working=Path.cwd(),
        runs=Path(loaded.config.results.directory).resolve(),
        state=state_folder().resolve(),
        cache=cache_folder().resolve(),
        config_files=tuple(path.resolve() for path in files),
        assignments=monitor_options(loaded, files, assignments),
        hidden=hidden_variables(loaded, files),
    )
