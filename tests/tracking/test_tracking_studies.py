"""A named study in MLflow: its title, its text, and the verdicts on its claims."""

import json

import pytest
from claim_folders import claim, shift, studied
from run_folders import send, with_store
from sweep_folders import found, say

from dlexp import report, tracking
from dlexp.storage.records import SweepDescription
from dlexp.storage.status import Status
from dlexp.tracking import sweep_page

SAID = {
    "title": {"en": "Weight decay", "zh": "权重衰减"},
    "shows": {"en": "It\n restrains.", "zh": "抑制。"},
}


@pytest.fixture
def make(tmp_path):
    """A study with its report, and the page that MLflow is sent."""

    def made(claims=None, place="w", **how):
        claims = (
            [
                claim(),
                claim(id="b", says={"en": "It a|b grows.", "zh": "增"}, direction="more"),
                claim(id="c", metric="x"),
            ]
            if claims is None
            else claims
        )
        study = {"name": "small", **SAID, "claims": claims}
        folder = studied(
            tmp_path / place, [], shift(0.1), study=study, name="small", ended_ms=5, **how
        )
        report.make([folder])
        return folder

    return made


def noted(folder):
    told = SweepDescription.read(folder)
    return sweep_page.note(told, [], folder, Status.FINISHED, "http://x"), told


def test_the_page_begins_with_the_title_what_it_shows_and_the_verdicts(make):
    folder = make()
    note, told = noted(folder)
    lines = [line.replace(sweep_page.GAP, "") for line in note.splitlines()]
    assert lines[:3] == ["### Weight decay", "", "It restrains."]
    table = [line.strip("|").split("|") for line in lines[4:9]]
    assert table[0] == ["claim", "verdict", "effect, 95 % interval", "n", "p Holm"]
    verdicts = json.loads((folder / "report" / "verdicts.json").read_text("utf-8"))["claims"]
    assert [row[:2] for row in table[2:]] == [
        ["Weight decay shrinks it.", "✓ SUPPORTED"],
        ["It a/b grows.", "✗ NOT SUPPORTED"],
        ["Weight decay shrinks it.", "? INCONCLUSIVE"],
    ]
    low, high = verdicts[0]["interval"]
    assert table[2][2:] == [
        f"{verdicts[0]['effect']:.4g} [{low:.4g}, {high:.4g}]",
        "10",
        "0.003906",
    ]
    assert table[4][2:] == ["–", "0", "–"]
    assert (
        note.index("NOT SUPPORTED")
        < note.index("Charts of the groups")
        < note.index("test/loss, IQM")
    )
    assert sweep_page.name(told, 20) == "study small: regularizer (20 runs)"


@pytest.mark.parametrize("quick", [True, False])
def test_a_preview_says_so_under_its_title(make, quick):
    note, _ = noted(make(fixed=[f"quick={quick}"]))
    assert ("\n> A smaller budget (quick=true): a preview\n" in note) == quick
    assert note.count("A smaller budget") == quick


def test_without_a_report_there_are_words_and_no_verdicts(make):
    folder = make()
    for text in ("", "[]", '{"claims": [{}]}', '{"claims": [1]}'):
        (folder / "report" / "report.json").write_text(text, encoding="utf-8")
        note, _ = noted(folder)
        assert note.startswith("### Weight decay\n\nIt restrains.\n\n**0 runs**")


def test_a_study_without_claims_and_a_plain_sweep_have_no_table_of_verdicts(make):
    folder = make(claims=[])
    assert "|claim" not in noted(folder)[0]
    say(folder, study=None)
    note, told = noted(folder)
    assert note.startswith("**0 runs**")
    assert sweep_page.name(told).startswith("sweep small: ")


def test_both_pages_go_along_to_mlflow(make, tmp_path):
    with_store(tmp_path / "outputs")
    uri = tracking.store_uri(tmp_path / "outputs")
    folder = make(
        tracking={"uri": uri, "artifacts": None, "experiment": "dlexp", "model": True, "wait": 60.0}
    )
    send(folder)
    told = found(tmp_path / "outputs", folder)
    assert told["note"].startswith("### Weight decay")
    assert {"report/report.html", "report/report.zh.html", "report/verdicts.json"} <= set(
        told["files"]
    )
