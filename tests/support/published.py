"""Published folders for tests: a small dataset with all that a question can hold, its images, and offline loading."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ivbench_data.dataset import Dataset
from ivbench_data.publish.build import PublishOptions, publish_folder
from ivbench_data.publish.edition import Edition
from ivbench_data.publish.publication_record import PublishedVersion
from ivbench_data.schema import Evidence, EvidenceBox, QueryImage, Question, Video
from ivbench_data.workspace import Workspace

CANARY = "0f8c3f6e-2f4b-4f0e-9a67-6f3a1d2c5b7e"


def make_png(width: int, height: int, level: int = 6) -> bytes:
    """A grey PNG; compressed at another level it is another file of the same picture."""
    rows = b"".join(b"\0" + bytes((x * y) % 256 for x in range(width)) for y in range(height))
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, level)),
        (b"IEND", b""),
    )
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def make_dataset(name: str = "mine") -> Dataset:
    """Six questions on three videos, one of them without a video, in every form that a question has."""
    questions = (
        Question(
            question_id="one_0", video_id="one", image_ids=("a.png", "b.png"), question="Which?",
            options=("left", "right", "left"), answer="left", answer_index=2, task="Counting", group_id="g",
            category="Sports", granularity="clip", source="mine",
            evidence=(
                Evidence(kind="range", start_seconds=1.25, end_seconds=0.1, text="1.25 - 0.1", boxes=(
                    EvidenceBox(x0=0.1, y0=0.2, x1=0.3, y1=1.0, time_seconds=2.0, label="a “ball”"),
                    EvidenceBox(x0=0, y0=0, x1=1, y1=1, image_id="a.png"),
                )),
                Evidence(kind="whole"),
            ),
            ask_time_seconds=12.0, metadata={"b": [1, 2.5, None], "a": {"nested": "ünï\u2028code"}},
            raw={"z": 1, "a": "\u0000 kept", "n": 10**20},
        ),
        Question(question_id="one_1", video_id="one", image_ids=("a.png",), question="", options=("yes", "no"),
                 question_type="tf", answer="no", answer_index=1, task="Existence", source="mine"),
        Question(question_id="two_0", video_id="two", question="How many?", question_type="numeric", answer="3",
                 task="Counting", source="mine"),
        Question(question_id="two_1", video_id="two", image_ids=("b.png",), question="Who\n? | <b>", options=("x", "y"),
                 answer="y", answer_index=1, task="Existence | *all*", source="mine"),
        Question(question_id="three_0", video_id="three", question="Tell.", question_type="open", answer="",
                 task="Summary", source="mine", metadata={}, raw={}),
        Question(question_id="picture_0", image_ids=("c.png",), question="What?", options=("p", "q"), answer="p",
                 answer_index=0, task="Counting", source="mine"),
    )  # fmt: skip
    videos = (
        Video(video_id="one", url="https://example.org/one", duration_seconds=20.5, license="CC-BY-4.0"),
        Video(video_id="two", category="Sports", language="en"),
        Video(video_id="three"),
    )
    images = tuple(QueryImage(image_id=image_id) for image_id in ("a.png", "b.png", "c.png"))
    return Dataset(name, videos, images, questions, provenance={"source": "native", "file": "questions.jsonl"})


def write_images(workspace: Workspace) -> dict[str, bytes]:
    """The dataset's three images, in place; and their bytes."""
    contents = {"a.png": make_png(40, 40), "b.png": make_png(48, 36, 9), "c.png": make_png(64, 33, 1)}
    workspace.images.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        workspace.image_path(name).write_bytes(content)
    return contents


def publish(
    dataset: Dataset, root: Path, folder: Path, edition: Edition | None = None, **options: Any
) -> PublishedVersion:
    """Publish the dataset with a fixed canary; all of it as `test`, when no edition says otherwise."""
    workspace = Workspace(root, dataset.name)
    everything = {"test": [question.question_id for question in dataset.questions]}
    edition = edition or Edition(everything)
    return publish_folder(dataset, replace(edition, canary=CANARY), folder, workspace, PublishOptions(**options))


def load_offline(folder: Path, cache: Path, config: str | None = None, **arguments: Any) -> Any:
    """What `datasets.load_dataset` gives, with its cache in `cache` and no network."""
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    patch = pytest.MonkeyPatch()
    with patch.context() as patched:
        patched.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        patched.setattr(datasets.config, "HF_MODULES_CACHE", str(cache / "modules"))
        datasets.disable_progress_bars()
        return datasets.load_dataset(str(folder), config, cache_dir=str(cache), **arguments)


def as_bytes(loaded: Any) -> Any:
    """The loaded questions with each image as it is stored, not decoded."""
    import datasets

    return loaded.cast_column("images", datasets.List(datasets.Image(decode=False)))
