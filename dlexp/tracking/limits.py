"""Limits the time of a request to a server, and the size of its answer.

`requests` limits only the wait for each piece of an answer, and keeps an answer in memory: a server
that sends a byte now and then would be waited for without end, and one that never stops sending
would fill the memory.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.exceptions import RequestException, Timeout
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from dlexp.tracking import PATIENCE

ANSWER = 2**27  # bytes of an unpacked answer: MLflow's largest are some megabytes
PIECES = 3  # the time of a request, as a multiple of the timeout for silence
# bytes a second: time is added for what is sent, such as a model
SLOWEST = 50_000

_watched = threading.local()  # the deadline of the current request of this thread


class TooLarge(RequestException):
    """An answer that is larger than any of MLflow's."""


class Deadline:
    """Closes the connections of this thread when the time is over."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.over = seconds, False
        self.line: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def start(self) -> None:
        """Start the timer."""
        self._timer.start()

    def cancel(self) -> None:
        """Stop the timer: the answer has arrived."""
        self._timer.cancel()

    def use(self, line: socket.socket | None) -> None:
        """Register the current connection. Raises `TimeoutError` if the time is already over."""
        self.line = line
        if self.over:
            raise TimeoutError(self.message)

    @property
    def message(self) -> str:
        """The message about a server that exceeded the limit."""
        return f"did not answer within {self.seconds:g} s"

    def _end(self) -> None:
        self.over = True
        if self.line is not None:
            with suppress(OSError):
                self.line.shutdown(socket.SHUT_RDWR)  # wakes the waiting reader


class _Line:
    """A connection that registers its socket with its thread's deadline before TLS starts."""

    line: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        _use(None)
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        self.line = sock.dup()
        _use(self.line)
        return sock

    def request(self, *words: Any, **more: Any) -> None:
        """Send one more request on this connection."""
        _use(self.line)
        super().request(*words, **more)  # type: ignore[misc]

    def close(self) -> None:
        """Close both ends."""
        super().close()  # type: ignore[misc]
        if self.line is not None:
            self.line.close()
            self.line = None


class _Plain(_Line, HTTPConnection):
    """http."""


class _Tls(_Line, HTTPSConnection):
    """https."""


def _use(line: socket.socket | None) -> None:
    if (watch := getattr(_watched, "watch", None)) is not None:
        watch.use(line)


@contextmanager
def limited() -> Iterator[None]:
    """Context manager: requests of this process are limited; violations raise as in `requests`."""
    plain, tls, send = (
        HTTPConnectionPool.ConnectionCls,
        HTTPSConnectionPool.ConnectionCls,
        HTTPAdapter.send,
    )
    HTTPConnectionPool.ConnectionCls, HTTPSConnectionPool.ConnectionCls = _Plain, _Tls

    def within(
        self: HTTPAdapter, request: PreparedRequest, stream: bool = False, **more: Any
    ) -> Response:
        watch = _watched.watch = Deadline(_seconds(request.headers, more.get("timeout")))
        watch.start()
        try:
            answer = send(self, request, stream=stream, **more)
            _bound(answer, watch)
            if not stream:
                answer.content  # read now, while the deadline is active  # noqa: B018
            return answer
        except TooLarge:
            watch.cancel()
            raise
        except Exception as e:
            watch.cancel()
            if watch.over:
                raise Timeout(watch.message, request=request) from e
            raise
        finally:
            _watched.watch = None

    HTTPAdapter.send = within  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        HTTPConnectionPool.ConnectionCls, HTTPSConnectionPool.ConnectionCls = plain, tls
        HTTPAdapter.send = send  # type: ignore[method-assign]


def _seconds(headers: Mapping[str, Any], timeout: Any) -> float:
    """The time for a request with this `timeout` for silence (of a pair, the second)."""
    silent = timeout[-1] if isinstance(timeout, tuple) else timeout
    if silent is None:
        silent = (
            os.environ.get("MLFLOW_HTTP_REQUEST_TIMEOUT") or PATIENCE["MLFLOW_HTTP_REQUEST_TIMEOUT"]
        )
    sent = str(headers.get("Content-Length") or "0")
    return PIECES * float(silent) + (int(sent) if sent.isdecimal() else 0) / SLOWEST


def _bound(answer: Response, watch: Deadline) -> None:
    """Limit the size of the body; the deadline ends after it."""
    pieces = answer.raw.stream
    message = f"an answer of more than {ANSWER:,} bytes"

    def stream(*words: Any, **more: Any) -> Iterator[bytes]:
        size = 0
        try:
            for piece in pieces(*words, **more):
                size += len(piece)
                if size > ANSWER:
                    answer.close()
                    raise TooLarge(message, request=answer.request)
                yield piece
        except TooLarge:
            raise
        except Exception as e:
            if watch.over:
                raise Timeout(watch.message, request=answer.request) from e
            raise
        else:
            if watch.over:  # a closed connection looks like the end of an answer without a length
                raise Timeout(watch.message, request=answer.request)
        finally:
            watch.cancel()

    declared = answer.headers.get("Content-Length", "0")
    if declared.isdecimal() and int(declared) > ANSWER:
        answer.close()
        raise TooLarge(message, request=answer.request)
    answer.raw.stream = stream
