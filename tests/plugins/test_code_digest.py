"""The digest of a source's code: the same on every Python, whatever its comments and layout."""

import pytest

from dlexp.plugins.code_digest import code_digest
from dlexp.plugins.source_code import Source

PLAIN = '''
"""A module."""
from dlexp import Optimizer, plugin

@plugin("lion")
class Lion(Optimizer):
    """w ← w − lr·g"""
    lr: float = 0.1

    def update(self, w, g, s, lr, t):
        w -= lr * (g + 0)  # in place
        print(f"{t}: {lr:>{t}}" "!")
'''
SAME = {
    "a comment": PLAIN.replace("# in place", "# another word"),
    "no docstrings": PLAIN.replace('"""A module."""', "").replace('    """w ← w − lr·g"""\n', ""),
    "a docstring": PLAIN.replace("lr, t):\n", 'lr, t):\n        """Change w."""\n'),
    "a line that is broken": PLAIN.replace("lr * (g + 0)", "lr * (\n            g + 0\n        )"),
    "blank lines": PLAIN.replace("\n", "\n\n"),
    "quotes": PLAIN.replace('"lion"', "'lion'"),
    "a text in two pieces": PLAIN.replace('"lion"', '("li" "on")'),
    "line ends of Windows": PLAIN.replace("\n", "\r\n"),
}
OTHER = {
    "a formula": PLAIN.replace("g + 0", "g - 0"),
    "a kind of number": PLAIN.replace("g + 0", "g + 0.0"),
    "a default": PLAIN.replace("= 0.1", "= 0.2"),
    "a type": PLAIN.replace("lr: float", "lr: int"),
    "a name": PLAIN.replace("Lion", "Tiger"),
    "an option": PLAIN.replace('"lion"', '"tiger"'),
    "an import": PLAIN.replace("Optimizer, plugin", "plugin, Optimizer"),
    "a statement": PLAIN + "x = None\n",
    "a text that is printed": PLAIN.replace('"!"', '"?"'),
}


@pytest.mark.parametrize("what", SAME)
def test_what_changes_no_code_changes_no_digest(what):
    assert SAME[what] != PLAIN
    assert code_digest(SAME[what]) == code_digest(PLAIN)


@pytest.mark.parametrize("what", OTHER)
def test_code_that_changes_has_another_digest(what):
    assert OTHER[what] != PLAIN
    assert code_digest(OTHER[what]) != code_digest(PLAIN)


def test_the_digest_is_the_same_on_every_version_of_python():
    """Python 3.11 to 3.14 were seen to give these."""
    assert code_digest(PLAIN) == "b72305064c68dde9"
    assert code_digest("x = f'{a=!r:>{b}}', u'é', 10**40, 0x" + "f" * 5000) == "245fc1f863ebb504"


def test_what_is_no_source_has_the_digest_of_its_bytes():
    for content in (b"\x00\xff", b"def", "x = 'é'".encode("latin-1")):
        source = Source(content)
        assert source.code == source.sha256[:16]


def test_an_expression_may_be_nested_deeply():
    assert code_digest("x = " + "-" * 80 + "1") != code_digest("x = " + "-" * 81 + "1")
    assert code_digest("x = " + "1 + " * 900 + "1") != code_digest("x = " + "1 + " * 901 + "1")
