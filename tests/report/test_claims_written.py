"""Verdicts as a file, a table and paragraphs; what a report knows of studies and of gaps."""

import json

import pytest
from claim_folders import claim, shift, studied, verdicts
from report_folders import compared, small

from dlexp import report
from dlexp.report import measure, page, plots, runs, terminal
from dlexp.report.claims import blocks, decide, rendering, spec, text

# --- written


def test_the_file_of_verdicts_is_the_same_bytes_whenever_it_is_written(tmp_path):
    claims = [
        claim(guard={"metric": "train/loss", "at_most": 9}),
        claim(id="b", margin=5),
        claim(id="c", metric="x"),
    ]
    folder = studied(tmp_path / "s", claims, shift(0.1))
    first = text(decide(runs.read(folder)))
    ledger = folder / "ledger.jsonl"
    # finished in another order
    ledger.write_text("".join(ledger.read_text().splitlines(keepends=True)[::-1]))
    assert text(decide(runs.read(folder))) == first
    again = studied(tmp_path / "elsewhere" / "s", claims, shift(0.1))
    assert text(decide(runs.read(again))) == first


def test_the_file_of_verdicts_holds_everything(tmp_path):
    found = verdicts(tmp_path / "s", [claim(), claim(id="b", metric="x")], shift(0.1))
    told = json.loads(text(found))
    one, none = told["claims"]
    assert told["study"] == "weight_decay"
    assert one["says"] == {"en": "Weight decay shrinks it.", "zh": "权重衰减使其变小。"}
    assert (one["verdict"], one["n"], one["family"], one["p"]) == ("SUPPORTED", 10, 1, 0.00195312)
    assert one["because"]["en"].startswith("the effect, 0.102, is")
    assert one["because"]["zh"].startswith("效应 0.102 不")
    assert len(one["values"]["of"]) == 10
    assert {
        "interval",
        "mean",
        "iqm",
        "d_z",
        "probability_of_improvement",
        "p_holm",
        "seeds",
        "averaged",
    } <= set(one)
    assert (none["verdict"], none["p"], none["effect"]) == ("INCONCLUSIVE", None, None)
    numbers = [x for side in one["values"].values() for x in side] + [
        one["effect"],
        *one["interval"],
    ]
    assert all(x == float(f"{x:.6g}") for x in numbers)


def test_a_table_and_a_paragraph_per_claim_say_it_with_marks(tmp_path):
    claims = [
        claim(),
        claim(id="b", direction="more"),
        claim(id="c", metric="x"),
        claim(id="d", direction="as_good", guard={"metric": "train/loss", "at_most": 9}),
    ]
    found = verdicts(tmp_path / "s", claims, shift(0.1))
    table, *paragraphs = blocks(found)
    assert [row[1] for row in table.rows] == [
        "✓ SUPPORTED",
        "✗ NOT SUPPORTED",
        "? INCONCLUSIVE",
        "✓ SUPPORTED",
    ]
    assert list(table.tones) == ["supported", "refuted", "open", "supported"]
    assert table.rows[0][0] == "Weight decay shrinks it."
    assert table.rows[0][2].endswith("] nats")
    assert "Holm's correction for 3 claims" in table.caption
    assert [p.kind for p in paragraphs] == list(table.tones)
    assert (
        "Two-sided sign-flip test of 10 paired differences (seeds 0–9): p = .0020"
        in paragraphs[0].text
    )
    assert "claimed: less, margin 0.02" in paragraphs[0].text
    assert "Guard train/loss ≤ 9: regularizer=weight_decay 1.0" in paragraphs[3].text
    shown = terminal.render(blocks(found))
    assert all(len(line) <= 100 for line in shown.splitlines())


def test_the_same_is_said_in_chinese(tmp_path):
    found = verdicts(tmp_path / "s", [claim(), claim(id="b", metric="x")], shift(0.1))
    table, first, second = blocks(found, "zh")
    assert table.rows[0][0] == "权重衰减使其变小。"
    assert "Holm 校正后 p = .0020" in first.text
    assert "没有运行测量过 x" in second.text


def test_a_page_colours_the_verdicts(tmp_path):
    html = page.render("t", "s", blocks(verdicts(tmp_path / "s", [claim()], shift(0.1))))
    assert '<tr class="supported">' in html
    assert '<td class="v">✓ SUPPORTED</td>' in html


def test_no_claims_are_no_verdicts(tmp_path):
    assert decide(runs.read(small(tmp_path))) == ()
    assert blocks(()) == []
    assert json.loads(text(()))["claims"] == []


# --- what the rest of the report knows


@pytest.mark.parametrize(
    "told",
    [{"study": 3}, {"study": None}, {"parts": 3}, {"parts": {"a": 3, "b": [1]}}, {"study": []}],
)
def test_a_damaged_study_in_a_sweep_is_no_study(tmp_path, told):
    read = runs.read(small(tmp_path, **told))
    assert read.study is None
    assert read.parts in ({}, {"b": ("1",)})
    assert len(read.runs) == 16


def test_a_sweep_knows_its_study_and_its_parts(tmp_path):
    read = runs.read(
        studied(
            tmp_path / "s",
            [claim()],
            shift(0),
            parts={"none": lambda p: p["regularizer"] == "none"},
        )
    )
    assert read.study["title"]["en"] == "Weight decay"
    assert len(read.parts["none"]) == 10
    assert {r.params["regularizer"] for r in read.runs if r.key in read.parts["none"]} == {"none"}


def test_the_gap_is_a_metric_of_every_report_and_less_of_it_is_better(tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "draw", lambda *_: [])
    folder = small(tmp_path)
    run = runs.read(folder).runs[0]
    assert run.final["gap/accuracy"] == run.final["train/accuracy"] - run.final["test/accuracy"]
    assert run.final["gap/loss"] == run.final["test/loss"] - run.final["train/loss"]
    made = report.make([folder], metric="gap/accuracy")
    assert made.data["metric"] == "gap/accuracy"
    assert made.data["more_is_better"] is False
    assert made.data["curves"] == "val/accuracy"
    assert "gap/loss" in (made.folder / "runs.csv").read_text()


def test_what_is_watched_beside_a_gap_is_better_the_usual_way(tmp_path):
    c = compared(small(tmp_path), metric="gap/accuracy")
    assert (c.measure.high, c.watched.metric, c.watched.high) == (False, "val/accuracy", True)
    c = compared(small(tmp_path, "t"), metric="gap/loss")
    assert (c.measure.high, c.watched.metric, c.watched.high) == (False, "val/loss", False)
    assert c.measure.unit == "gap in loss (nats)"
    assert measure.direction("gap/accuracy", None) is False


def test_a_run_without_a_test_has_no_gap(tmp_path):
    folder = small(tmp_path, fate=lambda p, s: "DIVERGED" if s == 0 else "FINISHED")
    found = {r.seed: r.final for r in runs.read(folder).runs}
    assert "gap/accuracy" not in found[0]
    assert "gap/accuracy" in found[1]


def test_the_mark_of_an_unknown_verdict_is_a_question():
    assert rendering.mark("INCONCLUSIVE") == "? INCONCLUSIVE"


def test_an_effect_has_the_unit_of_its_metric(tmp_path):
    metrics = [
        "test/loss",
        "gap/accuracy",
        "train/loss @ mean",
        "train/loss @ turns",
        "log10(test/loss)",
        "d/std/*5",
    ]
    units = [
        rendering.unit(c)
        for c in spec.read(
            {"claims": [claim(id=f"c{i}", metric=m) for i, m in enumerate(metrics)]}, ()
        )
    ]
    assert units == ["nats", "accuracy", "nats", "", "", ""]
