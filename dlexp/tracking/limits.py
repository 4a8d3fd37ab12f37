"""What one request to a server may take: so many seconds in all, and so much memory for its answer.

`requests` bounds the wait for each piece of an answer only, and holds an answer whole: a server
that sends a byte now and then is waited for as long as it likes, and one that sends without end
fills the memory.
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

ANSWER = 2**27  # bytes of an answer, unpacked: the largest that MLflow gives are some megabytes
PIECES = 3  # a request may take so many times the patience with a silent server
# bytes a second: what is sent itself, such as a model, may take as long as that beside
SLOWEST = 50_000

_watched = threading.local()  # the watch of the request that this thread is making


class TooLarge(RequestException):
    """An answer that is larger than any of MLflow's."""


class Deadline:
    """Ends the connections that this thread uses when the time is over."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.over = seconds, False
        self.line: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def start(self) -> None:
        """Let the time begin."""
        self._timer.start()

    def cancel(self) -> None:
        """The answer is there."""
        self._timer.cancel()

    def use(self, line: socket.socket | None) -> None:
        """The connection that is used now. Raises `TimeoutError` where the time is over already."""
        self.line = line
        if self.over:
            raise TimeoutError(self.said)

    @property
    def said(self) -> str:
        """What to say of a server that was ended."""
        return f"did not answer within {self.seconds:g} s"

    def _end(self) -> None:
        self.over = True
        if self.line is not None:
            with suppress(OSError):
                self.line.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for it


class _Line:
    """A connection that tells the watch of its thread what to end: its socket under any TLS, before
    the handshake.
    """

    line: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        _use(None)
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        self.line = sock.dup()
        _use(self.line)
        return sock

    def request(self, *words: Any, **more: Any) -> None:
        """One more request on this connection."""
        _use(self.line)
        super().request(*words, **more)  # type: ignore[misc]

    def close(self) -> None:
        """Both ends of it."""
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
    """Inside, each request of this process has its limits; what goes beyond them is raised as
    `requests` does.
    """
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
                answer.content  # read now, while the watch looks  # noqa: B018
            return answer
        except TooLarge:
            watch.cancel()
            raise
        except Exception as e:
            watch.cancel()
            if watch.over:
                raise Timeout(watch.said, request=request) from e
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
    """The time for a request whose socket may be silent for `timeout` seconds (of a pair, the
    second).
    """
    silent = timeout[-1] if isinstance(timeout, tuple) else timeout
    if silent is None:
        silent = (
            os.environ.get("MLFLOW_HTTP_REQUEST_TIMEOUT") or PATIENCE["MLFLOW_HTTP_REQUEST_TIMEOUT"]
        )
    sent = str(headers.get("Content-Length") or "0")
    return PIECES * float(silent) + (int(sent) if sent.isdecimal() else 0) / SLOWEST


def _bound(answer: Response, watch: Deadline) -> None:
    """Let the body be read up to the limit only, and the watch end with it."""
    pieces = answer.raw.stream
    said = f"an answer of more than {ANSWER:,} bytes"

    def stream(*words: Any, **more: Any) -> Iterator[bytes]:
        size = 0
        try:
            for piece in pieces(*words, **more):
                size += len(piece)
                if size > ANSWER:
                    answer.close()
                    raise TooLarge(said, request=answer.request)
                yield piece
        except TooLarge:
            raise
        except Exception as e:
            if watch.over:
                raise Timeout(watch.said, request=answer.request) from e
            raise
        else:
            if watch.over:  # the end of the line looks like the end of an answer that has no length
                raise Timeout(watch.said, request=answer.request)
        finally:
            watch.cancel()

    declared = answer.headers.get("Content-Length", "0")
    if declared.isdecimal() and int(declared) > ANSWER:
        answer.close()
        raise TooLarge(said, request=answer.request)
    answer.raw.stream = stream
