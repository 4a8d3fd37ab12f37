"""Data files: IDX arrays, and downloads that are checked and can be resumed."""

from __future__ import annotations

import gzip
import hashlib
import logging
import math
import os
import struct
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any, cast

import numpy as np

from dlexp import paths
from dlexp.core.arrays import Array
from dlexp.errors import DataError

log = logging.getLogger("dlexp")

IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MOST_DIMENSIONS = 8
LIMIT = 2**31  # bytes: the largest array read and the largest file fetched
GZIP_RATIO = 1032  # deflate cannot do better, so a header that promises more is a lie
# bytes a second on the average, beside the patience with a silent server: less is no download
SLOWEST = 1000
TRIES = 5  # requests to a mirror that cuts the connection midway


def read_idx(path: Path) -> Array:
    """The array of an IDX file, gzipped or not, in native byte order.

    An IDX file is two zero bytes, a type, the number of dimensions, each dimension as a big-endian
    32-bit number, and the values. Nothing is allocated before what the header declares was compared
    with the file's length (for a gzipped file: with the most that its bytes can unfold to); 2 GiB
    is the limit.

    Raises `DataError` for a file that is missing, empty, truncated, too long, damaged, or no IDX
    file.
    Source: LeCun, Cortes & Burges, http://yann.lecun.com/exdb/mnist/
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not zipped:
                return _parse_idx(path, file, size, size)
            with gzip.GzipFile(fileobj=file) as stream:
                return _parse_idx(path, cast("IO[bytes]", stream), size, size * GZIP_RATIO)
    except FileNotFoundError:
        raise DataError(f"there is no file {path}", key="data") from None
    except EOFError:
        raise DataError(f"{path} is truncated: its gzip stream has no end", key="data") from None
    except (gzip.BadGzipFile, zlib.error) as e:
        raise DataError(f"{path} is damaged: {e}", key="data") from None
    except OSError as e:
        raise DataError(f"{path} cannot be read: {e.strerror or e}", key="data") from None


def _parse_idx(path: Path, stream: IO[bytes], size: int, most: int) -> Array:
    """The array in `stream`; the file has `size` bytes, of which at most `most` can come."""
    start = stream.read(4)
    if not start:
        raise DataError(f"{path} is empty", key="data")
    if start.lstrip()[:1] == b"<":
        raise DataError(
            f"{path} is a web page, not an IDX file: was the download redirected?", key="data"
        )
    if (
        len(start) < 4
        or start[:2] != b"\0\0"
        or start[2] not in IDX_TYPES
        or not 1 <= start[3] <= MOST_DIMENSIONS
    ):
        raise DataError(
            f"{path} is not an IDX file: it begins with the bytes {start.hex(' ')}", key="data"
        )
    dtype, dimensions = np.dtype(IDX_TYPES[start[2]]), start[3]
    header = stream.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise DataError(f"{path} is truncated within its header", key="data")
    shape = struct.unpack(f">{dimensions}I", header)
    declared = math.prod(shape) * dtype.itemsize
    promise = f"its header declares {declared:,} bytes of values, {' × '.join(map(str, shape))}"
    if declared == 0:
        raise DataError(f"{path} holds no values: {promise}", key="data")
    if declared > LIMIT:
        raise DataError(
            f"{path} is too large or damaged: {promise}; the limit is {LIMIT:,}", key="data"
        )
    if declared + 4 + len(header) > most:
        raise DataError(
            f"{path} is truncated or damaged: {promise}, but the file has {size:,} bytes",
            key="data",
        )
    # one more than there should be; and a gzip checksum is tested at its end
    values = stream.read(declared + 1)
    if len(values) != declared:
        wrong = "has bytes after its end" if len(values) > declared else "is truncated"
        raise DataError(f"{path} {wrong}: {promise}", key="data")
    return np.frombuffer(values, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def write_idx(path: Path, array: Array) -> None:
    """Write an array of a type that IDX knows; gzipped if the name ends in .gz."""
    codes = {np.dtype(name).newbyteorder("="): code for code, name in IDX_TYPES.items()}
    dtype = np.dtype(IDX_TYPES[codes[array.dtype]])
    header = struct.pack(f">HBB{array.ndim}I", 0, codes[array.dtype], array.ndim, *array.shape)
    content = header + array.astype(dtype).tobytes()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def cache_folder(name: str) -> Path:
    """The folder of downloads of that name: $DLEXP_CACHE/name, or in the user's cache folder."""
    return paths.cache() / name


def fetch(
    urls: str | Sequence[str], sha256: str, folder: Path, *, advice: str = "", timeout: float = 20.0
) -> Path:
    """The path of a file, downloaded from `urls` unless it is in `folder`; SHA-256 checked.

    The URLs are mirrors of one file and are tried in turn. A partial download is kept as
    `<name>.part` and continued after an interruption, now or in a later call; a server that cannot
    continue starts anew. A file with a wrong SHA-256 is deleted. The complete file is renamed into
    place, and processes that download it at the same time wait for one another. `timeout` limits
    the seconds until a server answers and between its bytes; one slower than 1000 bytes a second
    is abandoned. `advice` ends the error message.

    Raises `DataError` with the file, every URL and its problem.
    """
    from filelock import FileLock

    urls = [urls] if isinstance(urls, str) else list(urls)
    name = urls[0].rsplit("/", 1)[-1]
    target, part = folder / name, folder / f"{name}.part"
    problems = []
    try:
        if _sha256(target) == sha256:
            return target
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{name}.lock"):
            # fetched by another process while this one waited
            if (digest := _sha256(target)) == sha256:
                return target
            if digest:
                log.warning(
                    "%s is damaged (its SHA-256 is %s) and is fetched again", target, digest
                )
            for url in urls:
                problem = _from_mirror(url, part, sha256, timeout)
                if not problem:
                    part.replace(target)
                    return target
                problems.append(f"{url}: {problem}")
    except OSError as e:
        problems.append(f"{e.filename or folder}: {e.strerror or e}")
    wrong = f"{name} could not be fetched: {', '.join(problems)}"
    raise DataError(f"{wrong}; {advice}" if advice else wrong, key="data")


def _sha256(path: Path) -> str:
    """The file's SHA-256, or an empty string where there is no file."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _from_mirror(url: str, part: Path, sha256: str, timeout: float) -> str:
    """Complete and check `part`; what went wrong, or an empty string."""
    from http.client import HTTPException

    problem = ""
    for _ in range(TRIES):
        before = part.stat().st_size if part.exists() else 0
        try:
            _download(url, part, before, timeout)
        except (OSError, HTTPException, ValueError) as e:
            if not isinstance(e, TooSlow) and part.exists() and part.stat().st_size > before:
                problem = str(e)
                continue  # cut midway: ask for the rest
            reason = getattr(e, "reason", e)  # urllib wraps the network's error
            return getattr(reason, "strerror", None) or str(reason) or type(e).__name__
        digest = _sha256(part)
        if digest == sha256:
            return ""
        part.unlink()
        problem = f"what came has the SHA-256 {digest}, expected is {sha256}"
        if not before:
            # and with a beginning from an earlier call, perhaps that was wrong: once more, all of
            # it
            break
    return problem


class TooSlow(OSError):
    """A server that does not answer in time; it is not tried again."""


def _within(seconds: float, call: Callable[[], Any]) -> Any:
    """The result of a call. Raises `TooSlow` after a time limit; its thread is then abandoned.

    A socket's own patience begins anew with each byte that comes.
    """
    done: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def make() -> None:
        try:
            done.put((call(), None))
        except BaseException as e:
            done.put((None, e))

    threading.Thread(target=make, daemon=True).start()
    try:
        result, error = done.get(timeout=seconds)
    except Empty:
        raise TooSlow(f"it did not answer within {seconds:g} s") from None
    if error is not None:
        raise error
    return result


def _download(url: str, part: Path, have: int, timeout: float) -> None:
    """Append to `part` after its `have` bytes; start anew if the server sends all of it."""
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    if not url.startswith(("http://", "https://")):
        raise ValueError("only http and https are fetched")
    headers = {"User-Agent": "dlexp", "Accept-Encoding": "identity"} | (
        {"Range": f"bytes={have}-"} if have else {}
    )
    try:
        # the socket notices a silent server first; this notices one that is slow with its
        # headers
        response = _within(
            timeout * 1.5, lambda: urlopen(Request(url, headers=headers), timeout=timeout)
        )
    except HTTPError as e:
        e.close()
        # nothing after what there is: its SHA-256 will tell whether it is the file
        if e.code == 416 and have:
            return
        raise OSError(f"HTTP status {e.code} {e.reason}") from None
    with response:
        resumed = response.status == 206 and response.headers.get("Content-Range", "").startswith(
            f"bytes {have}-"
        )
        if response.status == 206 and not resumed:
            raise OSError(
                f"it answers another range than asked for, {response.headers.get('Content-Range')}"
            )
        _save(response, part, have if resumed else 0, timeout)


def _save(response: Any, part: Path, have: int, timeout: float) -> None:
    from tqdm import tqdm

    length = response.headers.get("Content-Length")
    total = have + int(length) if length else None
    if total is not None and total > LIMIT:
        raise OSError(f"it sends {total:,} bytes; the limit is {LIMIT:,}")
    bar = tqdm(
        total=total,
        initial=have,
        desc=part.stem,
        unit="B",
        unit_scale=True,
        delay=1,
        disable=None,
        leave=False,
    )
    began, before = time.monotonic(), have
    with part.open("ab" if have else "wb") as file, bar:
        while block := response.read1(1 << 16):
            have += len(block)
            if time.monotonic() - began > timeout + (have - before) / SLOWEST:
                raise TooSlow(f"it sends less than {SLOWEST:,} bytes a second")
            if have > LIMIT:
                raise OSError(f"it sends more than {LIMIT:,} bytes")
            file.write(block)
            bar.update(len(block))
        file.flush()
        os.fsync(file.fileno())
    if total is not None and have != total:
        raise OSError(f"the connection was cut after {have:,} of {total:,} bytes")
