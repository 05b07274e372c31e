"""Read an imported dataset and print its first question as a model would be asked it.

ivbench-data import ivbench path/to/test_data.jsonl
python examples/read_questions.py ivbench data
"""

from __future__ import annotations

import sys
from string import ascii_uppercase

import ivbench_data as iv


def main(name: str = "ivbench", root: str | None = None) -> None:
    """Print one question with lettered options, and the ids of its video and images."""
    dataset = iv.load_dataset(name, root)
    question = dataset.questions[0]
    print(
        f"{question.question_id} ({question.task}): video {question.video_id}, images {', '.join(question.image_ids)}"
    )
    print(question.question)
    for letter, option in zip(ascii_uppercase, question.options, strict=False):
        print(f"  {letter}. {option}")
    print("right:", ", ".join(ascii_uppercase[index] for index in question.correct_indices))


if __name__ == "__main__":
    main(*sys.argv[1:])
