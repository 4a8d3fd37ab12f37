"""The digest of a source file's code: comments, docstrings and formatting do not change it."""

from __future__ import annotations

import ast
import hashlib
from typing import Any

SHORT = 16  # hexadecimal digits of a digest, in what is recorded
IGNORED = ("kind", "type_comment", "type_ignores")  # fields of the tree that are no code


def code_digest(content: bytes | str) -> str:
    """The digest of a source's syntax tree: no comments, no docstrings, no formatting.

    It is the same on every version of Python: what newer versions add to the tree is left out
    if it is empty. Raises `SyntaxError` or `ValueError`.
    """
    words: list[str] = []
    todo: list[Any] = [ast.parse(content)]
    while todo:  # no recursion: expressions may be nested deeply
        node = todo.pop()
        if isinstance(node, _Word):
            words.append(node)
        elif isinstance(node, ast.AST):
            if isinstance(node, ast.JoinedStr):
                node.values = [part for part in node.values if not _is_blank(part)]
            todo.append(_Word(")"))
            for name, value in ast.iter_fields(node):
                if name not in IGNORED and value is not None and value != []:
                    todo += (value, _Word(name))
            todo.append(_Word(f"{type(node).__name__}("))
        elif isinstance(node, list):
            todo += [_Word("]"), *(item for item in node[::-1] if not _is_idle(item)), _Word("[")]
        else:  # a number, a text, a name; the digits of a large integer cannot be printed
            words.append(hex(node) if type(node) is int else ascii(node))
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:SHORT]


class _Word(str):
    """A part of a syntax tree's text, ready to be hashed."""


def _is_idle(node: Any) -> bool:
    """Whether a statement is only a text, as a docstring is."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _is_blank(node: ast.expr) -> bool:
    """Whether a part of an f-string is an empty text: some versions of Python add them."""
    return isinstance(node, ast.Constant) and node.value == ""
