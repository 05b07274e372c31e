"""What is known of each benchmark beforehand: that it adds up, and agrees with itself."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ivbench_data.errors import UsageError
from ivbench_data.manifests import Manifest, load_manifest, manifest_names


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return load_manifest("ivbench")


@pytest.mark.parametrize("name", manifest_names())
def test_every_manifest_adds_up(name: str) -> None:
    manifest = load_manifest(name)
    assert manifest.name == name
    for task in manifest.tasks:
        assert task.group in (None, *manifest.task_groups)
    names = [task.name for task in manifest.tasks]
    assert len(set(names)) == len(names)
    for counted in ("released", "published"):
        of_tasks = [getattr(task, counted) for task in manifest.tasks]
        total = getattr(manifest, counted).questions
        if None not in (*of_tasks, total):
            assert sum(of_tasks) == total
    for row in manifest.published_results:
        assert set(row.tasks) <= set(names)
        assert set(row.groups) <= set(manifest.task_groups)
    labels = [label for task in manifest.tasks for label in {task.name, *task.labels}]
    assert len(set(labels)) == len(labels), "one spelling stands for two tasks"


def test_counts_of_ivbench(manifest: Manifest) -> None:
    assert (manifest.released.videos, manifest.released.images, manifest.released.questions) == (747, 1680, 1686)
    assert (manifest.published.videos, manifest.published.questions) == (967, 2585)
    published = {
        group: sum(task.published or 0 for task in manifest.tasks if task.group == group)
        for group in manifest.task_groups
    }
    assert published == {"perception": 1511, "reasoning": 1074}
    assert len(manifest.tasks) == 13
    assert sum(task.group == "perception" for task in manifest.tasks) == 7
    assert len(manifest.video_categories) == 5
    assert manifest.options_per_question == 10


def test_nothing_is_invented(manifest: Manifest) -> None:
    assert manifest.hub is not None
    assert manifest.hub.repo_id == "m-a-p/IV-Bench"
    assert manifest.hub.revision is None
    assert manifest.hub.files == {}
    assert manifest.license is None
    assert manifest.published.images is None


def test_the_release_s_digest_is_the_release_s(manifest: Manifest, release_file: Path) -> None:
    assert manifest.release is not None
    assert manifest.release.sha256 == hashlib.sha256(release_file.read_bytes()).hexdigest()


def test_main_table_s_means_are_weighted_by_questions(manifest: Manifest) -> None:
    # Of the 26 rows 22 agree with their own columns within 0.2; four differ by up to 0.5, as printed in the paper.
    weight = {task.name: task.published or 0 for task in manifest.tasks}
    group = {task.name: task.group for task in manifest.tasks}

    def mean(figures: dict[str, float | None], names: list[str]) -> float:
        return sum((figures[name] or 0) * weight[name] for name in names) / sum(weight[name] for name in names)

    assert len(manifest.published_results) == 26
    off: dict[str, float] = {}
    for row in manifest.published_results:
        assert len(row.tasks) == 13
        assert None not in row.tasks.values()
        expected = {"overall": mean(row.tasks, list(weight))}
        expected |= {key: mean(row.tasks, [name for name in weight if group[name] == key]) for key in row.groups}
        printed = {"overall": row.overall or 0.0, **row.groups}
        off[row.model] = max(abs(printed[key] - expected[key]) for key in expected)
    beyond = {model for model, difference in off.items() if difference > 0.2}
    assert beyond == {"InternVL2.5-8B", "Gemini-2-Pro", "Gemini-2-Flash", "Qwen2.5-VL-72B"}
    assert max(off.values()) < 0.55


def test_spellings_of_the_release(manifest: Manifest) -> None:
    tasks = manifest.task_of_label()
    assert tasks["Details Event"] == "Detailed Events"
    assert tasks["Instruction manual"] == "Instruction Understanding"
    assert tasks["Detailed Events"] == "Detailed Events"
    assert manifest.granularity_of_label()["Whole video"] == manifest.granularity_of_label()["Whole Video"] == "whole"


@pytest.mark.parametrize("name", ["", "ivbnech", "../ivbench", "ivbench.json", "IVBENCH"])
def test_an_unknown_manifest_is_a_bad_call_that_names_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match=r"there are: .*ivbench"):
        load_manifest(name)
