"""Data files: intact and damaged IDX arrays, and downloads from servers of all kinds."""

import gzip
import hashlib
import http.server
import random
import re
import socket
import struct
import threading
import tracemalloc
import urllib.request
from contextlib import contextmanager

import numpy as np
import pytest

from dlexp import DataError, fetch, read_idx
from dlexp.data import download
from dlexp.data.download import cache_folder, write_idx

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)
HEADER = struct.pack(">HBBIII", 0, 8, 3, 5, 4, 3)
WHOLE = HEADER + IMAGES.tobytes()
ZIPPED = gzip.compress(WHOLE, mtime=0)


def test_an_array_is_read_gzipped_or_not_whatever_its_name(tmp_path):
    for name, content in (
        ("plain", WHOLE),
        ("plain.gz", WHOLE),
        ("zipped.gz", ZIPPED),
        ("zipped", ZIPPED),
    ):
        (tmp_path / name).write_bytes(content)
        array = read_idx(tmp_path / name)
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array, IMAGES)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_every_type_of_the_format_comes_back_in_native_order(tmp_path, dtype, suffix):
    array = np.arange(-3, 3).astype(dtype).reshape(2, 3)
    write_idx(tmp_path / f"a{suffix}", array)
    back = read_idx(tmp_path / f"a{suffix}")
    assert back.dtype == np.dtype(dtype)
    assert back.dtype.isnative
    np.testing.assert_array_equal(back, array)


def test_numbers_are_big_endian_as_the_format_says(tmp_path):
    (tmp_path / "a").write_bytes(bytes([0, 0, 0x0B, 1, 0, 0, 0, 2, 0x01, 0x02, 0xFF, 0xFE]))
    assert read_idx(tmp_path / "a").tolist() == [258, -2]


def huge(*shape, kind=8):
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape)


DAMAGED = {
    "empty": (b"", "is empty"),
    "cut_in_magic": (WHOLE[:3], "is not an IDX file: it begins with the bytes 00 00 08"),
    "cut_in_header": (WHOLE[:10], "is truncated within its header"),
    "cut_in_values": (WHOLE[:-1], "is truncated"),
    "too_long": (WHOLE + b"x", "has bytes after its end"),
    "web_page": (b"<!DOCTYPE html><html>404</html>", "is a web page"),
    "gzipped_web_page": (gzip.compress(b"<html>no</html>" * 9), "is a web page"),
    "pickle": (b"\x80\x04\x95\x00", "is not an IDX file"),
    "unknown_type": (b"\0\0\x07\x01" + WHOLE[4:], "is not an IDX file"),
    "no_dimensions": (b"\0\0\x08\x00" + WHOLE[4:], "is not an IDX file"),
    "too_many_dimensions": (b"\0\0\x08\xff" + bytes(2000), "is not an IDX file"),
    "no_values": (huge(0, 4, 3), "holds no values"),
    "no_values_in_endless_rows": (huge(2**32 - 1, 2**32 - 1, 0), "holds no values"),
    "declares_4_GB": (huge(60_000, 28, 2560), "the limit is 2,147,483,648"),
    "declares_2_to_the_96": (huge(2**32 - 1, 2**32 - 1, 2**32 - 1), "is too large or damaged"),
    "declares_more_than_the_file": (huge(10_000, 28, 28) + bytes(5), "declares 7,840,000 bytes"),
    "gzip_declares_more_than_it_can_hold": (
        gzip.compress(huge(10_000, 28, 28) + bytes(5)),
        "declares 7,840,000 bytes",
    ),
    "gzip_declares_more_than_it_holds": (gzip.compress(huge(9, 28, 28) + bytes(5)), "is truncated"),
    "gzip_cut": (ZIPPED[:-9], "is truncated: its gzip stream has no end"),
    "gzip_cut_in_header": (ZIPPED[:5], "is truncated: its gzip stream has no end"),
    "gzip_wrong_checksum": (
        ZIPPED[:-8] + b"\0\0\0\0" + ZIPPED[-4:],
        "is damaged: CRC check failed",
    ),
    "gzip_with_appendix": (ZIPPED + b"appendix", "is damaged: Not a gzipped file"),
    "gzip_twice": (ZIPPED + ZIPPED, "has bytes after its end"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_refused_in_one_line_with_its_name(tmp_path, name):
    content, wrong = DAMAGED[name]
    path = tmp_path / f"{name}-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError) as e:
        read_idx(path)
    assert str(path) in str(e.value)
    assert wrong in str(e.value)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_no_memory_is_taken_for_what_a_header_only_promises(tmp_path, pack):
    (tmp_path / "f").write_bytes(pack(huge(10**6, 28, 28)))
    tracemalloc.start()
    try:
        with pytest.raises(
            DataError, match=r"declares 784,000,000 bytes.*, but the file has \d\d bytes"
        ):
            read_idx(tmp_path / "f")
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


def test_no_flipped_bit_gets_through(tmp_path):
    flips, noticed = random.Random(0), []
    path = tmp_path / "f.gz"
    for _ in range(200):
        content = bytearray(ZIPPED)
        content[flips.randrange(len(content))] ^= 1 << flips.randrange(8)
        path.write_bytes(content)
        try:
            # gzip has bits that mean nothing: padding, the date
            np.testing.assert_array_equal(read_idx(path), IMAGES)
        except DataError as e:
            noticed.append(str(e))
    assert len(noticed) > 150
    assert all(str(path) in text and "\n" not in text for text in noticed)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"there is no file .*nothing"):
        read_idx(tmp_path / "nothing")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_idx(tmp_path)


# Fetching, from a server in a thread.

CONTENT = bytes(random.Random(1).randbytes(200_000))
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` by path; `ranges`: whether it knows Range; `cut`: bytes after which each
    answer is cut off.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"/data.gz": CONTENT}
        self.ranges, self.cut, self.wrong_range, self.length = True, None, False, True
        self.requests = []

    def url(self, path="/data.gz"):
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request, client_address):
        """Connections that break on purpose are not worth a traceback."""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, content = self.server, self.server.files.get(self.path)
        asked = self.headers.get("Range")
        server.requests.append((self.path, asked))
        if content is None:
            return self.send_error(404)
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and server.ranges else 0
        if start >= len(content):
            return self.send_error(416)
        self.send_response(206 if asked and server.ranges else 200)
        if asked and server.ranges:
            first = start + 1 if server.wrong_range else start
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        if server.length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: server.cut])
        return None

    def log_message(self, *args):
        pass


@contextmanager
def serving():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving() as server:
        yield server


def names(folder):
    return sorted(p.name for p in folder.iterdir() if p.suffix != ".lock")


def test_a_file_is_fetched_once(server, tmp_path):
    folder = tmp_path / "not" / "yet"
    for _ in range(2):
        path = fetch(server.url(), SHA256, folder)
        assert path == folder / "data.gz"
        assert path.read_bytes() == CONTENT
    assert server.requests == [("/data.gz", None)]
    assert names(folder) == ["data.gz"]


def test_a_part_is_continued_where_it_ends(server, tmp_path):
    (tmp_path / "data.gz.part").write_bytes(CONTENT[:70_000])
    assert fetch(server.url(), SHA256, tmp_path).read_bytes() == CONTENT
    assert server.requests == [("/data.gz", "bytes=70000-")]
    assert names(tmp_path) == ["data.gz"]


def test_a_whole_part_needs_no_byte_more(server, tmp_path):
    (tmp_path / "data.gz.part").write_bytes(CONTENT)
    assert fetch(server.url(), SHA256, tmp_path).read_bytes() == CONTENT
    assert names(tmp_path) == ["data.gz"]


def test_a_server_without_ranges_sends_all_of_it_again(server, tmp_path):
    server.ranges = False
    (tmp_path / "data.gz.part").write_bytes(CONTENT[:70_000])
    assert fetch(server.url(), SHA256, tmp_path).read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_a_server_that_does_not_say_the_length_will_do(server, tmp_path):
    server.length = False
    assert fetch(server.url(), SHA256, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("part", [b"x" * 70_000, b"x" * 300_000, CONTENT + b"x"])
def test_a_part_of_something_else_is_thrown_away_and_all_is_fetched(server, tmp_path, part):
    (tmp_path / "data.gz.part").write_bytes(part)
    assert fetch(server.url(), SHA256, tmp_path).read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == [f"bytes={len(part)}-", None]


def test_a_connection_cut_midway_is_taken_up_again(server, tmp_path):
    server.cut = 60_000
    assert fetch(server.url(), SHA256, tmp_path).read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == [
        None,
        "bytes=60000-",
        "bytes=120000-",
        "bytes=180000-",
    ]


def test_what_a_cut_connection_left_is_taken_up_by_the_next_call(server, tmp_path):
    server.cut, server.ranges = 60_000, False
    with pytest.raises(DataError, match="the connection was cut after 60,000 of 200,000 bytes"):
        fetch(server.url(), SHA256, tmp_path)
    assert names(tmp_path) == ["data.gz.part"]
    server.cut, server.ranges = None, True
    assert fetch(server.url(), SHA256, tmp_path).read_bytes() == CONTENT
    assert server.requests[-1] == ("/data.gz", "bytes=60000-")


def test_a_cut_connection_is_taken_up_by_the_next_mirror(server, tmp_path):
    server.cut, server.ranges = 60_000, False
    with serving() as mirror:
        assert fetch([server.url(), mirror.url()], SHA256, tmp_path).read_bytes() == CONTENT
        assert mirror.requests == [("/data.gz", "bytes=60000-")]


def test_wrong_content_is_thrown_away_and_both_hashes_are_told(server, tmp_path):
    server.files["/data.gz"] = b"something else"
    with pytest.raises(DataError) as e:
        fetch(server.url(), SHA256, tmp_path)
    found = hashlib.sha256(b"something else").hexdigest()
    assert f"what came has the SHA-256 {found}, expected is {SHA256}" in str(e.value)
    assert names(tmp_path) == []


def test_a_range_other_than_asked_for_is_not_appended(server, tmp_path):
    server.wrong_range = True
    (tmp_path / "data.gz.part").write_bytes(CONTENT[:70_000])
    with pytest.raises(DataError, match=r"another range than asked for, bytes 70001-199999/200000"):
        fetch(server.url(), SHA256, tmp_path)
    assert (tmp_path / "data.gz.part").read_bytes() == CONTENT[:70_000]


def test_mirrors_are_tried_in_turn(server, tmp_path):
    server.files["/wrong/data.gz"] = b"something else"
    urls = [server.url("/missing/data.gz"), server.url("/wrong/data.gz"), server.url()]
    assert fetch(urls, SHA256, tmp_path).read_bytes() == CONTENT
    assert [path for path, _ in server.requests] == [
        "/missing/data.gz",
        "/wrong/data.gz",
        "/data.gz",
    ]


def test_a_missing_file_names_every_url_and_what_to_do_in_one_line(server, tmp_path):
    urls = [server.url("/a/data.gz"), server.url("/b/data.gz")]
    with pytest.raises(DataError) as e:
        fetch(urls, SHA256, tmp_path, advice="set data.folder=<folder>")
    text = str(e.value)
    assert "data.gz could not be fetched" in text
    assert all(f"{url}: HTTP status 404" in text for url in urls)
    assert text.endswith("set data.folder=<folder>")
    assert "\n" not in text


def test_no_network_is_told_in_one_line(tmp_path, monkeypatch):
    def unreachable(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    for name in (
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(
        DataError, match=r"https://example\.org/data\.gz: .*Name or service not known"
    ):
        fetch("https://example.org/data.gz", SHA256, tmp_path)


def test_a_silent_server_ends_the_patience(tmp_path, monkeypatch):
    patience, urlopen = [], urllib.request.urlopen
    monkeypatch.setattr(
        urllib.request,
        "urlopen",
        lambda request, timeout: patience.append(timeout) or urlopen(request, timeout=0.05),
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/data.gz"
        with pytest.raises(DataError, match="timed out"):
            fetch(url, SHA256, tmp_path, timeout=7)
    assert patience == [7]


def test_nothing_but_http_is_fetched(tmp_path):
    (tmp_path / "secret").write_bytes(CONTENT)
    with pytest.raises(DataError, match="only http and https are fetched"):
        fetch((tmp_path / "secret").as_uri(), SHA256, tmp_path / "cache")


def test_more_than_the_limit_is_refused_announced_or_not(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "LIMIT", 100_000)
    with pytest.raises(DataError, match="it sends 200,000 bytes; the limit is 100,000"):
        fetch(server.url(), SHA256, tmp_path / "a")
    server.length = False
    with pytest.raises(DataError, match="it sends more than 100,000 bytes"):
        fetch(server.url(), SHA256, tmp_path / "b")
    assert (tmp_path / "b" / "data.gz.part").stat().st_size <= 100_000


def test_a_damaged_file_in_the_cache_is_fetched_again(server, tmp_path, caplog):
    (tmp_path / "data.gz").write_bytes(CONTENT[:-1])
    assert fetch(server.url(), SHA256, tmp_path).read_bytes() == CONTENT
    assert "is damaged" in caplog.text


def test_a_cache_that_cannot_be_written_is_told(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"data\.gz could not be fetched: .*file"):
        fetch(server.url(), SHA256, tmp_path / "file" / "cache")


def test_many_who_fetch_at_once_fetch_it_once(server, tmp_path):
    paths, failures = [], []

    def one():
        try:
            paths.append(fetch(server.url(), SHA256, tmp_path))
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [p.read_bytes() == CONTENT for p in paths] == [True] * 8
    assert server.requests == [("/data.gz", None)]


def test_the_cache_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("DLEXP_CACHE", str(tmp_path))
    assert cache_folder("mnist") == tmp_path / "mnist"
    monkeypatch.delenv("DLEXP_CACHE")
    assert tmp_path not in cache_folder("mnist").parents
    assert "dlexp" in cache_folder("mnist").parts
