"""The execution report of a session's day: the same page that `myquant execution` writes, made when it is asked for."""

import asyncio
from http import HTTPStatus

from fastapi import Query
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from nicegui import app

from myquant.dashboard.frame import Site
from myquant.dashboard.pages_runs import REPORT_POLICY
from myquant.dashboard.pages_session import find_session
from myquant.errors import MyquantError
from myquant.execution.page import render_page
from myquant.execution.report import execution_of

MAKING = asyncio.Semaphore(1)  # a day of five million ticks takes a second


def register(site: Site) -> None:
    """Serve the reports."""

    @app.get("/execution", include_in_schema=False)
    async def execution(session: str = Query("", max_length=300), day: str = Query("", max_length=10)) -> Response:
        found = find_session(site, session)
        if found is None:
            return PlainTextResponse("there is no session of that name\n", HTTPStatus.NOT_FOUND)
        try:
            async with MAKING:
                page = await asyncio.to_thread(lambda: render_page(execution_of(found.folder, day or None)))
        except MyquantError as error:
            return PlainTextResponse(f"{error}\n", HTTPStatus.NOT_FOUND)
        return HTMLResponse(page, headers={"Content-Security-Policy": REPORT_POLICY})
