"""The pages as a process: what looks, what is served, until a signal ends it."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI
from nicegui import ui

from myquant.config.loading import LoadedConfig
from myquant.dashboard import pages_alerts, pages_compare, pages_evidence, pages_logs, pages_overview, pages_run, pages_runs
from myquant.dashboard.frame import Site
from myquant.dashboard.runs_watch import RunsWatch
from myquant.dashboard.watch import Watch
from myquant.monitor.folder import monitor_folder
from myquant.monitor.loop import Log

PAGES = (pages_overview, pages_alerts, pages_logs, pages_runs, pages_run, pages_compare, pages_evidence)
FAVICON: Final = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'>"
    "<path d='M3 26 12 12l7 8L29 5' fill='none' stroke='#0b4f9e' stroke-width='4'/></svg>"
)


def make_app(site: Site) -> FastAPI:
    """Return all that is served, but for who may see it."""

    @asynccontextmanager
    async def looking(_: FastAPI) -> AsyncIterator[None]:
        end = asyncio.Event()
        tasks = [asyncio.create_task(work(end)) for work in (site.watch.run, site.runs.run)]
        yield
        end.set()
        await asyncio.gather(*tasks)
        site.watch.close()

    app = FastAPI(title="myquant", lifespan=looking, docs_url=None, redoc_url=None, openapi_url=None)
    for page in PAGES:
        page.register(site)
    ui.run_with(app, title="myquant", language="en-GB", tailwind=False, show_welcome_message=False, favicon=FAVICON)
    return app


class _StderrLog:
    """Says what happens on stderr."""

    def info(self, event: str, **fields: object) -> None:
        """Say something that is as it should be."""
        print(event, *(f"{name}={value}" for name, value in fields.items()), file=sys.stderr)

    warning = error = info


def run_dashboard(loaded: LoadedConfig, directories: Sequence[Path], environ: Mapping[str, str]) -> None:
    """Serve the pages until SIGTERM or SIGINT."""
    state = monitor_folder()
    log: Log = _StderrLog()
    watch = Watch(loaded, directories, state, log)
    runs = RunsWatch(loaded, directories, state, lambda: watch.views, log)
    site = Site(loaded, directories, state, watch, runs, lambda _: True, lambda _: "")
    settings = loaded.config.dashboard
    uvicorn.run(make_app(site), host=settings.host, port=settings.port, log_level="warning")
