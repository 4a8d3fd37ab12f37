"""Removes what may be a secret in an address from all that is printed, written or sent."""

from __future__ import annotations

import logging
import re

HIDDEN = "***"
# A password in `scheme://user:password@host`, or with one slash, as in a path. Not a port:
# `http://host:5000/a@b`.
_PASSWORD = re.compile(r"(:/{1,3}[^\s:/@'\"]*:)(?!\d+/)[^\s@]+(?=@)")
_TOKEN = re.compile(r"(?i)(https?:/{1,3})[^\s/@:]+(?=@)")  # a token or user name
_NAMED = re.compile(
    r"(?i)([?&;][\w.-]*(?:token|passw(?:or)?d|pwd|secret|signature|sig|credential"
    r"|api[_-]?key|access[_-]?key|auth)"
    r"[\w.-]*=)[^\s&;#'\"]+"
)


def clean(text: str) -> str:
    """A text without the secrets of its addresses.

    >>> clean("s3://key:SE/CRET@host/x.csv: there is no file /home/ann/s3:/key:SE/CRET@host/x.csv")
    's3://key:***@host/x.csv: there is no file /home/ann/s3:/key:***@host/x.csv'
    >>> clean("https://token@host:5000/a, https://host/x.csv?token=abc but not http://host:5000/a@b")
    'https://***@host:5000/a, https://host/x.csv?token=*** but not http://host:5000/a@b'
    """
    if ":/" not in text:
        return text
    text = _PASSWORD.sub(rf"\1{HIDDEN}", text)
    text = _TOKEN.sub(rf"\1{HIDDEN}", text)
    return _NAMED.sub(rf"\1{HIDDEN}", text)


def cleaned_of(value: str, text: str) -> str:
    """A text about a value, without the secrets in the value, whatever the spaces."""
    for secret in re.findall(r"(?s):/{1,3}[^:/@]*:(?!\d+/)([^@]{3,})@", value):
        text = text.replace(secret, HIDDEN).replace(" ".join(secret.split()), HIDDEN)
    return clean(text)


class Formatter(logging.Formatter):
    """Formats log messages and tracebacks without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """The formatted record."""
        return clean(super().format(record))


def redacted(uri: str) -> str:
    """The address of a store without what may be a secret: password, token, all after ? or #.

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
