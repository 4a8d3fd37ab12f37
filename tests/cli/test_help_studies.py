"""Help for named studies: a list of titles; one page has figures, parts and claims of a study."""

import pytest

from dlexp import paths
from dlexp.cli.help import details, overview
from dlexp.cli.main import main
from dlexp.sweeps import studies

SHIPPED = sorted((paths.CONF / "experiment").glob("*.yaml"))


def flat(text):
    return " ".join(text.split())


def test_the_overview_lists_every_study_with_its_title(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    told = overview().partition("experiment: named studies")[2].splitlines()[1:]
    assert [line.split(None, 1) for line in told[: len(SHIPPED)]] == [
        [path.stem, studies.words_of(path)["title"]["en"]] for path in SHIPPED
    ]
    assert "claims  " in overview()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_study_tells_its_title_what_it_shows_its_parts_and_its_claims(path):
    message = studies.words_of(path)
    told = details(f"experiment={path.stem}")
    assert told.startswith(f"experiment={path.stem}\n\n{message['title']['en']}\n")
    shown = flat(told)
    assert flat(message["shows"]["en"]) in shown
    for name, part in (message.get("parts") or {}).items():
        assert f" {name} {part['title']['en']}" in shown
    for claim in message["claims"]:
        assert f" {claim['id']} {flat(claim['says']['en'])}" in shown
    assert told.endswith(str(path))
    assert max(map(len, told.splitlines()[:-1])) <= 120


def test_a_technique_and_the_study_of_it_share_a_name_and_both_are_told(capsys):
    assert main(["help", "weight_decay"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("regularizer=weight_decay\n")
    assert "\n\nexperiment=weight_decay\n" in out
    assert "experiment=" not in details("regularizer=weight_decay")
    assert "regularizer=" not in details("experiment=weight_decay")


def test_the_group_of_studies_has_help_and_a_name_that_nobody_has_the_nearest(capsys):
    assert details("experiment").splitlines()[1].split()[0] == SHIPPED[0].stem
    assert main(["help", "optimizer_path"]) == 2
    assert "did you mean 'optimizer_paths'?" in capsys.readouterr().err
