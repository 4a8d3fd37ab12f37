"""OmegaConf's words for a value, said in ours."""

from __future__ import annotations

import re

WORDS = {  # OmegaConf's words: ours; the first that fits
    r"could not be converted to Float": "must be a number",
    r"could not be converted to Integer": "must be a whole number",
    r"could not be converted to Boolean": "must be true or false",
    r"is not Optional|NoneType is not a subclass|Incompatible value 'None'": "cannot be null",
    r"is not a ListConfig|Cannot merge DictConfig with ListConfig": (
        "must be a list: [50] or [100,100]"
    ),
    r"Cannot convert '\w+' to string": "must be text",
    r"is not a valid bool": "must be true or false",
    r"[mM]issing mandatory value": (
        "has no value: ??? is Hydra's word for one that is still to be given"
    ),
    r"recursive interpolation": "leads back to itself",
    r"Interpolation key '(.*)' not found": r"refers to \1, and there is no such key",
    r"Interpolation to parent node": "refers to a part that it belongs to",
    r"Environment variable '\w+' not found": "there is no such environment variable",
    r"is not a subclass of": (
        "is a group of values: set one by its full name, as in early_stopping.patience=5"
    ),
    r"Unsupported value type|Unexpected (type annotation|object type)|is not supported|Unions of containers": (
        "has a type or a value that no configuration can hold: use float, int, bool, str,"
        " tuple[int, ...] and … | None"
    ),
}


def known_words(message: str) -> str:
    """Our words for a message; empty where there are none."""
    found = ((re.search(pattern, message), words) for pattern, words in WORDS.items())
    return next((match.expand(words) for match, words in found if match), "")


def plain(error: Exception) -> str:
    """What is wrong with a value, without OmegaConf's lines on where it stands among its objects
    (`full_key: …`).
    """
    message = next(
        (line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__
    )
    return known_words(message) or message[:1].lower() + message[1:]


def of_key(error: Exception) -> str:
    """The same, with the key that OmegaConf says it is about."""
    key = getattr(error, "full_key", None)
    return f"{key}: {plain(error)}" if key else plain(error)
