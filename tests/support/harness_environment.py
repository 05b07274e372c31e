"""The environment that the harnesses are installed in, and runs of it; it is never the tests' own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from evaluation_dataset import make_dataset, make_media
from PIL import Image

from ivbench_data.dataset import Dataset
from ivbench_data.evaluate.evaluation import evaluate_questions
from ivbench_data.evaluate.prompts.asking import AskOptions
from ivbench_data.evaluate.prompts.requests import Reply, Request
from ivbench_data.evaluate.results import find_results, read_results
from ivbench_data.evaluate.scores import Scorecard, score_results
from ivbench_data.frames.cache import CacheOptions, cache_frames
from ivbench_data.schema import FrameGrid, QueryImage, Question
from ivbench_data.sources import import_dataset
from ivbench_data.workspace import Workspace

REPOSITORY = Path(__file__).parent.parent.parent
VARIABLE = "IVBENCH_TEST_HARNESSES"


DEMO_GRID = FrameGrid(nframes=4, res=56)


def find_python(distribution: str) -> Path:
    """Python of the environment, where the distribution is installed in it; else the test is skipped."""
    folder = Path(os.environ.get(VARIABLE) or REPOSITORY / ".venv-harnesses")
    python = folder / "bin" / "python"
    if not python.is_file():
        pytest.skip(f"there is no environment of harnesses in {folder}: `make test-full` makes it, or set ${VARIABLE}")
    asked = [python, "-c", f"from importlib.metadata import version; version({distribution!r})"]
    if subprocess.run(asked, capture_output=True, check=False).returncode:
        pytest.skip(f"{distribution} is not installed in {folder}")
    return python.absolute()


def run_offline(
    python: Path, *arguments: str | Path, home: Path, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """A finished run that was allowed no network by the Hub's own switches, and wrote its caches under `home`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("IVBENCH_", "PYTHON", "HF_"))}
    run = subprocess.run(
        [python, *arguments],
        cwd=cwd,
        env={
            **kept,
            "HOME": str(home),
            "HF_HOME": str(home / "hf"),
            "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_OFFLINE": "1",
            "COLUMNS": "200",
            "NO_COLOR": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(REPOSITORY),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, f"{run.stdout[-6000:]}\n{run.stderr[-6000:]}"
    return run


# --- one dataset and its replies, for every harness -------------------------------------------------------------------


def make_demo_root(demo_media: Path, root: Path) -> Path:
    """A root with the demo imported and cached."""
    shutil.copytree(demo_media, root)
    dataset = import_dataset("demo", root / "demo" / "raw", root)
    assert {row.status for row in cache_frames(dataset, root, [DEMO_GRID], CacheOptions(workers=0))} == {"done"}
    return root


def describe_distribution(folder: Path, entry_points: str) -> None:
    """Make a folder that, on the path, counts as an installed distribution with these entry points."""
    described = folder / "recorded-1.0.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: recorded\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text(entry_points)


def score_ourselves(dataset: Dataset, root: Path, options: AskOptions, replies: dict[str, str]) -> Scorecard:
    """What our own evaluation makes of the replies."""

    def answer(requests: Sequence[Request]) -> Iterator[Reply]:
        return (Reply(request.key, replies[request.question_id]) for request in requests)

    name = f"recorded-{len(find_results(root / dataset.name / 'results'))}"
    list(evaluate_questions(dataset, root, model=answer, model_name=name, options=options))
    told = [read_results(path) for path in find_results(root / dataset.name / "results")]
    (mine,) = [each for each in told if each.configuration.model == name]
    return score_results(dataset, mine, Workspace(root, dataset.name))


def make_hostile_dataset() -> Dataset:
    """Texts, ids and names that templates, tables, YAML and command lines would act on."""
    tasks = ("a,b|c_stderr", "{{ 7 * 7 }}", "overall", "- !function os.system")
    questions = tuple(
        question.model_copy(
            update={
                "question": f"{{{{ 7 * 7 }}}} {{% raw %}} {{# {number} #}} <image>\n---\nkey: !function os.getcwd",
                "task": tasks[number % len(tasks)],
                "image_ids": (f"-{number} {{{{x}}}}.yaml",),
                "question_id": f"-{number}\u2028{{{{y}}}}",
            }
        )
        for number, question in enumerate(make_dataset().questions)
    )
    hidden = Question(
        question_id="2020-01-01", question="Which?", options=("{{a}}", "b"), answers_hidden=True, task="overall",
        source="test",
    )  # fmt: skip
    images = tuple(QueryImage(image_id=question.image_ids[0]) for question in questions)
    return replace(make_dataset(), images=images, questions=(*questions, hidden))


def make_hostile_media(root: Path) -> Dataset:
    dataset = make_hostile_dataset()
    plain = root / "plain"
    make_media(plain, make_dataset())
    workspace = dataset.save(root)
    shutil.copytree(plain / "tiny" / "cache", workspace.cache)
    workspace.images.mkdir()
    for question, own in zip(dataset.questions, make_dataset().questions, strict=False):
        shutil.copy(plain / "tiny" / "images" / own.image_ids[0], workspace.image_path(question.image_ids[0]))
    return dataset


def make_cue_media(root: Path) -> tuple[Dataset, dict[str, str]]:
    """VLM2-Bench in small, with replies: pairs that count together, counts that earn parts, tasks that weigh alike."""
    questions, replies = [], {}
    for pair, told in enumerate([("True", "False"), ("True", "True"), ("F", "T"), ("False.", "I do not know")]):
        for half, truth in enumerate(("True", "False")):
            question = Question(
                question_id=f"gc_mat_{pair}_{truth}", image_ids=(f"{pair}.png",), question=f"Is it so, {pair}, {half}?",
                question_type="tf", options=("True", "False"), answer=truth, answer_index=half, task="GC Mat",
                group_id=f"gc_mat_{pair}", source="vlm2bench",
            )  # fmt: skip
            questions.append(question)
            replies[question.question_id] = told[half]
    for number, told_number in enumerate(("2", "three of them", "none", "4")):
        images = tuple(f"{image}.png" for image in range(4 if number == 0 else 3))
        question = Question(
            question_id=f"oc_cnt_{number}", image_ids=images, question="How many?", question_type="numeric", answer="3",
            task="OC Cnt", source="vlm2bench",
        )  # fmt: skip
        questions.append(question)
        replies[question.question_id] = told_number
    names = ("0.png", "1.png", "2.png", "3.png")
    dataset = Dataset("vlm2bench", images=tuple(map(_make_image, names)), questions=tuple(questions))
    folder = dataset.save(root).images
    folder.mkdir()
    for number, name in enumerate(names):
        Image.new("RGB", (20 + number, 10), (number, 0, 0)).save(folder / name)
    (folder / "3.png").unlink()  # a pair and a count cannot be asked
    return dataset, replies


def _make_image(name: str) -> QueryImage:
    return QueryImage(image_id=name)
