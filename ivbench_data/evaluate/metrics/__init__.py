"""Metrics by name: a benchmark's manifest names one for each task.

A metric scores a reply, says which questions count together, and computes the figure of the benchmark's own code for
the same replies. Without a name in the manifest, or without a manifest, the metric is accuracy over options.
"""

from __future__ import annotations

from functools import cache

from ivbench_data.errors import DatasetError
from ivbench_data.evaluate.metrics import vlm2bench_metrics
from ivbench_data.evaluate.metrics.accuracy import NUMBER, OPTIONS
from ivbench_data.evaluate.metrics.units import Metric
from ivbench_data.manifests import load_manifest, manifest_names
from ivbench_data.schema import Question

METRICS: dict[str, Metric] = {
    "options": OPTIONS,
    "number": NUMBER,
    "pairs": vlm2bench_metrics.PAIRS,
    "pairs_to_the_letter": vlm2bench_metrics.PAIRS_TO_THE_LETTER,
    "counting": vlm2bench_metrics.COUNTING,
    "grouping": vlm2bench_metrics.GROUPING,
    "identity_description": vlm2bench_metrics.IDENTITY_DESCRIPTION,
}
"""Every metric, by the name that manifests use."""


def find_metric(question: Question) -> Metric:
    """The metric of the question's task, as the manifest of its source names it.

    Raises:
        DatasetError: the manifest names an unknown metric.
    """
    return _find_metric(question.source, question.task)


@cache
def _find_metric(source: str, task_name: str) -> Metric:
    if source not in manifest_names():
        return OPTIONS
    name = next((task.metric for task in load_manifest(source).tasks if task.name == task_name), None)
    if name is None:
        return OPTIONS
    if name not in METRICS:
        raise DatasetError(
            f"the manifest of {source} names the metric {name!r} for {task_name}; there are: {', '.join(METRICS)}"
        )
    return METRICS[name]
