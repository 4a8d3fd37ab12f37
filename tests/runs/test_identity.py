"""A run is known by NUMERICS, its plugins' code, its choices and its data; not by dlexp's files."""

import dataclasses
import json

import pytest
from mischief import mischief
from test_changed import UNTRACKED, cut_short, refused
from test_replay import describe

import dlexp
from dlexp.cli.main import main
from dlexp.config import compose_run
from dlexp.core import identity as core_identity, layers
from dlexp.core.experiment import Experiment
from dlexp.core.identity import NUMERICS
from dlexp.core.registry import find
from dlexp.plugins import source_code
from dlexp.runs import identity
from dlexp.storage import journal
from dlexp.storage.records import RunDescription
from dlexp.sweeps import earlier
from dlexp.sweeps.identity import run_key
from dlexp.sweeps.job import plan_jobs

SWEEP = ("-m", "optimizer=sgd,adam", "sweep=s", *UNTRACKED)


@pytest.fixture
def run(in_tmp):
    """A run that was cut short."""
    return cut_short(*UNTRACKED)


@pytest.fixture
def edit(monkeypatch):
    """As if a file had been another one when this process imported it."""

    def edited(path, before, after):
        content = path.read_bytes()
        assert before in content
        other = source_code.Source(content.replace(before, after, 1))
        monkeypatch.setitem(source_code._sources, path, other)

    return edited


@pytest.fixture
def raised(monkeypatch):
    """As if dlexp computed other numbers now."""
    monkeypatch.setattr(identity, "NUMERICS", NUMERICS + 1)


def file_of_layers():
    return next(p for p in source_code._sources if str(p) == layers.__file__)


def file_of_adam():
    return source_code.file_of(find("optimizer", "adam"))


def resumes(folder, *words):
    with mischief(-1, lambda: None):
        return main(["resume", folder.name, *words]) == 0


def test_a_comment_in_dlexps_own_code_keeps_no_run_from_going_on(run, edit):
    edit(file_of_layers(), b"class ", b"# a comment\nclass ")
    assert resumes(run)
    (resumed,) = [e for e in journal.events(run)[0] if e.kind == "resume"]
    assert not resumed.changes, "it is no mixture"
    log = (run / "run.log").read_text()
    assert "dlexp's own code differs, of the same NUMERICS: dlexp/core/layers.py" in log


def test_replay_names_dlexps_own_code_as_information(in_tmp, edit, capsys):
    dlexp.run(*UNTRACKED)
    edit(file_of_layers(), b"class ", b"# a comment\nclass ")
    assert main(["replay", "last"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("same ")
    note = "note      dlexp's own code differs, of the same NUMERICS: dlexp/core/layers.py\n"
    assert out.endswith(f", to the bit\n{note}")


def test_where_numbers_differ_and_only_dlexps_own_code_replay_advises_to_raise_numerics(
    in_tmp, edit, capsys, monkeypatch
):
    dlexp.run(*UNTRACKED)
    edit(file_of_layers(), b"class ", b"# a comment\nclass ")
    adam = find("optimizer", "adam")
    update = adam.update
    monkeypatch.setattr(
        adam, "update", lambda self, w, g, s, lr, t: update(self, w, g, s, 1.001 * lr, t)
    )
    assert main(["replay", "last"]) == 1
    assert "raise NUMERICS" in capsys.readouterr().out


@pytest.mark.parametrize("file", [file_of_layers, file_of_adam])
def test_a_comment_makes_no_finished_sweep_train_again(in_tmp, edit, capsys, monkeypatch, file):
    monkeypatch.setattr("dlexp.cli.summary.comparison", lambda session: "")  # has tests of its own
    assert main([*SWEEP]) == 0
    edit(file(), b"class ", b"# a comment\nclass ")
    for words in (SWEEP, ("resume", "s")):
        capsys.readouterr()
        assert main([*words]) == 0
        assert "sweep     2 finished; 0 newly trained\n" in capsys.readouterr().out


def test_a_comment_in_a_plugin_keeps_no_run_from_going_on(run, edit):
    edit(file_of_adam(), b"class ", b"# a comment\nclass ")
    assert resumes(run)


def test_a_run_whose_plugin_has_another_formula_now_is_refused(run, edit, capsys):
    edit(file_of_adam(), b" - self.beta1", b" + self.beta1")
    message = refused(capsys, "resume", run.name)
    assert "it would not be the same to the bit: optimizer/adam.py was changed; --anyway" in message


def test_a_run_of_other_numerics_is_refused_with_what_to_do(run, raised, capsys):
    described = json.loads((run / "run.json").read_text())
    describe(run, tags=described["tags"] | {"dlexp.git.commit": "7c5419640b186449"})
    message = refused(capsys, "resume", run.name)
    assert f"the same to the bit: NUMERICS of dlexp was {NUMERICS}, is {NUMERICS + 1}; " in message
    assert "to complete it as it began, use dlexp's commit 7c5419640b18; " in message
    assert "to train it again: python -m dlexp " in message
    assert "; --anyway continues it and marks it as mixed" in message
    assert resumes(run, "--anyway")
    with mischief(-1, lambda: None):
        assert main(["replay", run.name]) == 0
    assert (
        f"changed   NUMERICS of dlexp was {NUMERICS}, is {NUMERICS + 1}" in capsys.readouterr().out
    )


def test_other_numerics_are_other_runs_of_a_sweep(raised):
    assert run_key(compose_run(*UNTRACKED).experiment).startswith(f"{NUMERICS + 1}-")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Later(Experiment):
    """An experiment of a later version, with another field."""

    tilt: float = 0.0


def later(**changes):
    e = compose_run(*UNTRACKED).experiment
    return Later(**{f.name: getattr(e, f.name) for f in dataclasses.fields(e)}, **changes)


def test_a_field_that_is_added_with_a_default_leaves_a_run_what_it_is():
    e = compose_run(*UNTRACKED).experiment
    assert "tilt" in later().params()
    assert run_key(later()) == run_key(e)
    assert run_key(later(tilt=0.5)) != run_key(e)


def test_a_run_that_knew_fewer_fields_goes_on(run):
    described = json.loads((run / "run.json").read_text())
    known = [
        {k: v for k, v in described[of].items() if k != "clip_norm"}
        for of in ("params", "defaults")
    ]
    describe(run, params=known[0], defaults=known[1])
    assert resumes(run)


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_a_setting_that_there_is_no_more_counts_if_it_was_used(run, capsys, value):
    described = json.loads((run / "run.json").read_text())
    describe(
        run,
        params=described["params"] | {"tilt": value},
        defaults=described["defaults"] | {"tilt": 0.0},
    )
    if value:
        wrong = "tilt was 0.5, and this setting no longer exists"
        assert wrong in refused(capsys, "resume", run.name)
    else:
        assert resumes(run)


def test_a_shipped_plugin_whose_other_code_gives_the_same_numbers_leaves_a_run_what_it_is(
    run,
    edit,
    monkeypatch,
):
    edit(file_of_adam(), b"class ", b"SPARE = 1\nclass ")
    other = source_code.source(file_of_adam()).code
    known = core_identity._known()
    plugins = known["plugins"] | {
        "optimizer/adam.py": f"{known['plugins']['optimizer/adam.py']} {other}"
    }
    monkeypatch.setattr(core_identity, "_known", lambda: known | {"plugins": plugins})
    assert resumes(run)


def test_names_of_files_are_no_part_of_a_key():
    e = compose_run(*UNTRACKED).experiment
    before = identity.of_experiment(e)
    moved = dataclasses.replace(before, code={f"x/{k}": v for k, v in before.code.items()})
    assert moved.key(["d"]) == before.key(["d"]) != before.key(["e"])


def test_what_run_json_says_of_its_identity_is_the_experiments(in_tmp):
    trained = dlexp.run(*UNTRACKED)
    described = json.loads((trained.folder / "run.json").read_text())
    assert described["identity"]["numerics"] == NUMERICS
    assert set(described["identity"]["code"]) == {
        name for name in described["sources"] if not name.startswith("dlexp/")
    }
    assert identity.of_record(RunDescription.read(trained.folder)) == identity.of_experiment(
        trained.experiment
    )


def test_a_sweep_whose_keys_are_of_todays_form_opens_no_run_json(in_tmp, monkeypatch):
    runs = in_tmp / "sweep" / "runs"
    runs.mkdir(parents=True)
    job = plan_jobs([((), compose_run(*UNTRACKED))])[0]
    (runs / job.folder).mkdir()
    monkeypatch.setattr(RunDescription, "read", lambda folder: pytest.fail("it was opened"))
    assert earlier.members(in_tmp / "sweep") == {}
    assert earlier.OLD_FOLDER.match("dd37cefaa2cd1950-sgd-he-s0")
