"""The tutorial and the studies agree: texts, verdicts, numbers, figures, in both languages."""

import hashlib
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from dlexp.cli.main import main
from dlexp.config import compose_run
from dlexp.config.plan import Plan
from dlexp.paths import CONF
from dlexp.sweeps.studies import named

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / "docs" / "tutorial"
COMMAND = re.compile(r"^ *(python -m dlexp .*?)(?:  +#.*)?$", re.MULTILINE)


@pytest.fixture(scope="module")
def tutorial():
    """scripts/tutorial.py, which fills the pages, and with it scripts/tutorial_pages.py."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        spec = importlib.util.spec_from_file_location("tutorial", ROOT / "scripts" / "tutorial.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(ROOT / "scripts"))
    return module


def pages(language):
    return {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted(TUTORIAL.glob(f"{language}/*.md"))
    }


def stored():
    return {
        p.stem: json.loads(p.read_text(encoding="utf-8"))
        for p in sorted(TUTORIAL.glob("verdicts/*.json"))
    }


def page_of(study, language):
    (text,) = [
        text for text in pages(language).values() if f"<!-- begin claims {study} -->" in text
    ]
    return text


def commands(language):
    return [found for text in pages(language).values() for found in COMMAND.findall(text)]


STUDIES = sorted(study.name for study in named(CONF / "experiment"))
LANGUAGES = ("en", "zh")


def test_every_study_has_its_page_its_verdicts_and_its_place_in_the_index(tutorial):
    index = json.loads((TUTORIAL / "studies.json").read_text(encoding="utf-8"))
    assert sorted(tutorial.PAGES) == STUDIES == sorted(stored()) == sorted(index)
    for language in LANGUAGES:
        assert sorted(pages(language)) == sorted(
            ["README.md", *(f"{page}.md" for page in tutorial.PAGES.values())]
        )


@pytest.mark.parametrize("study", STUDIES)
def test_the_verdicts_belong_to_the_study_as_its_file_is_now(tutorial, study):
    now, _ = tutorial.study_now(study)
    index = json.loads((TUTORIAL / "studies.json").read_text(encoding="utf-8"))
    assert index[study]["settings"] == now.digest, (
        "its settings were changed: run it, then scripts/make_tutorial"
    )
    assert tutorial.differences(now, stored()[study]) == []


@pytest.mark.parametrize("study", STUDIES)
def test_every_claim_stands_on_its_pages_with_its_verdict(tutorial, study):
    now, _ = tutorial.study_now(study)
    verdicts = {claim["id"]: claim["verdict"] for claim in stored()[study]["claims"]}
    for language in LANGUAGES:
        lines = page_of(study, language).splitlines()
        for claim in now.description["claims"]:
            message = f"| {' '.join(claim['says'][language].split())} | "
            (line,) = [line for line in lines if line.startswith(message)]
            shown = re.search(r"NOT SUPPORTED|SUPPORTED|INCONCLUSIVE", line.removeprefix(message))
            assert shown[0] == verdicts[claim["id"]]


@pytest.mark.parametrize("language", LANGUAGES)
def test_tables_and_numbers_are_those_of_the_stored_verdicts(tutorial, language):
    known = stored()
    for name, text in pages(language).items():
        assert tutorial.render(text, language, known) == text, f"{name}: run scripts/make_tutorial"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("study", STUDIES)
def test_the_words_were_written_for_the_verdicts_that_stand(study, language):
    (told,) = re.findall(rf"<!-- written for {study}: (.*) -->", page_of(study, language))
    found = ", ".join(f"{claim['id']}={claim['verdict']}" for claim in stored()[study]["claims"])
    assert told == found, "read the page, change its words, then this mark"


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_line_begins_with_a_mark_that_would_end_its_paragraph(language):
    for name, text in pages(language).items():
        assert not re.search(r"^\s*<!-- number", text, re.MULTILINE), name
        assert "TODO" not in text


def test_every_figure_exists_has_words_in_both_languages_and_is_the_one_that_was_stored(tutorial):
    index = json.loads((TUTORIAL / "studies.json").read_text(encoding="utf-8"))
    shown = {language: [] for language in LANGUAGES}
    for language in LANGUAGES:
        for name, text in pages(language).items():
            for alternative, target, below in re.findall(r"!\[([^\]]*)\]\((.*?)\)\n\n(.*)", text):
                assert len(alternative) > 9, (name, target)
                assert re.fullmatch(r"\*.+", below), f"{name}: {target} has no caption"
                assert (language == "zh") == bool(
                    re.search(r"[\u4e00-\u9fff]", alternative + below)
                ), (name, target)
                shown[language].append(
                    str((TUTORIAL / language / target).resolve().relative_to(TUTORIAL / "figures"))
                )
            assert text.count("![") == len(re.findall(r"!\[[^\]]+\]\([^)]+\)\n\n\*", text)), name
    assert shown["en"] == shown["zh"]
    sums = {
        f"{study}/{figure}": digest
        for study, told in index.items()
        for figure, digest in told["figures"].items()
    }
    files = {
        path.relative_to(TUTORIAL / "figures").as_posix(): path
        for path in TUTORIAL.glob("figures/*/*")
    }
    assert set(shown["en"]) <= set(sums) == set(files)
    for name, path in files.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == sums[name], (
            f"{name} is not what was copied"
        )
    assert sum(path.stat().st_size for path in files.values()) < 4e6


@pytest.mark.parametrize("language", LANGUAGES)
def test_links_within_the_repository_lead_somewhere(language):
    for name, text in pages(language).items():
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert (TUTORIAL / language / target).exists(), (name, target)


def test_both_languages_have_the_same_commands_and_every_page_ends_with_some():
    assert commands("en") == commands("zh")
    for language, heading in (("en", "## Things to try"), ("zh", "## 动手试试")):
        for name, text in pages(language).items():
            if name != "README.md":
                last = text.rpartition("\n## ")[2]
                assert f"## {last}".startswith(heading), name
                assert 3 <= len(re.findall(r"^\d\. ", last, re.MULTILINE)) <= 5, name
                assert COMMAND.findall(last), name


def first_and_last(words):
    """The overrides of two jobs of a sweep: with every first and with every last value."""
    plan = Plan.of(
        OverridesParser.create().parse_overrides([w for w in words if not w.startswith("hydra")])
    )
    draw = {
        key: [f"{interval.start}", f"{interval.end}"] for key, interval in plan.intervals.items()
    }
    axes = {key: draw.get(key, values) for key, values in plan.swept.items()}
    return [
        [*plan.fixed, *(f"{key}={values[end]}" for key, values in axes.items())] for end in (0, -1)
    ]


@pytest.mark.parametrize("command", sorted(set(commands("en"))))
def test_a_command_of_the_tutorial_is_accepted(command):
    words = shlex.split(command)[3:]
    if words[0] == "claims":
        assert main(["claims", "--help"]) == 0
    else:
        assert (
            "-m" in words
            or words[0].startswith("experiment=")
            or not any("," in w for w in words if "[" not in w)
        )
        for job in first_and_last([w for w in words if w != "-m"]):
            compose_run(*job).experiment.trainer()


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", sorted({c for c in commands("en") if "dlexp -m " in c or "experiment=" in c})
)
def test_all_jobs_of_a_sweep_of_the_tutorial_are_accepted(command, in_tmp, capsys):
    assert main([*shlex.split(command)[3:], "--dry-run"]) == 0, capsys.readouterr().err
    assert not list(in_tmp.glob("outputs/*"))


@pytest.mark.slow
def test_the_cheapest_study_run_again_gives_the_stored_verdicts_to_the_byte(tmp_path):
    environment = os.environ | {"DLEXP_OUTPUTS": str(tmp_path)}
    command = [sys.executable, "-m", "dlexp", "experiment=optimizer_paths", "tracking=none"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    (again,) = tmp_path.glob("sweeps/optimizer_paths-*/report/verdicts.json")
    assert again.read_bytes() == (TUTORIAL / "verdicts" / "optimizer_paths.json").read_bytes()
