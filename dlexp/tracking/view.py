"""Saved views of MLflow's table and charts, kept as tags of the experiment. Imports no MLflow.

Their form is undocumented, derived from MLflow 3.17's own pages (`ExperimentPageUIState.tsx`,
`runs-charts.types.ts` in https://github.com/mlflow/mlflow); an MLflow that does not know it ignores
it.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dlexp.core import directions
from dlexp.tracking.sweep_folder import Survey

PREFIX = "mlflow.sharedViewState."
MEMBER = "dlexp.view"  # the tag of the runs that a sweep's view shows
# the first one that exists is drawn as bars
RESULTS = ("test/accuracy", "val/accuracy", "test/loss", "val/loss", "train/loss")
COLUMNS = ("test/accuracy", "val/accuracy", "train/accuracy", "test/loss", "val/loss", "train/loss")
CURVES = ("val/accuracy", "val/loss", "train/loss")
GROUP = "dlexp.group"  # the common tag of runs that differ only in their seed
NAME = "attributes.`Run Name`"
PAGE = 100  # runs that MLflow's page loads at a time
DRAWN = 30  # with more groups a chart is unreadable: the first are drawn
CLOSED = 60  # from this number of groups on, their runs are folded away

State = dict[str, Any]


def tag_value(name: str, state: Mapping[str, Any], now_ms: int) -> str:
    """The tag's value for a view."""
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode(), 9)).decode()
    return json.dumps(
        {"name": name, "createdAt": now_ms, "updatedAt": now_ms, "state": f"deflate;{packed}"}
    )


def runs(
    columns: Sequence[str],
    search: str = "",
    order: str = "attributes.start_time",
    ascending: bool = False,
) -> State:
    """A table of runs."""
    return {
        "searchFilter": search,
        "orderByKey": order,
        "orderByAsc": ascending,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": list(columns),
        "columnOrder": [NAME, "runDateAndNestInfo", *columns],
        "columnWidths": {NAME: 300},
    }


def sweep(key: str, survey: Survey, *, grouped: bool, searched: bool = False) -> State:
    """The view of a sweep's runs: bars, parallel coordinates and curves, `grouped` over the seeds.

    MLflow loads a hundred runs at a time. Of a larger sweep, these are the first by seed, so that
    every group has its share. A sweep that `searched` shows no test metric: the choice must be made
    on validation data.
    """
    metrics = [m for m in survey.metrics if not (searched and m.startswith("test/"))]
    result = next((m for m in RESULTS if m in metrics), next(iter(metrics), ""))
    params = [f"params.`{p}`" for p in [*survey.varied, *(["seed"] if survey.seeds else [])]]
    shown = [m for m in COLUMNS if m in metrics] or metrics[:6]
    large = survey.seeds and survey.runs > PAGE
    # the best first, if it is known which that is
    way = directions.better(result, survey.better)
    order = "params.`seed`" if large else f"metrics.`{result}`" if way else "attributes.start_time"
    columns = [*(f"metrics.`{m}`" for m in shown), *params, "tags.`dlexp.status`"]
    state = runs(columns, f"tags.`{MEMBER}` = '{key}'", order, large or way == directions.LOW)
    by = {"aggregateFunction": "average", "groupByKeys": [{"mode": "tag", "groupByData": GROUP}]}
    closed = (
        {f"tag.{GROUP}.{name}": False for name in survey.groups}
        if len(survey.groups) <= CLOSED
        else {}
    )
    return state | {
        "groupBy": by if grouped else None,
        "groupsExpanded": closed,
        "useGroupedValuesInCharts": True,
        "runsHiddenMode": "FIRST_20_RUNS" if grouped and len(survey.groups) > DRAWN else "SHOW_ALL",
        "hideEmptyCharts": True,
        "autoRefreshEnabled": True,
        "isAccordionReordered": True,
        "compareRunSections": [
            _section("results", True, 2),
            _section("curves", True, 3),
            _section("more", False, 3),
        ],
        "compareRunCharts": list(_charts(result, survey, metrics, shown, grouped)),
        "globalLineChartConfig": {
            "xAxisKey": "step",
            "lineSmoothness": 0,
            "selectedXAxisMetricKey": "",
        },
    }


def _section(name: str, display: bool, columns: int) -> State:
    usual = {
        "uuid": name,
        "name": name,
        "isReordered": True,
        "deleted": False,
        "isGenerated": False,
    }
    return {**usual, "display": display, "columns": columns}


def _charts(
    result: str, survey: Survey, metrics: Sequence[str], shown: Sequence[str], grouped: bool
) -> Iterator[State]:
    if result:
        yield _chart("BAR", "results", result, metricKey=result)
    several = {
        "selectedParams": list(survey.numeric),
        "selectedMetrics": [m for m in shown[::-1] if "accuracy" in m] or shown,
    }
    # MLflow draws no text for a group
    if not grouped or list(survey.varied) == list(survey.numeric):
        several = {"selectedParams": list(survey.varied), "selectedMetrics": [result]}
    if sum(map(len, several.values())) > 1:
        yield _chart("PARALLEL", "results", "axes", **several, showAllRuns=not grouped)
    for metric in survey.metrics:
        if metric not in metrics:
            # otherwise MLflow's page makes one
            yield _chart("BAR", "more", metric, metricKey=metric) | {"deleted": True}
    for metric in sorted(metrics, key=lambda m: CURVES.index(m) if m in CURVES else len(CURVES)):
        if metric != result or metric in CURVES:  # a single measurement makes no curve
            yield _line(metric, "curves" if metric in CURVES else "more")


def _chart(kind: str, section: str, name: str, **more: Any) -> State:
    usual = {
        "type": kind,
        "uuid": f"{kind}-{name}".lower(),
        "metricSectionId": section,
        "deleted": False,
    }
    return {**usual, "isGenerated": False, "runsCountToCompare": DRAWN, **more}


def _line(metric: str, section: str) -> State:
    return _chart(
        "LINE",
        section,
        metric,
        metricKey=metric,
        selectedMetricKeys=[metric],
        lineSmoothness=0,
        xAxisKey="step",
        xAxisScaleType="linear",
        scaleType="linear",
        selectedXAxisMetricKey="",
        yAxisKey="metric",
        yAxisExpressions=[],
        ignoreOutliers=False,
        useGlobalXaxisKey=True,
        useGlobalLineSmoothing=True,
        range={},
    )
