"""Servers that do what no server should, and a real MLflow behind a proxy that misbehaves for a
while.
"""

import contextlib
import http.client
import http.server
import itertools
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time

from run_folders import with_store


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


ENDLESS = {
    "drip": b"\r\n",
    "drop": b"Content-Length: 1000\r\n\r\n",
    "flood": b"\r\n",
    "claim": b"Content-Length: 3000000000\r\n\r\n",
}


class Gate(http.server.ThreadingHTTPServer):
    """A server before another one; `behave(n)` says what becomes of the n-th call, from 0.

    pass: it is handed on; 500: it is refused; mute: it is handed on, and the answer is a 500; hang:
    no answer, until the gate is closed; drip: the answer comes a byte every `pace` seconds, its
    head first; drop: it is handed on, and the body drips without an end; flood: a body without an
    end; claim: one of 3 GB, it says.
    """

    pace = 0.2

    daemon_threads, block_on_close = True, False

    def __init__(self, behave, beyond="", port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.behave, self.beyond = behave, beyond.removeprefix("http://")
        self.calls, self.turn, self.over = [], threading.Lock(), threading.Event()
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.over.set()
        self.shutdown()
        self.server_close()
        self.thread.join()


class Handler(http.server.BaseHTTPRequestHandler):
    """One call, whichever its verb."""

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def answer(self):
        gate = self.server
        with gate.turn:
            n = len(gate.calls)
            gate.calls.append(f"{self.command} {self.path}")
        body, what = self.rfile.read(int(self.headers.get("Content-Length") or 0)), gate.behave(n)
        status, content = 500, b"out of order"
        if what == "hang":
            gate.over.wait()
        if what in ("pass", "mute") or (what == "drop" and gate.beyond):
            status, content = self.beyond(gate.beyond, body)
        if what in ENDLESS:
            with contextlib.suppress(OSError):
                self.go_on(what)
            return
        headers = {}
        if not isinstance(what, str):  # an answer of its own
            status, content, headers = what.status, what.body, what.headers
        with contextlib.suppress(OSError):  # whoever asked may have gone
            self.send_response(500 if what == "mute" else status)
            self.send_header("Content-Length", str(len(content)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    def go_on(self, what):
        """Answer without an end, until the gate is closed or whoever asked has gone."""
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + ENDLESS[what]
        self.close_connection = True
        if what != "drip":
            self.wfile.write(head)
        pieces = (
            itertools.chain(head, itertools.repeat(32)) if what == "drip" else itertools.repeat(32)
        )
        for byte in pieces:
            if self.server.over.wait(0 if what in ("flood", "claim") else self.server.pace):
                return
            self.wfile.write(bytes([byte]) * (1 if what in ("drip", "drop") else 1 << 16))

    def beyond(self, address, body):
        connection = http.client.HTTPConnection(address, timeout=60)
        kept = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
        connection.request(self.command, self.path, body, kept)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content

    def log_message(self, *args):
        """In silence."""


@contextlib.contextmanager
def mlflow_server(folder, port=None):
    """A real `mlflow server` on an SQLite store in a folder; its address."""
    port = port or free_port()
    store = (
        with_store(folder)
        if not (folder / "mlflow.db").exists()
        else f"sqlite:///{folder / 'mlflow.db'}"
    )
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--backend-store-uri",
        store,
        "--host",
        "127.0.0.1",
        "--artifacts-destination",
        str(folder / "files"),
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    try:
        end = time.monotonic() + 300
        while not is_up(port):
            assert time.monotonic() < end, (folder / "server.log").read_text()
            assert server.poll() is None, (folder / "server.log").read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, 15)
        server.wait(60)


def is_up(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def asked(file, query, *values):
    """The rows of a store."""
    with contextlib.closing(sqlite3.connect(file)) as store:
        return store.execute(query, values).fetchall()
