"""Small releases in IV-Bench's form, made to order: each question says only what differs from an honest one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ivbench_data.dataset import Dataset
from ivbench_data.schema import Finding
from ivbench_data.sources import ivbench
from ivbench_data.validate.checks import CheckContext, validate_questions

VIDEO = "aB3-_xYz012"
NINE = ["red", "green", "blue", "black", "white", "grey", "brown", "pink", "orange"]


def make_record(data_id: int = 0, video_id: str = VIDEO, **changes: Any) -> dict[str, Any]:
    """An honest question, but for the changes."""
    return {
        "data_id": data_id,
        "image_name": f"{video_id}_{data_id}_image.png",
        "question": "What color is the object in the picture when it first appears in the video?",
        "question_type": "Existence",
        "granularity": "Video Clip",
        "answer": "purple",
        "answer_location": "1:10-1:50",
        "distractors": NINE,
        **changes,
    }


def make_dataset(folder: Path, *records: dict[str, Any], **videos: list[dict[str, Any]]) -> Dataset:
    """The dataset of a release that holds these questions, of one video or of several."""
    path = folder / "test_data.jsonl"
    by_video = {VIDEO: list(records)} if records else videos
    path.write_text("".join(json.dumps({name: of}, ensure_ascii=False) + "\n" for name, of in by_video.items()))
    return ivbench.read(path)


def find(dataset: Dataset, check: str, context: CheckContext | None = None) -> list[Finding]:
    """What one check finds."""
    return list(validate_questions(dataset, context, [check]))
