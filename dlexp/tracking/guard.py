"""Serves MLflow's pages to this machine only (entry point `mlflow.app`, named dlexp).

MLflow's own checks omit what is outside its `/api`, such as `/graphql`, and trust every port of
this machine.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

App = Callable[[Any, Any, Any], Awaitable[None]]
OURS = re.compile(rb"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.IGNORECASE)


def app() -> App:
    """MLflow's server behind the guard."""
    from mlflow.server.fastapi_app import app as mlflow

    return guarded(mlflow)


def guarded(app: App) -> App:
    """An ASGI application that accepts only requests to this machine, from its own pages."""

    async def guard(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and not is_own(scope["headers"]):
            headers = [(b"content-type", b"text/plain")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send(
                {
                    "type": "http.response.body",
                    "body": b"for this machine, and for its own pages only",
                }
            )
        elif scope["type"] == "websocket" and not is_own(scope["headers"]):
            await send({"type": "websocket.close", "code": 1008})
        else:
            await app(scope, receive, send)

    return guard


def is_own(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether a request was sent to this machine by name, without origin or from its own page.

    >>> is_own([(b"host", b"localhost:5000"), (b"origin", b"http://localhost:5000")])
    True
    >>> is_own([(b"host", b"localhost:5000"), (b"origin", b"http://localhost:3000")])
    False
    >>> is_own([(b"host", b"127.0.0.1:5000@evil.example")]) or is_own([])
    False
    """
    hosts = [value for name, value in headers if name == b"host"]
    origins = [value for name, value in headers if name == b"origin"]
    return (
        len(hosts) == 1
        and bool(OURS.fullmatch(hosts[0]))
        and all(o == b"http://" + hosts[0] for o in origins)
    )
