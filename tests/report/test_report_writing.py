"""Where a report is written and where it cannot be; how wide it is printed; what a sweep says at
its end.
"""

from types import SimpleNamespace

import pytest
from report_folders import journal, small, sweep

from dlexp import UserError, report
from dlexp.cli import summary
from dlexp.cli.main import main
from dlexp.report import blocks, plots, terminal, words
from dlexp.storage.ledger import LedgerEntry
from dlexp.storage.status import Status
from dlexp.sweeps.session import Session
from dlexp.sweeps.study import NamedStudy

FAILED = {1: "FAILED"}


# --- folders that cannot be written


@pytest.mark.parametrize("where", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_is_refused_in_one_line(tmp_path, capsys, no_figures, where):
    (tmp_path / "file").write_text("not yours")
    assert main(["report", str(small(tmp_path)), "--out", str(tmp_path / where)]) == 2
    message = capsys.readouterr().err
    assert message.startswith(
        f"dlexp: error: {tmp_path / where}: the report cannot be written there: "
    )
    assert message.endswith("; --out names another folder\n")
    assert message.count("\n") == 1
    assert (tmp_path / "file").read_text() == "not yours"


@pytest.mark.parametrize("taken", ["figures/dots.png", "report.html", "runs.csv"])
def test_a_file_that_cannot_be_written_is_refused_in_one_line(tmp_path, taken):
    folder = small(tmp_path, lines=lambda p, s: journal(0.9 + 0.01 * s, epochs=1))
    (folder / "report" / taken / "in the way").mkdir(parents=True)
    with pytest.raises(
        UserError, match=r"report: the report cannot be written there: .*directory.*; --out names"
    ):
        report.make([folder])


def test_a_study_whose_report_cannot_be_written_is_refused_in_one_line(tmp_path, no_figures):
    folder = small(tmp_path, study={"name": "s", "title": "S"}, belongs={"all": lambda p: True})
    (folder / "report" / "report.zh.html" / "in the way").mkdir(parents=True)
    with pytest.raises(UserError, match="the report cannot be written there"):
        report.make([folder])


def test_another_file_that_is_gone_is_a_defect_and_keeps_its_traceback(tmp_path, monkeypatch):
    def gone(*_):
        raise FileNotFoundError(
            2, "No such file or directory", str(tmp_path / "elsewhere" / "font.ttf")
        )

    monkeypatch.setattr(plots, "draw", gone)
    with pytest.raises(FileNotFoundError):
        report.make([small(tmp_path)])


def test_a_sweep_does_not_fail_because_its_report_cannot_be_written(tmp_path, no_figures):
    folder = small(tmp_path)
    (folder / "report").write_text("in the way")
    message = summary.comparison(Session(folder=folder))
    assert message.startswith(f"report    {folder}/report: the report cannot be written there: ")
    assert "\n" not in message


# --- how wide it is printed


@pytest.mark.parametrize(("columns", "wide"), [("60", 60), ("12", 40), ("72", 72), ("500", 100)])
def test_what_is_printed_is_as_wide_as_the_terminal_and_files_are_as_ever(
    tmp_path, monkeypatch, columns, wide
):
    monkeypatch.setattr(plots, "draw", lambda *_: [])
    axes = {
        "optimizer": ["sgd", "momentum", "adam"],
        "initializer": ["xavier", "he"],
        "seed": list(range(8)),
    }
    folder = sweep(tmp_path / "s", axes, fate=lambda p, s: FAILED.get(s, "FINISHED"))
    usual = report.make([folder])
    written = {f.name: f.read_bytes() for f in usual.folder.iterdir() if f.is_file()}
    monkeypatch.setenv("COLUMNS", columns)
    made = report.make([folder])
    lines = [line for line in made.text.splitlines() if not line.startswith("report  ")]
    assert wide - 8 < max(map(words.width, lines)) <= wide
    assert made.markdown == usual.markdown
    assert {f.name: f.read_bytes() for f in made.folder.iterdir() if f.is_file()} == written


def test_a_row_that_does_not_fit_goes_on_in_the_next_line_and_no_number_is_cut():
    rows = [
        ["momentum · he", "0.853", "[0.849, 0.857]", ""],
        ["momentum · xavier", "0.961", "[0.957, 0.967]", "x"],
    ]
    lines = terminal.table(blocks.Grid(["group", "IQM", "95 % interval", "note"], rows, "srll"), 40)
    assert [line.rstrip() for line in lines] == [
        "group            IQM  95 % interval",
        "    note",
        "─" * 36,
        "momentum · he  0.853  [0.849, 0.857]",
        "momentum · x…  0.961  [0.957, 0.967]",
        "    x",
    ]


# --- what a sweep says at its end


def ended(folder, error, *, study=None):
    entry = LedgerEntry("k", Status.FAILED, "runs/k-x", ("optimizer=sgd", "seed=1"), error=error)
    return Session(folder=folder, entries=[entry], study=study)


def test_failures_are_listed_by_the_report_or_run_by_run_and_never_twice(tmp_path, capsys):
    session, text = ended(tmp_path, "ValueError: odd"), "a report\nwith its own list\n"
    assert summary.of_sweep(session, text) == 1
    assert "runs/k-x" not in capsys.readouterr().out
    for compared in ("", "report    there is none"):  # a search; a report that failed
        assert summary.of_sweep(session, compared) == 1
        assert (
            "failed    optimizer=sgd seed=1: ValueError: odd (runs/k-x)\n"
            in capsys.readouterr().out
        )
    # the report of a study's claims lists no runs
    for claims, listed in (({"claims": []}, True), (None, False)):
        summary.of_sweep(
            ended(tmp_path, "ValueError: odd", study=NamedStudy("s", "d", claims)), text
        )
        assert ("runs/k-x" in capsys.readouterr().out) is listed


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("ValueError: two\nlines", "ValueError: two lines"),
        ("AssertionError: ", "AssertionError"),
        (None, ""),
    ],
)
def test_an_exception_is_said_on_one_line_and_by_its_name_where_it_has_no_words(
    tmp_path, capsys, error, message
):
    summary.of_sweep(ended(tmp_path, error), "")
    assert f"failed    optimizer=sgd seed=1: {message} (runs/k-x)\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "message"),
    [(AssertionError(), "AssertionError"), (ValueError("two\nlines"), "two lines")],
)
def test_so_it_is_for_a_run_alone(error, message):
    run = SimpleNamespace(
        status="FAILED",
        error=error,
        metrics={},
        folder=None,
        dataset=None,
        tracked=None,
        mixed=[],
        trainer=SimpleNamespace(t=3),
    )
    assert summary.words(run).splitlines()[0] == f"failed    {message}"


def test_the_reports_table_says_the_name_alone_of_an_exception_without_words(tmp_path, no_figures):
    folder = small(tmp_path, fate=lambda p, s: FAILED.get(s, "FINISHED"))
    ledger = folder / "ledger.jsonl"
    ledger.write_text(ledger.read_text().replace('"error": null', '"error": "AssertionError: "'))
    lines = [
        line.rstrip()
        for line in report.make([folder]).text.splitlines()
        if "AssertionError" in line
    ]
    assert len(lines) == 2
    assert all(line.endswith("FAILED  AssertionError") for line in lines)
