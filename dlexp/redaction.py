"""What may be a secret in an address: taken out of all that is printed, written down or sent."""

from __future__ import annotations

import logging
import re

HIDDEN = "***"
# A password in `scheme://user:password@host`; with one slash, as a path has it. Not a port:
# `http://host:5000/a@b`.
_PASSWORD = re.compile(r"(:/{1,3}[^\s:/@'\"]*:)(?!\d+/)[^\s@]+(?=@)")
_TOKEN = re.compile(r"(?i)(https?:/{1,3})[^\s/@:]+(?=@)")  # whoever asks a server
_NAMED = re.compile(
    r"(?i)([?&;][\w.-]*(?:token|passw(?:or)?d|pwd|secret|signature|sig|credential|api[_-]?key|access[_-]?key|auth)"
    r"[\w.-]*=)[^\s&;#'\"]+"
)


def clean(text: str) -> str:
    """A text without the secrets of the addresses in it.

    >>> clean("data.path=s3://key:SE/CRET@host/x.csv: there is no file /home/ann/s3:/key:SE/CRET@host/x.csv")
    'data.path=s3://key:***@host/x.csv: there is no file /home/ann/s3:/key:***@host/x.csv'
    >>> clean("https://token@host:5000/a and https://host/x.csv?version=2&token=abc but not http://host:5000/a@b")
    'https://***@host:5000/a and https://host/x.csv?version=2&token=*** but not http://host:5000/a@b'
    """
    if ":/" not in text:
        return text
    text = _PASSWORD.sub(rf"\1{HIDDEN}", text)
    text = _TOKEN.sub(rf"\1{HIDDEN}", text)
    return _NAMED.sub(rf"\1{HIDDEN}", text)


def cleaned_of(value: str, text: str) -> str:
    """A text about a value: what is hidden in the value is hidden wherever the text repeats it,
    spaces or not.
    """
    for secret in re.findall(r"(?s):/{1,3}[^:/@]*:(?!\d+/)([^@]{3,})@", value):
        text = text.replace(secret, HIDDEN).replace(" ".join(secret.split()), HIDDEN)
    return clean(text)


class Formatter(logging.Formatter):
    """What is logged, tracebacks too, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, or the lines, of a record."""
        return clean(super().format(record))


def redacted(uri: str) -> str:
    """The address of a store without what may be a secret: a password, whoever asks a server, all
    behind ? or #.

    >>> redacted("postgresql://ann:secret@db.example:5432/runs")
    'postgresql://ann:***@db.example:5432/runs'
    >>> redacted("sqlite:////home/ann/outputs/mlflow.db")
    'sqlite:////home/ann/outputs/mlflow.db'
    >>> redacted("mysql://db.example/runs?user=ann&password=secret")
    'mysql://db.example/runs?***'
    >>> redacted("https://token@host:5000")
    'https://***@host:5000'
    """
    uri = re.sub(r"(?i)(https?://)[^@]*@", r"\1***@", uri)
    uri = re.sub(r"(://[^:/@]*:)[^@]*@", r"\1***@", uri)
    return re.sub(r"(?is)(\?|https?:[^?#]*#).+", r"\1***", uri)
