"""Names and numbers as a report shows them: short, without control characters."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

ABSENT = "–"  # a field that a method does not have


def clean(text: object) -> str:
    """Text without control characters, line breaks and half surrogates, which a name may hold.

    >>> clean("a\\x1b[31mb\\n  c")
    'a [31mb   c'
    """
    safe = "".join(
        " " if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") else c for c in str(text)
    )
    return safe.encode("utf-8", "replace").decode()


def plain(text: object) -> str:
    """The same with single spaces.

    >>> plain("a\\x1b[31mb\\n  c")
    'a [31mb c'
    """
    return " ".join(clean(text).split())


def value(token: str | None) -> str:
    """A value by its JSON, as one types it: `adam`, `0.1`, `[100,50]`, `5×100` for equal numbers.

    >>> [value(t) for t in ('"adam"', '0.1', '1e-05', 'null', 'true', None)]
    ['adam', '0.1', '1e-05', 'none', 'true', '–']
    >>> [value(t) for t in ('[100, 50]', '[100, 100, 100]')]
    ['[100,50]', '3×100']
    """
    if token is None:
        return ABSENT
    known = json.loads(token)
    if known is None:
        return "none"
    if isinstance(known, str):
        return plain(known) or "''"
    if isinstance(known, float):
        return f"{known:.4g}"
    alike = isinstance(known, list) and len({json.dumps(item) for item in known}) == 1
    if alike and len(known) > 2:
        return f"{len(known)}×{value(json.dumps(known[0]))}"
    return plain(json.dumps(known, ensure_ascii=False, separators=(",", ":")))


def exact(token: str | None) -> str:
    """A value for another program: nothing is shortened.

    >>> exact('0.123456789'), exact('"adam"'), exact(None)
    ('0.123456789', 'adam', '')
    """
    if token is None:
        return ""
    return str(json.loads(token)) if token.startswith('"') else token


def level(key: str, token: str | None) -> str:
    """A value with as much of its key as it needs: `adam`, `lr=0.1`, `regularizer=none`.

    >>> level("optimizer", '"adam"'), level("optimizer.lr", "0.1"), level("regularizer", '"none"')
    ('adam', 'lr=0.1', 'regularizer=none')
    """
    shown = value(token)
    itself = token is not None and token.startswith('"') and shown != "none"
    return shown if itself else f"{plain(key.rsplit('.', 1)[-1])}={shown}"


def width(text: str) -> int:
    """Columns a text takes on a terminal: two for each wide character, none for combining ones.

    >>> width("adam"), width("学习率")
    (4, 6)
    """
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )


def cut(text: str, columns: int) -> str:
    """A text of at most `columns` columns, with … where it was longer.

    >>> cut("momentum", 5), cut("adam", 5)
    ('mome…', 'adam')
    """
    taken = 0
    for i, letter in enumerate(text):
        taken += width(letter)
        if taken > columns:
            while width(text[:i]) > columns - 1:
                i -= 1
            return text[:i] + "…"
    return text


def number(x: float | None, like: str = "") -> str:
    """A metric's number: three decimals for an accuracy, else three significant digits.

    >>> number(0.97222, "test/accuracy"), number(0.000123456), number(1234.5), number(math.inf)
    ('0.972', '0.000123', '1.23e+03', '∞')
    """
    if x is None or math.isnan(x):
        return ABSENT
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    shown = f"{x:.3f}" if like.endswith("accuracy") else f"{x:#.3g}".rstrip(".")
    return (shown if float(shown) else shown.lstrip("-")).replace("-", "−") if x < 0 else shown


def span(ends: Sequence[float] | None, like: str = "") -> str:
    """An interval: `[0.95, 0.97]`.

    >>> span((0.9512, 0.9723), "accuracy"), span(None)
    ('[0.951, 0.972]', '–')
    """
    return f"[{number(ends[0], like)}, {number(ends[1], like)}]" if ends else ABSENT


def share(x: float, ends: Sequence[float] | None) -> str:
    """A share and its interval, in two decimals.

    >>> share(0.975, (0.9, 1.0)), share(0.5, None)
    ('0.97 [0.90, 1.00]', '0.50')
    """
    return f"{x:.2f}" + (f" [{ends[0]:.2f}, {ends[1]:.2f}]" if ends else "")


def probability(p: float | None) -> str:
    """A p-value: `.0020`, `.381`, `1`.

    >>> [probability(p) for p in (0.001953125, 0.0625, 0.3812, 1.0, 0.0000076)]
    ['.0020', '.0625', '.381', '1', '7.6e-06']
    """
    if p is None:
        return ABSENT
    if p >= 0.9995:
        return "1"
    shown = f"{p:.1e}" if p < 0.0001 else f"{p:.4f}" if p < 0.1 else f"{p:.3f}"
    return shown.lstrip("0")


def count(n: float) -> str:
    """A count, of seeds or epochs, that may end in a half or never.

    >>> count(9.0), count(9.5), count(math.inf), count(math.nan)
    ('9', '9.5', '∞', '–')
    """
    return f"{n:g}" if math.isfinite(n) else number(n)


def many(n: int, what: str) -> str:
    """`1 run`, `3 runs`.

    >>> many(1, "run"), many(3, "run")
    ('1 run', '3 runs')
    """
    return f"{n:,} {what}{'s' * (n != 1)}"


def capital(text: str) -> str:
    """The same with a capital letter first.

    >>> capital("exact test, Holm")
    'Exact test, Holm'
    """
    return text[:1].upper() + text[1:]


def listed(names: Sequence[str], most: int = 12) -> str:
    """`a`, `a and b`, `a, b and c`; of very many only the first.

    >>> listed(["a", "b", "c"]), listed(["a", "b", "c"], 2)
    ('a, b and c', 'a, b and 1 more')
    """
    names = list(names)
    if len(names) > most:
        names = [*names[:most], f"{len(names) - most} more"]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else "none"


def ranges(numbers: Sequence[int]) -> str:
    """Whole numbers in ascending order, neighbours together.

    >>> ranges([0, 1, 2, 3, 7, 9, 10])
    '0–3, 7, 9, 10'
    """
    parts: list[list[int]] = []
    for n in numbers:
        if parts and n == parts[-1][-1] + 1:
            parts[-1].append(n)
        else:
            parts.append([n])
    return ", ".join(f"{p[0]}–{p[-1]}" if len(p) > 2 else ", ".join(map(str, p)) for p in parts)


def slug(text: str) -> str:
    """Part of a file name.

    >>> slug("optimizer.lr × 层/../x"), slug("../..")
    ('optimizer.lr-x', 'x')
    """
    return re.sub(r"(?<=-)[.-]+", "", re.sub(r"[^A-Za-z0-9_.=-]+", "-", text)).strip("-.") or "x"


def token(plain_value: Any) -> str:
    """A value as canonical JSON: what equal values have in common."""
    return json.dumps(plain_value, sort_keys=True, ensure_ascii=False)
