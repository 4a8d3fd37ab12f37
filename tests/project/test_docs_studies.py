"""The example in docs/studies.md works, and the page explains all keys of studies and claims."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dlexp.report.claims import spec
from dlexp.report.claims.terms import FUNCTIONS, MOMENTS
from dlexp.report.plots.study import KINDS
from dlexp.sweeps.study_file import KEYS

PAGE = Path(__file__).parents[2] / "docs" / "studies.md"


@pytest.fixture(scope="module")
def text():
    return PAGE.read_text(encoding="utf-8")


def block(text, language):
    (found,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return found


def test_the_example_gives_its_verdicts(text, in_tmp):
    plugin, study = (
        in_tmp / "plugins" / "optimizer" / "lion.py",
        in_tmp / "mine" / "experiment" / "lion.yaml",
    )
    for path, message in ((plugin, block(text, "python")), (study, block(text, "yaml"))):
        path.parent.mkdir(parents=True)
        path.write_text(message, encoding="utf-8")
    (command,) = re.findall(r"```bash\n(python -m dlexp claims --config-dir mine lion)\n```", text)
    words = [sys.executable, *command.split()[1:], "--quick"]
    done = subprocess.run(
        words, capture_output=True, text=True, encoding="utf-8", check=False, cwd=in_tmp
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("lion ")]
    assert [row[1] for row in rows] == ["slower_at_first", "as_good_when_tuned"]
    assert all(row[2] in "✓✗?" for row in rows)
    assert all(int(row[-2]) >= 6 for row in rows)  # n: none is for want of seeds
    (page,) = in_tmp.glob("outputs/sweeps/lion-*/report/report.html")
    html = page.read_text("utf-8")
    assert "not drawn" not in html
    assert html.count("<img ") == 2


def test_every_word_of_a_study_and_every_field_of_a_claim_is_explained(text):
    words = set(re.findall(r"`([a-z_0-9/ @N]+)[`:]", text))
    known = {*KEYS, *spec.FIELDS, *spec.DIRECTIONS, *spec.REDUCTIONS, *KINDS, *FUNCTIONS}
    assert known - words == set()
    assert {f"@ {moment}" for moment in MOMENTS} - {
        word.removesuffix(" N") for word in words
    } == set()
    for kind in KINDS.values():
        assert set(kind.options) - words - {"better"} == set()


def test_the_page_is_linked_where_people_begin():
    for name in ("README.md", "CONTRIBUTING.md"):
        assert "(docs/studies.md)" in (PAGE.parents[1] / name).read_text(encoding="utf-8")
