"""What the API answers with: JSON that any program can read, and refusals in words, never with what was sent in them."""

import json
import math
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from myquant.errors import MyquantError


class JsonResponse(Response):
    """Values as JSON in ASCII; a float that is no number is null."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return values as they are sent."""
        return json.dumps(_plain(content), allow_nan=False, default=str).encode()


class RefusedError(MyquantError):
    """A request that is refused: a code of HTTP's, and why, for people."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


def add_refusals(app: FastAPI) -> None:
    """Have an app answer refusals as JSON: `{"detail": "..."}`, for a parameter also where it stands."""
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(MyquantError, _failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _refused(_request: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, RefusedError) else HTTPStatus.BAD_REQUEST
    return JsonResponse({"detail": str(error)}, status)


async def _failed(_request: Request, error: Exception) -> Response:
    """Say what could not be done: nothing is broken here."""
    return JsonResponse({"detail": str(error)}, HTTPStatus.CONFLICT)


async def _invalid(_request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else ()
    where = [{"where": [str(part)[:60] for part in each["loc"]], "why": str(each["msg"])[:200]} for each in found]
    return JsonResponse(
        {"detail": "a parameter is not what it must be", "parameters": where[:20]}, HTTPStatus.UNPROCESSABLE_ENTITY
    )


async def _http(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return JsonResponse({"detail": "refused"}, HTTPStatus.BAD_REQUEST)
    return JsonResponse({"detail": str(error.detail)[:200]}, error.status_code, dict(error.headers or {}))


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
