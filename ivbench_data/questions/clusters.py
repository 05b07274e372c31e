"""What a question is drawn together with, for every interval and every split."""

from __future__ import annotations

from ivbench_data.schema import Question


def cluster_of(question: Question) -> str:
    """The name of what a question is drawn with: its video, else its group, else its first image, else itself."""
    if question.video_id is not None:
        return f"video {question.video_id}"
    if question.group_id is not None:
        return f"group {question.group_id}"
    return f"image {question.image_ids[0]}" if question.image_ids else f"question {question.question_id}"
