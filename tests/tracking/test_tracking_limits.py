"""A server whose answer never ends, in time or in size: each request is limited."""

import gzip
import json
import time
import tracemalloc

import pytest
import requests
from fake_servers import Gate
from run_folders import event, records, run_folder, send

from dlexp import DataError, fetch
from dlexp.tracking import limits, run_follower, state

SILENT = 0.3  # the patience with a silent server, in seconds
SAID = r"did not answer within 0\.9 s"


def ask(address, **more):
    return requests.get(address, timeout=SILENT, **more)


@pytest.mark.parametrize("what", ["drip", "drop"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_server_that_sends_a_byte_now_and_then_is_given_up(what, stream):
    with Gate(lambda n: what) as gate, limits.limited():
        began = time.monotonic()
        with pytest.raises(requests.exceptions.Timeout, match=SAID):
            for _ in ask(gate.address, stream=stream).iter_content(1 << 16):
                pass
        assert 0.8 < time.monotonic() - began < 5


@pytest.mark.parametrize("what", ["flood", "claim"])
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_without_an_end_takes_little_memory(what, stream, monkeypatch):
    monkeypatch.setattr(limits, "ANSWER", 2**20)
    with Gate(lambda n: what) as gate, limits.limited():
        tracemalloc.start()
        with pytest.raises(limits.TooLarge, match="an answer of more than 1,048,576 bytes"):
            for _ in requests.get(gate.address, timeout=30, stream=stream).iter_content(1 << 16):
                pass
        assert tracemalloc.get_traced_memory()[1] < 2**24
        tracemalloc.stop()


class Bomb:
    """What unfolds to a thousand times its size."""

    status, headers = 200, {"Content-Encoding": "gzip"}
    body = gzip.compress(bytes(2**24))


def test_so_does_one_that_unfolds_to_more_than_it_says(monkeypatch):
    monkeypatch.setattr(limits, "ANSWER", 2**20)
    with Gate(lambda n: Bomb) as gate, limits.limited(), pytest.raises(limits.TooLarge):
        ask(gate.address)


def test_outside_a_request_is_what_it_was_and_inside_a_good_answer_is_whole():
    with Gate(lambda n: "500") as gate:
        before = requests.adapters.HTTPAdapter.send
        with limits.limited(), requests.Session() as session:
            answers = [session.get(gate.address, timeout=SILENT) for _ in range(3)]
            assert [(a.status_code, a.content) for a in answers] == [(500, b"out of order")] * 3
        assert requests.adapters.HTTPAdapter.send is before
        assert requests.get(gate.address, timeout=SILENT).content == b"out of order"


def test_what_is_sent_itself_may_take_longer():
    assert limits._seconds({"Content-Length": "1000000"}, (5, 10)) == limits._seconds({}, 10) + 20


@pytest.mark.parametrize(
    ("what", "message"),
    [("drip", "did not answer within 3 s"), ("claim", "is not an MLflow server: it")],
)
def test_the_sender_says_what_the_server_does_and_keeps_the_run_for_sync(
    tmp_path, monkeypatch, what, message
):
    monkeypatch.setattr(run_follower, "TRIES", 1)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with Gate(lambda n: what) as gate, limits.limited():
        run = run_folder(tmp_path / "run", gate.address, [event("start"), *records(2)], net=False)
        began = time.monotonic()
        assert send(run) == 1
        assert time.monotonic() - began < 60
    assert message in state.load(run).error
    assert not state.is_complete(run)
    assert json.loads((run / "run.json").read_text())["id"]


@pytest.mark.parametrize(
    ("what", "message"),
    [("drip", "did not answer within"), ("drop", "less than 1,000 bytes a second")],
)
def test_a_download_that_would_never_end_is_given_up(tmp_path, what, message, monkeypatch):
    monkeypatch.delenv("http_proxy", raising=False)
    with Gate(lambda n: what) as gate:
        began = time.monotonic()
        with pytest.raises(DataError, match=message):
            fetch(f"{gate.address}/data.gz", "0" * 64, tmp_path, timeout=0.5)
        assert time.monotonic() - began < 10
