"""`python -m dlexp claims`: its studies, their overrides, its table, and failures."""

from types import SimpleNamespace

import pytest

from dlexp import paths
from dlexp.cli.main import main
from dlexp.config import grid
from dlexp.report.paired import seeds_needed
from dlexp.sweeps import studies
from dlexp.sweeps.studies import run
from dlexp.sweeps.studies.outcome import StudyOutcome

SHIPPED = sorted((paths.CONF / "experiment").glob("*.yaml"))
STUDY = """\
# @package _global_
# A small study.
data: {n_train: 100}
model: {hidden: [5]}
epochs: 2
hydra:
  mode: MULTIRUN
  sweeper:
    params: {optimizer: "sgd,adam", seed: "range(7)"}
study:
  title: {en: A study, zh: 一项研究}
  quick: {params: {epochs: 1}}
  claims:
    - id: faster
      says: {en: Adam is faster., zh: Adam 更快。}
      metric: train/loss
      of: {optimizer: adam}
      against: {optimizer: sgd}
      direction: less
      margin: 0.001
"""
SLOWER = """\
    - id: slower
      says: {en: Adam is slower., zh: Adam 更慢。}
      metric: train/loss
      of: {optimizer: adam}
      against: {optimizer: sgd}
      direction: more
      margin: 0.001
"""


@pytest.fixture
def own(in_tmp):
    """A folder with studies of one's own: two with claims, one without."""
    folder = in_tmp / "mine"
    (folder / "experiment").mkdir(parents=True)
    for name, text in (
        ("zz", STUDY),
        ("aa", STUDY + SLOWER),
        ("plain", STUDY.partition("  claims:")[0]),
    ):
        (folder / "experiment" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return str(folder)


def launcher_of(end):
    """A launcher of studies whose commands end at once: `end` is given each command."""

    class Launcher:
        def __init__(self, folder, overrides, *, quick, workers):
            self.overrides, self.options = overrides, {"quick": quick, "workers": workers}

        def submit(self, studies):
            return [(s, tuple(run.command_of(s, self.overrides, **self.options))) for s in studies]

        def ended(self, handles):
            return handles

        def result(self, handle):
            study, command = handle
            return StudyOutcome.of(study, end(command), 0.0)

    return Launcher


@pytest.fixture
def commands(monkeypatch):
    """The commands that would have been run; each ends as `end` says, without verdicts."""
    seen = []
    end = SimpleNamespace(returncode=0, stderr="", stdout="sweep  fine\n")

    def ended(command):
        seen.append([*command[1:]])
        return end

    monkeypatch.setattr(run, "StudyCommands", launcher_of(ended))
    return SimpleNamespace(seen=seen, end=end)


def test_all_studies_with_claims_are_run_and_each_is_told_of_once(own, commands, capsys):
    assert main(["claims", "--config-dir", own]) == 1
    names = [
        word for command in commands.seen for word in command if word.startswith("experiment=")
    ]
    assert sorted(names) == sorted(
        [*(f"experiment={path.stem}" for path in SHIPPED), "experiment=aa", "experiment=zz"]
    )
    out = capsys.readouterr().out
    # nothing was written
    told = [line.split(":")[0].strip() for line in out.splitlines() if ": failed" in line]
    assert told == sorted([*(path.stem for path in SHIPPED), "aa", "zz"])


def test_a_study_is_a_command_of_its_own_and_overrides_go_to_all(own, commands):
    assert main(["claims", "zz", "data=mnist", "aa", "seed=range(20)", "--config-dir", own]) == 1
    for command in commands.seen:
        assert command[:2] == ["-m", "dlexp"]
        assert command[2:4] == ["--config-dir", own]
        assert command[4] in ("experiment=aa", "experiment=zz")
        assert command[-2:] == ["data=mnist", "seed=range(20)"]
        assert not any("quick" in word or "tracking" in word for word in command)
    assert len(commands.seen) == 2


def test_studies_of_dlexp_need_no_folder(commands):
    assert main(["claims", "weight_decay", "weight_decay"]) == 1
    ((*_, first, _),) = commands.seen
    assert first == "experiment=weight_decay"
    assert "--config-dir" not in commands.seen[0]


def test_quick_asks_for_the_smaller_budget_and_sends_nothing(own, commands, capsys):
    assert main(["claims", "--quick", "zz", "seed=range(6)", "--config-dir", own]) == 1
    # what was typed overrules
    assert commands.seen[0][-3:] == ["quick=true", "tracking=none", "seed=range(6)"]
    assert "--quick: a smaller budget; these verdicts are a preview" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["wieght_decay"],
            (
                "claims=wieght_decay (command line): there is no such study; choose from"
                " activation_dis"
            ),
        ),
        (["wieght_decay"], "did you mean 'weight_decay'?"),
        (
            ["plain", "--config-dir", "mine"],
            (
                "claims=plain (mine/experiment/plain.yaml): makes no claims; to train it: "
                "python -m dlexp --config-dir mine experiment=plain"
            ),
        ),
        (
            ["--config-dir", "nowhere"],
            "--config-dir=nowhere (command line): there is no folder nowhere/experiment",
        ),
        (["--config-dir", "bare"], "there is no study with claims in bare/experiment"),
        (
            ["--config-dir", "twice"],
            "--config-dir=weight_decay (command line): dlexp has a study of this name: give",
        ),
        (["--config-dir", "broken"], "broken/experiment/x.yaml: cannot be read: "),
        (["--quik"], "unrecognized arguments: --quik"),
    ],
    ids=["name", "nearest", "no-claims", "no-folder", "no-study", "twice", "no-yaml", "flag"],
)
def test_a_mistake_is_one_line_and_nothing_is_run(own, in_tmp, commands, capsys, words, message):
    for place, name, text in (
        ("bare", "x", "epochs: 1\n"),
        ("twice", "weight_decay", STUDY),
        ("broken", "x", "a: [\n"),
    ):
        (in_tmp / place / "experiment").mkdir(parents=True)
        (in_tmp / place / "experiment" / f"{name}.yaml").write_text(text, encoding="utf-8")
    assert main(["claims", *words]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert commands.seen == []


BAR = " 30%|███       | 3/10 [00:01<00:03,  2.0run/s, 2 running, 0 failed, 0 diverged]"


@pytest.mark.parametrize(
    ("err", "out", "message"),
    [
        (f"dlexp: warning: slow\ndlexp: error: model=mpl: no\n{BAR}\n", "", "error: model=mpl: no"),
        (
            f"{BAR}\n",
            "sweep     1 failed\nfailed    seed=3: boom (runs/x)\nMLflow x\n",
            "failed seed=3: boom (runs/x)",
        ),
        (f"Traceback (most recent call last):\nKeyError: 'x'\n{BAR}\n", "", "KeyError: 'x'"),
        (f"{BAR}\n", "", "it printed nothing"),
    ],
    ids=["error", "run", "defect", "bar"],
)
def test_a_study_that_fails_is_shown_with_its_error_and_not_with_its_bar(
    own, commands, capsys, err, out, message
):
    commands.end.returncode, commands.end.stderr, commands.end.stdout = 1, err, out
    assert main(["claims", "zz", "--config-dir", own]) == 1
    shown = capsys.readouterr()
    assert f"  zz: failed: {message}\n" in shown.out
    assert f"zz: failed: {message}, " in shown.err
    assert "No verdicts." in shown.out


def test_the_table_lists_every_claim_of_every_study_in_the_order_of_names(own, in_tmp, capsys):
    assert main(["claims", "zz", "aa", "--quick", "--config-dir", own, "batch_size=50"]) == 0
    out = capsys.readouterr().out
    rows = [line.split()[:2] for line in out.splitlines() if line.startswith(("aa ", "zz "))]
    assert rows == [["aa", "faster"], ["aa", "slower"], ["zz", "faster"]]
    assert "3 claims: " in out
    assert all(
        " (preview)  " in line for line in out.splitlines() if line.startswith(("aa ", "zz "))
    )
    assert "! aa: faster, slower: preview: 1 of 2 epochs, batch_size=50." in out
    pages = [line.strip() for line in out.splitlines() if line.endswith("report.html")]
    assert [page.rsplit("/", 3)[1][:3] for page in pages] == ["aa-", "zz-"]
    for folder in (in_tmp / "outputs" / "sweeps").iterdir():
        assert '"quick=True"' in (folder / "sweep.json").read_text("utf-8")
        assert '"batch_size=50"' in (folder / "sweep.json").read_text("utf-8")
        assert "A smaller budget (quick=true)" in (folder / "report" / "report.html").read_text(
            "utf-8"
        )


def test_a_study_that_cannot_be_trained_fails_and_the_others_have_their_verdicts(
    own, in_tmp, capsys
):
    wrong = STUDY.replace("sgd,adam", "sgd,adm")
    (in_tmp / "mine" / "experiment" / "aa.yaml").write_text(wrong, encoding="utf-8")
    assert main(["claims", "aa", "zz", "--quick", "--config-dir", own]) == 1
    out = capsys.readouterr().out
    assert "aa: failed: error: optimizer=adm" in out
    assert "did you mean 'adam'?" in out
    assert [line.split()[:2] for line in out.splitlines() if line.startswith("zz ")] == [
        ["zz", "faster"]
    ]


# --- the studies of the chapter


@pytest.fixture
def planned(in_tmp, monkeypatch, capsys):
    """The plans of a shipped study's parts, as a dry run of its command makes them."""

    def plans(*words):
        seen = {}
        plans_of = grid.plans_of
        monkeypatch.setattr(
            grid, "plans_of", lambda config: seen.setdefault("plans", plans_of(config))
        )
        assert main([*words, "--dry-run"]) == 0, capsys.readouterr().err
        assert not (in_tmp / "outputs").exists()
        monkeypatch.undo()
        monkeypatch.chdir(in_tmp)
        return seen["plans"]

    return plans


def seeds(plan):
    message = plan.swept.get("seed") or [
        o.partition("=")[2] for o in plan.fixed if o.startswith("seed=")
    ]
    return len(message)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_study_says_what_it_is_in_both_languages(path):
    message = studies.words_of(path)
    assert set(message["title"]) == set(message["shows"]) == {"en", "zh"}
    assert all(message["title"].values())
    assert message["claims"]
    for told in (message.get("parts") or {}).values():
        assert set(told["title"]) == {"en", "zh"}


@pytest.mark.parametrize(
    "budget",
    [pytest.param([], marks=pytest.mark.slow, id="full"), pytest.param(["quick=true"], id="quick")],
)
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_study_is_accepted_and_has_seeds_enough_for_its_claims(path, budget, planned):
    claims = studies.words_of(path)["claims"]
    plans = planned(f"experiment={path.stem}", *budget)
    for claim in claims:
        part = claim.get("part", next(iter(plans)))
        need = seeds_needed(len(claims)) + 5 * bool(claim.get("tuned"))
        assert seeds(plans[part]) >= need, (
            f"{claim['id']}: {seeds(plans[part])} seeds where {need} are needed"
        )
