"""A browser's view of a sweep in MLflow: links, charts, report, runs. All is local."""

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.slow

WAIT = 60_000  # ms: the machine may be busy
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SMALL = ["data=blobs", "data.n_train=100", "model.hidden=[5]", "epochs=2"]
CARD = '[data-testid="experiment-view-compare-runs-card"]'
CHARTS = {"val/accuracy", "val/loss", "train/loss"}


@pytest.fixture
def page():
    """A page of a browser that reaches this machine only; whoever asks for another fails."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(
            "no Chromium: install it from the system's packages (Debian: apt install chromium)"
        )
    playwright = pytest.importorskip(
        "playwright.sync_api",
        reason='no Playwright: pip install -c constraints.txt -e ".[browser]"',
    )
    elsewhere, errors = [], []

    def local(route):
        if urlsplit(route.request.url).hostname in ("127.0.0.1", "localhost"):
            route.continue_()
        else:
            elsewhere.append(route.request.url)
            route.abort()

    playwright.expect.set_options(timeout=WAIT)
    root = getattr(os, "geteuid", lambda: 1)() == 0  # Chromium has no sandbox for root
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=found, chromium_sandbox=not root)
        context = browser.new_context(viewport={"width": 2600, "height": 1600}, locale="en-US")
        context.set_default_timeout(WAIT)
        context.route("**/*", local)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.expect = playwright.expect
        yield page
        browser.close()
    assert elsewhere == []
    assert errors == []


def dlexp(*words):
    done = subprocess.run(
        [sys.executable, "-m", "dlexp", *words], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def links():
    """What `python -m dlexp ui` prints, by name; it ends with Ctrl-C."""
    command = [sys.executable, "-m", "dlexp", "ui", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            message = []
            for line in server.stdout:
                message.append(line.split(maxsplit=1))
                if line.startswith("Ctrl-C"):
                    break
            yield {words[0]: words[1].strip() for words in message if len(words) == 2}
        finally:  # also after a failure: killed outright, it would leave MLflow behind
            server.send_signal(signal.SIGINT)
            assert server.wait(60) == 0


def rows(page, n, pattern):
    """The names in the list of runs, once there are `n`."""
    listed = page.get_by_role("row").filter(has_text=re.compile(pattern))
    page.expect(listed).to_have_count(n)
    return [re.search(pattern, text)[0] for text in listed.all_inner_texts()]


def card(page, section, title):
    """A chart by its title; two may have one title, in two sections."""
    grid = page.get_by_test_id("draggable-chart-cards-grid").nth(
        ["results", "curves"].index(section)
    )
    found = grid.locator(CARD).filter(has_text=re.compile(rf"^\s*{re.escape(title)}"))
    page.expect(found).to_have_count(1)
    found.scroll_into_view_if_needed()
    return found


def sections_are(page, **charts):
    """Opens all sections; they have these numbers of charts, and there is no other section."""
    heads = page.get_by_test_id("experiment-view-compare-runs-section-header")
    page.expect(heads).to_have_text(
        [re.compile(rf"^\s*{name}\s*\({n}\)") for name, n in charts.items()]
    )
    heads.last.click()
    page.expect(page.locator(CARD)).to_have_count(sum(charts.values()))


def charts_are_drawn(page, *, result, lines, axes):
    """Bars and curves, one for each line; the parallel coordinates with these axes."""
    page.expect(card(page, "results", result).locator(".bars .point")).to_have_count(lines)
    parallel = card(page, "results", "Parallel Coordinates")
    page.expect(parallel.locator("canvas").first).to_be_visible()
    for axis in axes:
        page.expect(parallel.get_by_text(axis, exact=True)).to_be_visible()
    for metric in CHARTS:
        curves = card(page, "curves", metric)
        page.expect(curves.get_by_text("Step", exact=True)).to_be_visible()
        # not a single point
        drawn = curves.locator(", ".join(f'path.js-line[d*="{step}"]' for step in "LHV"))
        page.expect(drawn.nth(lines - 1)).to_be_attached()


def has_columns(page, link, *wanted):
    """The table instead of the charts; the names of all its columns."""
    page.goto("about:blank")
    page.goto(link.replace("&compareRunsMode=CHART", ""))
    for name in wanted:
        page.expect(page.get_by_role("columnheader", name=name, exact=True).first).to_be_visible()
    return {name.strip() for name in page.get_by_role("columnheader").all_inner_texts()}


def test_the_link_opens_ready_made_charts_and_leads_to_the_report_and_the_runs(page, in_tmp):
    dlexp("-m", "optimizer=sgd,adam", "optimizer.lr=0.01,0.1", "seed=0,1", "sweep=pairs", *SMALL)
    with links() as link:
        page.goto(link["sweep"])
        groups = {f"{o} · lr={lr}" for o in ("sgd", "adam") for lr in ("0.1", "0.01")}
        assert set(rows(page, 4, r"(?<=Group: ).*lr=[\d.]+")) == groups
        page.expect(page.get_by_text("8 matching runs")).to_be_visible()
        charts_are_drawn(
            page, result="test/accuracy", lines=4, axes=["optimizer.lr", "test/accuracy"]
        )
        for name in groups:
            page.expect(card(page, "curves", "val/loss").get_by_text(name)).to_be_visible()
        has_columns(
            page,
            link["sweep"],
            "optimizer",
            "optimizer.lr",
            "seed",
            "test/accuracy",
            "val/accuracy",
            "dlexp.status",
        )

        page.goto(link["look"])
        page.get_by_role("link", name="sweep pairs: optimizer × lr (8 runs)").click()
        the_sweeps_own_page(page, groups)

        page.goto(link["report"])
        page.goto(
            link["sweep"].partition("#")[0]
            + page.get_by_role("link", name="of each run").get_attribute("href")
        )
        names = rows(page, 8, r"\w+ lr=[\d.]+ s\d")
        assert set(names) == {f"{g.replace(' ·', '')} s{seed}" for g in groups for seed in (0, 1)}
        charts_are_drawn(
            page,
            result="test/accuracy",
            lines=8,
            axes=["optimizer", "optimizer.lr", "test/accuracy"],
        )
        page.get_by_role("link", name=re.compile("^adam lr=0.1 s1")).click()
        a_runs_page(page)


def the_sweeps_own_page(page, groups):
    """The description in Markdown, the report and its figures."""
    page.get_by_text("Show more").click()
    table = page.locator("table").filter(has_text="test/accuracy, IQM")
    cells = table.locator("tr td:first-child").evaluate_all("all => all.map(e => e.textContent)")
    assert {cell.rstrip("\u00a0") for cell in cells} == groups
    assert all(cell.endswith("\u00a0") for cell in cells)  # or the columns touch
    page.expect(page.locator("code", has_text="python -m dlexp resume pairs")).to_be_visible()
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("report", exact=True).click()
    page.get_by_text("report.html", exact=True).click()
    page.expect(page.frame_locator("iframe").get_by_role("heading", name="Results")).to_be_visible()
    page.get_by_text("figures", exact=True).click()
    for figure in ("curves.png", "dots.png"):
        page.get_by_text(figure, exact=True).click()
        image = page.get_by_role("img", name=f"report/figures/{figure}")
        page.expect(image).to_be_visible()
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 300


def a_runs_page(page):
    """Parameters and measurements; a curve of each metric."""
    page.expect(page.get_by_role("heading", name="adam lr=0.1 s1")).to_be_visible()
    for name, value in (("optimizer.lr", "0.1"), ("seed", "1"), ("model.hidden", "[5]")):
        row = page.get_by_role("row").filter(has=page.get_by_text(name, exact=True))
        page.expect(row.get_by_text(value, exact=True)).to_be_visible()
    page.expect(page.get_by_role("link", name="val/accuracy")).to_be_visible()
    page.get_by_role("tab", name="Model metrics").click()
    page.expect(page.locator(CARD).first.locator("path.point").first).to_be_visible()
    page.expect(page.locator("path.js-line").first).to_be_attached()


def test_a_numeric_axis_is_drawn_as_an_axis(page, in_tmp):
    dlexp("-m", "optimizer.lr=0.001,0.01,0.1", "seed=0,1", "sweep=rates", *SMALL)
    with links() as link:
        page.goto(link["sweep"])
        groups = rows(page, 3, r"(?<=Group: ).*lr=[\d.]+")
        assert set(groups) == {"lr=0.1", "lr=0.01", "lr=0.001"}
        charts_are_drawn(
            page, result="test/accuracy", lines=3, axes=["optimizer.lr", "test/accuracy"]
        )
        has_columns(page, link["sweep"], "optimizer.lr", "seed", "test/accuracy")


def test_a_search_shows_each_trial_and_no_test_metric(page, in_tmp):
    rate = "optimizer.lr=tag(log,interval(1e-3,1))"
    trials = ["hydra/sweeper=random", "hydra.sweeper.n_trials=4", "sweep=hunt"]
    dlexp("-m", "optimizer=sgd,adam", rate, *trials, *SMALL)
    with links() as link:
        page.goto(link["sweep"])
        assert len(set(rows(page, 4, r"(sgd|adam) lr=[\d.]+"))) == 4
        charts_are_drawn(
            page, result="val/accuracy", lines=4, axes=["optimizer", "optimizer.lr", "val/accuracy"]
        )
        sections_are(page, results=2, curves=3, more=2)
        page.expect(page.locator(CARD).filter(has_text="test/")).to_have_count(0)
        shown = has_columns(page, link["sweep"], "optimizer", "optimizer.lr", "val/accuracy")
        assert not [name for name in shown if name.startswith("test/")]
