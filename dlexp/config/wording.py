"""Translates OmegaConf's messages into ours."""

from __future__ import annotations

import re

WORDS = {  # OmegaConf's words: ours; the first match counts
    r"could not be converted to Float": "must be a number",
    r"could not be converted to Integer": "must be a whole number",
    r"could not be converted to Boolean": "must be true or false",
    r"is not Optional|NoneType is not a subclass|Incompatible value 'None'": "cannot be null",
    r"is not a ListConfig|Cannot merge DictConfig with ListConfig": (
        "must be a list: [50] or [100,100]"
    ),
    r"Cannot convert '\w+' to string": "must be text",
    r"is not a valid bool": "must be true or false",
    r"[mM]issing mandatory value": ("has no value: ??? marks a value that must still be given"),
    r"recursive interpolation": "refers to itself",
    r"Interpolation key '(.*)' not found": r"refers to \1, which does not exist",
    r"Interpolation to parent node": "refers to a part that contains it",
    r"Environment variable '\w+' not found": "there is no such environment variable",
    r"is not a subclass of": (
        "is a group of values: set one by its full name, as in early_stopping.patience=5"
    ),
    r"Unsupported value type|Unexpected (type annotation|object type)"
    r"|is not supported|Unions of containers": (
        "has a type or value that a configuration cannot hold: use float, int, bool, str,"
        " tuple[int, ...] and … | None"
    ),
}


def known_words(message: str) -> str:
    """Our words for a message; an empty string if there are none."""
    matches = ((re.search(pattern, message), words) for pattern, words in WORDS.items())
    return next((match.expand(words) for match, words in matches if match), "")


def plain(error: Exception) -> str:
    """What is wrong with a value, without OmegaConf's lines on its place (`full_key: …`)."""
    message = next(
        (line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__
    )
    return known_words(message) or message[:1].lower() + message[1:]


def of_key(error: Exception) -> str:
    """The same, preceded by the key that OmegaConf names."""
    key = getattr(error, "full_key", None)
    return f"{key}: {plain(error)}" if key else plain(error)
