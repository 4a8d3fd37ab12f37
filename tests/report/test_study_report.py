"""The report of a named study: sentences, verdicts and numbers on a page in two languages; the same
bytes each time.
"""

import hashlib
import json
import re

import pytest
from claim_folders import AXES, claim, noise, shift, studied

from dlexp import report
from dlexp.cli.main import main

TITLED = {
    "title": {"en": "Weight decay & co", "zh": "权重衰减"},
    "shows": {"en": "It restrains <b>over-fitting</b>.", "zh": "它抑制过拟合。"},
}


def written(folder, claims=(), measure=None, told=None, **how):
    """The report of a made-up study, and its two pages."""
    study = {"name": "small", **TITLED, "claims": list(claims or [claim()]), **(told or {})}
    made = report.make(
        [studied(folder, [], measure or shift(0.1), study=study, name="small", **how)]
    )
    return (
        made,
        made.html.read_text("utf-8"),
        made.html.with_name("report.zh.html").read_text("utf-8"),
    )


def headings(page):
    return re.findall(r"<h2 id=\"(.*?)\">", page)


def test_a_page_has_the_sentence_the_verdict_and_the_numbers(tmp_path):
    made, page, _ = written(tmp_path / "s", [claim(), claim(id="grows", direction="more")])
    assert "<h1>Weight decay &amp; co</h1>" in page
    assert "It restrains &lt;b&gt;over-fitting&lt;/b&gt;." in page
    assert "2 claims: 1 SUPPORTED (shrinks); 1 NOT SUPPORTED (grows)." in page
    assert '<td>Weight decay shrinks it.</td><td class="v">✓ SUPPORTED</td>' in page
    effect = made.data["claims"][0]["effect"]
    assert f"+{effect:.3f}" in page
    assert "n = 10 seeds" in page
    assert "Two-sided sign-flip test of 10 paired differences (seeds 0–9): p = .0020" in page
    assert f"shrinks: +{effect:.3f}" in made.text
    assert "✗ NOT SUPPORTED Weight decay shrinks it." in made.text
    assert made.data["answer"].startswith("2 claims: 1 SUPPORTED")
    assert (made.data["quick"], made.data["study"]) == (False, "small")


def test_the_sections_stand_in_the_order_of_a_reader(tmp_path):
    _, page, chinese = written(tmp_path / "s", told={"figures": [{"kind": "gap"}]})
    order = [
        "claims",
        "figures",
        "claim-by-claim",
        "part-all",
        "runs-that-did-not-finish",
        "method",
        "repeat",
    ]
    assert headings(page) == headings(chinese) == order


def test_the_page_exists_in_chinese_and_each_links_the_other(tmp_path):
    parts = {"all": {"title": {"en": "With and without", "zh": "有与没有"}}}
    _, page, chinese = written(tmp_path / "s", told={"parts": parts})
    assert '<a href="report.zh.html">' in page
    assert '<a href="report.html">' in chinese
    assert '<html lang="zh-Hans">' in chinese
    for words in (
        "<h1>权重衰减</h1>",
        "研究 small · 20 次运行 · 种子 0–9",
        "1 条论断：1 条 SUPPORTED（shrinks）。",
        "它抑制过拟合。",
        "<td>权重衰减使其变小。</td>",
        "Holm 校正后 p = .0020",
        ">有与没有</h2>",
    ):
        assert words in chinese
    assert ">With and without</h2>" in page


def test_a_study_without_chinese_words_has_the_english_ones(tmp_path):
    _, _, chinese = written(tmp_path / "s", told={"title": "A study", "shows": None})
    assert "<h1>A study</h1>" in chinese


def test_a_figure_that_cannot_be_drawn_gives_its_reason(tmp_path):
    asked = [
        {"kind": "paths", "title": "Paths"},
        {"kind": "dots", "metric": "test/loss", "axis": "regularizer"},
    ]
    made, page, chinese = written(tmp_path / "s", told={"figures": asked})
    (reason,) = re.findall(r"Paths: not drawn, (.*?)\.</p>", page)
    assert len(reason) > 10
    assert f"Paths：未绘制（{reason}）。" in chinese
    assert ": not drawn, " in made.text
    assert [p.name for p in made.figures] == ["dots.png"]
    assert page.count("<img ") == 1


@pytest.mark.parametrize("fixed", [(), ("quick=False",), ("quick=True",)])
def test_the_smaller_budget_is_said_wherever_the_verdicts_are(tmp_path, fixed):
    made, page, chinese = written(tmp_path / "s", fixed=fixed)
    quick = fixed == ("quick=True",)
    assert ("A smaller budget (quick=true): a preview" in page) == quick
    assert ("! A smaller budget (quick=true): a preview" in made.text) == quick
    assert ("> A smaller budget" in made.markdown) == quick
    assert ("这只是较小预算（quick=true）的预览" in chinese) == quick
    assert made.data["quick"] is quick
    if quick:
        assert (
            page.index("A smaller budget")
            < page.index("1 claim, as a preview:")
            < page.index("<h2")
        )
        # by its id: the whole study has the same name
        assert "python -m dlexp report s</pre>" in page


def test_a_diverged_run_is_listed_and_the_comparisons_of_a_sweep_are_not(tmp_path):
    def fate(params, seed):
        return "DIVERGED" if (params["regularizer"], seed) == ("none", 3) else "FINISHED"

    told = {"figures": [{"kind": "dots", "metric": "test/loss", "axis": "regularizer"}]}
    _, page, _ = written(tmp_path / "s", [claim(diverged=2.3)], fate=fate, told=told)
    assert "output of dense3 is not finite" in page
    assert "planned" not in page.lower()
    assert "Holm&#x27;s correction over the claims of the study" in page


def test_many_groups_are_a_table_to_be_opened(tmp_path):
    axes = {
        "regularizer": ["none", "weight_decay"],
        "initializer.std": [i / 10 for i in range(1, 8)],
        "seed": list(range(6)),
    }
    _, page, chinese = written(tmp_path / "s", axes=axes)
    assert "<details><summary>All 14 groups</summary>" in page
    assert "<summary>全部 14 组</summary>" in chinese
    assert "<details>" not in written(tmp_path / "t")[1]


def tuned(tmp_path, seeds):
    axes = {
        "regularizer": ["none", "weight_decay"],
        "optimizer.lr": [0.1, 0.01],
        "seed": list(range(seeds)),
    }

    def ends(p, s):
        return {"val/loss": (p["optimizer.lr"] == 0.1) + noise(p, s), "test/loss": shift(0.1)(p, s)}

    return written(
        tmp_path / "s", measure=ends, axes=axes, told={"parts": {"all": {"tuned": True}}}
    )


def test_a_part_that_asks_for_it_shows_each_method_at_its_best(tmp_path):
    _, page, _ = tuned(tmp_path, 15)
    assert "Chosen by the interquartile mean of val/loss over seeds 0–4" in page
    assert ">weight_decay · lr=" not in page


def test_with_too_few_seeds_to_tune_every_setting_stands_for_itself(tmp_path):
    _, page, _ = tuned(tmp_path, 7)
    assert "Chosen by the interquartile mean" not in page
    assert "Settings are shown one by one. Tuned settings are not compared: " in page
    assert ">weight_decay · lr=0.1</td>" in page


def test_the_usual_figures_of_several_parts_lie_side_by_side_and_old_ones_go(tmp_path):
    parts = {"a": lambda p: p["seed"] < 8, "b": lambda p: p["seed"] > 1}
    made, page, _ = written(tmp_path / "s", [claim(part="a")], parts=parts)
    files = [figure["file"] for figure in made.data["figures"]]
    assert len(files) == len(set(files)) == page.count("<img ")
    assert all((made.folder / file).is_file() for file in files)
    assert {file.split("/")[1] for file in files} == {"a", "b"}
    told = json.loads((tmp_path / "s" / "sweep.json").read_text("utf-8"))
    told["study"]["figures"] = [
        {"kind": "dots", "part": "a", "metric": "test/loss", "axis": "regularizer"}
    ]
    (tmp_path / "s" / "sweep.json").write_text(json.dumps(told), encoding="utf-8")
    report.make([tmp_path / "s"])
    assert [p.name for p in (made.folder / "figures").rglob("*.png")] == ["a-dots.png"]


def digests(folder):
    return {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def test_the_same_runs_give_the_same_bytes(tmp_path):
    told = {
        "figures": [{"kind": "gap"}, {"kind": "dots", "metric": "test/loss", "axis": "regularizer"}]
    }
    made, *_ = written(tmp_path / "s", told=told, axes=AXES)
    before = digests(made.folder)
    assert {"report.html", "report.zh.html", "report.json", "verdicts.json", "runs.csv"} <= set(
        before
    )
    report.make([tmp_path / "s"])
    assert digests(made.folder) == before


STUDY = """\
# @package _global_
# A small study.
data: {n_train: 100}
model: {hidden: [5]}
epochs: 1
hydra:
  mode: MULTIRUN
  sweeper:
    params: {optimizer: "sgd,adam", seed: "range(6)"}
study:
  title: {en: A study, zh: 一项研究}
  claims:
    - id: faster
      says: {en: Adam is faster., zh: Adam 更快。}
      metric: train/loss
      of: {optimizer: adam}
      against: {optimizer: sgd}
      direction: less
      margin: 0.01
"""


def test_a_study_trained_again_elsewhere_gives_the_same_verdicts_byte_for_byte(
    in_tmp, monkeypatch, capsys
):
    (in_tmp / "experiment").mkdir()
    (in_tmp / "experiment" / "small.yaml").write_text(STUDY, encoding="utf-8")
    found = []
    for place in ("a", "b"):
        monkeypatch.setenv("DLEXP_OUTPUTS", str(in_tmp / place))
        words = [
            "--config-dir",
            str(in_tmp),
            "experiment=small",
            "tracking=none",
            "hydra.launcher.n_jobs=1",
        ]
        assert main(words) == 0
        assert "12 newly trained" in capsys.readouterr().out
        (path,) = (in_tmp / place).glob("sweeps/small-*/report/verdicts.json")
        found.append(path.read_bytes())
    assert found[0] == found[1]
    assert json.loads(found[0])["claims"][0]["n"] == 6


def test_heads_captions_and_methods_of_the_chinese_page_are_chinese(tmp_path):
    figures = [
        {"kind": "dots", "metric": "test/loss", "axis": "regularizer"},
        {"kind": "gap"},
        {"kind": "panels", "metric": "train/loss", "lines": "regularizer"},
    ]
    _, page, chinese = written(tmp_path / "s", told={"figures": figures})
    body = re.sub(
        r"<img[^>]*>|<td.*?</td>|<pre>.*?</pre>", "", chinese.partition("<body>")[2], flags=re.S
    )
    for what in ("th", "dt", "dd", "figcaption", "h2"):
        shown = re.findall(rf"<{what}\b[^>]*>(.*?)</{what}>", body, flags=re.S)
        assert shown
        told = {re.sub(r"<.*?>", "", text) for text in shown} - {
            "n",
            "IQM",
            "p",
            "d_z",
            "P(improvement)",
            "all",
            "p（Holm）",
        }
        assert not [text for text in told if not re.search("[\u4e00-\u9fff]", text)]
    assert "未完成的运行" in chinese
    assert "本图不含检验与校正。" in chinese
    assert not re.search("[\u4e00-\u9fff]", page.replace("中文：", ""))
