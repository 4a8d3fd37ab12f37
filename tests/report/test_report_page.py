"""The page, the figures and the text: complete, self-contained, safe with any name, the same when
repeated.
"""

import base64
import csv
import json
import re
import shutil
from html.parser import HTMLParser

import pytest
from report_folders import journal, skill, sweep

from dlexp import report
from dlexp.report import blocks, markdown, plots, terminal, words

HOSTILE = [
    "<script>alert(1)</script>",
    "</title><script>x</script>",
    '"><img src=x onerror=alert(1)>',
    "<svg/onload=x>",
    "' onmouseover='x",
    "<!--",
    "-->",
    "]]>",
    "&lt;b&gt;",
    "&#60;script&#62;",
    "javascript:alert(1)",
    "{{7*7}}",
    "</style><style>*{}",
    "</pre><iframe src=//evil>",
    "<base href=//evil>",
    "<meta http-equiv=refresh content=0>",
    "${7*7}",
    "$(rm -rf /)",
    "`id`",
    "; rm -rf /",
    "../../../etc/passwd",
    "..\\..\\windows",
    "/absolute",
    "C:\\x",
    "CON",
    ".",
    "..",
    "a\x00b",
    "a\nb",
    "a\r\nSet-Cookie: x",
    "\x1b[2J\x1b]0;title\x07",
    "\u202egnp.exe",
    "\ud800",
    "\ufeffbom",
    "学习率 优化器",
    "🦊" * 30,
    "x" * 5000,
    "$\\frac{1}{0}$",
    "a_b^c %s %d {0}",
    "=HYPERLINK(1)",
    "",
]


class Page(HTMLParser):
    """Tags and attributes of a page; raises for a tag that is not closed."""

    VOID = ("meta", "img")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def four(tmp_path, **how):
    axes = {
        "optimizer": ["sgd", "momentum", "adam"],
        "initializer": ["he", "xavier"],
        "optimizer.lr": [0.1, 0.001],
        "seed": list(range(6)),
    }
    return sweep(
        tmp_path / "s",
        axes,
        fate=lambda p, s: "DIVERGED" if skill(p, s) < 0.72 else "FINISHED",
        **how,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One report for all who only look."""
    return report.make([four(tmp_path_factory.mktemp("made"))], target=0.5)


def everything(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def test_the_report_holds_a_page_four_tables_and_every_figure_there_is_something_for(made):
    assert sorted(everything(made.folder)) == [
        "figures/comparisons.png",
        "figures/curves.png",
        "figures/dots.png",
        "figures/heat.png",
        "figures/interaction.png",
        "figures/sensitivity-optimizer.lr.png",
        "pairs.csv",
        "report.html",
        "report.json",
        "runs.csv",
        "summary.csv",
    ]
    assert [p.name for p in made.figures] == [f["file"].split("/")[1] for f in made.data["figures"]]
    assert json.loads((made.folder / "report.json").read_text()) == made.data
    for name, rows in (("runs", 72), ("summary", 12), ("pairs", 3 + 1 + 1)):
        with (made.folder / f"{name}.csv").open(newline="") as file:
            assert len(list(csv.DictReader(file))) == rows


def test_the_same_runs_give_the_same_bytes(tmp_path):
    folder = four(tmp_path)
    first = everything(report.make([folder], target=0.5, margin=0.01).folder)
    shutil.rmtree(folder / "report")
    text = (folder / "ledger.jsonl").read_text().splitlines(keepends=True)
    (folder / "ledger.jsonl").write_text("".join(text[::-1]))  # finished in another order
    made = report.make([folder], target=0.5, margin=0.01)
    assert everything(made.folder) == first


def test_a_figure_that_no_longer_belongs_to_the_report_is_removed_and_no_other_file(
    tmp_path, monkeypatch
):
    folder = sweep(tmp_path / "s", {"seed": [0, 1]})
    monkeypatch.setattr(plots, "draw", lambda c, folder: [plots.dots(c, folder / "dots.png")])
    report.make([folder])
    (folder / "report/figures/mine.png").write_bytes(b"x")
    assert {"figures/dots.png", "figures/mine.png"} <= everything(folder / "report").keys()
    monkeypatch.setattr(plots, "draw", lambda *_: [])
    assert "figures/dots.png" not in everything(report.make([folder]).folder)
    assert "figures/mine.png" in everything(folder / "report")


def test_the_page_loads_nothing_and_shows_every_figure(made):
    page = Page(made.html.read_text(encoding="utf-8"))
    sources = [a["src"] for tag, a in page.tags if tag == "img"]
    shown = [
        base64.b64decode(s.removeprefix("data:image/png;base64,"), validate=True) for s in sources
    ]
    assert shown == [p.read_bytes() for p in made.figures]
    assert all(a.get("alt") for tag, a in page.tags if tag == "img")
    assert not [
        tag for tag, _ in page.tags if tag in ("script", "link", "iframe", "object", "base", "form")
    ]
    assert not [a for _, a in page.tags if {*a} & {"onload", "onerror", "style", "srcset"}]
    assert "url(" not in made.html.read_text()
    assert all(a["href"].startswith("https://") for tag, a in page.tags if tag == "a")
    policy = next(
        a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'")


def test_the_page_says_what_a_referee_asks_for(made):
    message = " ".join(" ".join(Page(made.html.read_text(encoding="utf-8")).words).split())
    for heading in (
        "What was compared",
        "Results",
        "Planned comparisons",
        "Figures",
        "Runs that did not finish",
        "How it was computed",
        "How to repeat it",
    ):
        assert heading in message
    assert made.data["answer"] in message
    assert "python -m dlexp -m optimizer=sgd,momentum,adam" in message
    assert f"python -m dlexp report {made.data['sweeps'][0]['id']} --target 0.5" in message
    assert "digits: 1,257 train, 180 validation, 360 test" in message
    for figure in made.data["figures"]:
        assert re.search(r"n = \d+", figure["caption"]), figure
        assert re.search(
            r"Holm over \d+ planned pairs|[Nn]o test and no correction", figure["caption"]
        ), figure


def named(folder, name, **how):
    """A sweep that bears a name wherever a name can stand: value, key, sweep, command, data,
    metric, error.
    """

    def lines(params, seed):
        events = journal(0.9 - 0.01 * (params["optimizer"] == "sgd") + 0.001 * seed, epochs=2)
        events[-2]["metrics"][f"note/{name}"] = 1.0
        return events

    made = sweep(
        folder,
        {"optimizer": [name or "''", "sgd"], "seed": [0, 1, 2]},
        name=name,
        command=f"dlexp -m {name}",
        implied=lambda p: {"data": name, f"key {name}": p["optimizer"]},
        lines=lines,
        fate=lambda p, s: "FAILED" if s == 2 else "FINISHED",
        **how,
    )
    ledger = [
        json.loads(line) | {"error": name}
        for line in (made / "ledger.jsonl").read_text().splitlines()
    ]
    (made / "ledger.jsonl").write_text("".join(json.dumps(line) + "\n" for line in ledger))
    return made


def skeleton(made):
    """Tags and the names of their attributes, in order."""
    return [(tag, sorted(a)) for tag, a in Page(made.html.read_text(encoding="utf-8")).tags]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_no_name_escapes_its_place(tmp_path, monkeypatch, name):
    monkeypatch.setattr(plots, "draw", lambda *_: [])  # the figures have a test of their own
    folder = named(tmp_path / "s", name)
    before = {p for p in tmp_path.rglob("*") if "report" not in p.parts}
    made = report.make([folder])
    assert {p for p in tmp_path.rglob("*") if "report" not in p.parts} == before
    assert skeleton(made) == skeleton(report.make([named(tmp_path / "plain", "harmless")]))
    assert not re.search(
        r"[\x00-\x08\x0b-\x1f\x7f\u202e]", made.text + made.html.read_text(encoding="utf-8")
    )
    assert all(
        words.width(line) <= 100 for line in made.text.splitlines() if "report.html" not in line
    )
    assert not re.search(r"(?<!\\)<\w", made.markdown)
    assert (made.text + made.markdown).encode("utf-8")  # no half surrogates


def test_figures_take_every_name_literally(tmp_path):
    axes = {"optimizer": HOSTILE[:7], "initializer": ["he", *HOSTILE[33:39]], "seed": [0, 1]}
    folder = sweep(tmp_path / "s", axes, lines=lambda p, s: journal(0.5 + 0.1 * s, epochs=1))
    made = report.make([folder])
    assert [p.stem for p in made.figures] == [
        "dots",
        "comparisons",
        "curves",
        "interaction",
        "heat",
    ]


def test_the_tuned_report_shows_where_the_chosen_values_lie_and_the_defaults_beside_them(tmp_path):
    axes = {
        "optimizer": ["sgd", "adam"],
        "optimizer.lr": [0.1, 0.01, 0.001],
        "seed": list(range(15)),
    }
    known = sweep(tmp_path / "known", {"optimizer": ["sgd", "adam"], "seed": [0]})
    made = report.make([sweep(tmp_path / "grid", axes), known], tuned=True, out=tmp_path / "r")
    assert [p.stem for p in made.figures] == [
        "tuned",
        "tuned-comparisons",
        "default",
        "default-comparisons",
        "sensitivity-optimizer.lr",
        "curves",
    ]
    assert "A star marks the value chosen." in made.data["figures"][4]["caption"]
    assert [g["n"] for g in made.data["tuned"]["default"]["groups"]] == [10, 10]
    page = " ".join(Page(made.html.read_text(encoding="utf-8")).words)
    assert "Planned comparisons, at tuned settings" in page
    assert "Planned comparisons, at default settings" in page


def test_there_are_at_least_forty_hostile_names():
    assert len(set(HOSTILE)) >= 40


def test_a_terminals_table_is_aligned_and_fits_whatever_stands_in_it():
    rows = [["学习率" * 9, "0.961", "[0.954, 0.968]"], ["adam", "0.9", "–"], ["x" * 200, "1", ""]]
    lines = terminal.table(blocks.Grid(["group", "IQM", "95 % interval"], rows, "srl"))
    assert len({words.width(line.ljust(1)) for line in lines[:2]}) == 1
    assert max(map(words.width, lines)) <= 100
    assert all("[0.954, 0.968]" in line for line in lines if "学" in line)  # a number is never cut
    ends = [
        words.width(line[: line.index(number)]) + len(number)
        for line, number in zip(lines[2:4], ("0.961", "0.9"), strict=True)
    ]
    assert len(set(ends)) == 1


def test_markdown_is_taken_literally():
    text = markdown.render(
        [blocks.Words("a|b *c* <b> [x](y)"), blocks.Grid(["a|b"], [["1|2"]], "l")]
    )
    assert text.startswith("a\\|b \\*c\\* &lt;b&gt; \\[x\\](y)")
    assert "| 1\\|2 |" in text


def test_a_big_sweep_is_cut_to_what_can_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr(
        plots,
        "draw",
        lambda c, folder: [plots.forest(c, folder / "f"), plots.dots(c, folder / "d")],
    )
    axes = {
        "optimizer": [f"o{i}" for i in range(45)],
        "initializer": ["he", "xavier"],
        "seed": [0, 1],
    }
    made = report.make(
        [sweep(tmp_path / "s", axes, lines=lambda p, s: journal(0.9 + 0.01 * s, epochs=1))]
    )
    assert "The best 30 of 90 groups" in made.text
    assert len(made.data["groups"]) == 90
    assert len(made.data["pairs"]) == 45 * 44 / 2 + 1
    assert "the first 40 of 991" in made.data["figures"][0]["caption"]
    assert "the best 40 of 90 groups" in made.data["figures"][1]["caption"]
