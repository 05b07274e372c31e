"""A dataset of three videos and eight questions, with images and cached frames, for the tests of evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ivbench_data.dataset import Dataset
from ivbench_data.frames.frame_file import write_frame_file
from ivbench_data.schema import Evidence, FrameGrid, QueryImage, Question, Video
from ivbench_data.workspace import Workspace

GRID = FrameGrid(nframes=8, res=16)
DURATION_SECONDS = 80.0

_ABOUT = [
    # video, task, number of options, granularity, evidence
    ("alpha", "Existence", 10, "whole", Evidence(kind="whole")),
    ("alpha", "Reverse Existence", 10, "frame", Evidence(kind="point", start_seconds=11)),
    ("alpha", "Counting", 10, "clip", Evidence(kind="range", start_seconds=20, end_seconds=45)),
    ("beta", "Existence", 10, "frame", Evidence(kind="point", start_seconds=30)),
    ("beta", "Counting", 4, "clip", Evidence(kind="range", start_seconds=50, end_seconds=20)),
    ("-gamma", "Existence", 10, "clip", Evidence(kind="range", start_seconds=0, end_seconds=80)),
    ("-gamma", "Summary", 10, "whole", Evidence(kind="whole")),
    ("beta", "Summary", 10, "whole", Evidence(kind="whole")),
]


def make_dataset() -> Dataset:
    questions = []
    for number, (video_id, task, count, granularity, evidence) in enumerate(_ABOUT):
        options = tuple(f"thing {number}-{at}" for at in range(count))
        questions.append(
            Question(
                question_id=f"{video_id}_{number}",
                video_id=video_id,
                image_ids=(f"{video_id}_{number}.png",),
                question=f"Which thing is it, number {number}?",
                options=options,
                answer_index=number % count,
                answer=options[number % count],
                task=task,
                granularity=granularity,
                evidence=(evidence,),
                source="test",
                metadata={"evidence_text": f"It is number {number}."},
            )
        )
    return Dataset(
        name="tiny",
        videos=tuple(Video(video_id=name) for name in ("alpha", "beta", "-gamma")),
        images=tuple(QueryImage(image_id=question.image_ids[0]) for question in questions),
        questions=tuple(questions),
    )


def cache_video(root: Path, video_id: str, grid: FrameGrid = GRID, seed: int = 0) -> None:
    pts = np.arange(grid.nframes) * (DURATION_SECONDS / grid.nframes)
    frames = np.random.default_rng([seed, *video_id.encode()]).integers(0, 256, (grid.nframes, 3, 16, 28), np.uint8)
    metadata = {
        "grid": grid.identity,
        "video_id": video_id,
        "source_sha256": "0" * 64,
        "source_duration_seconds": repr(DURATION_SECONDS),
    }
    path = Workspace(root, "tiny").cache_path(grid, video_id)
    with write_frame_file(path, (28, 16), pts, np.arange(grid.nframes), metadata) as writer:
        for position, frame in enumerate(frames):
            writer.put(position, frame)


def make_media(root: Path, dataset: Dataset) -> None:
    workspace = dataset.save(root)
    for video in dataset.videos:
        cache_video(root, video.video_id)
    workspace.images.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(dataset.images):
        Image.new("RGB", (12 + number, 9), (number * 20, 255 - number * 20, 60)).save(
            workspace.image_path(image.image_id)
        )
