"""Read an imported dataset and print its first question as a model would be asked it.

ivbench-data import ivbench path/to/test_data.jsonl
python examples/read_questions.py data/ivbench
"""

from __future__ import annotations

import sys
from string import ascii_uppercase

import ivbench_data as iv


def main(folder: str) -> None:
    """Print one question with lettered options, and where its video and image are to be found."""
    dataset = iv.load(folder)
    question = dataset.questions[0]
    print(
        f"{question.question_id} ({question.task}): video {question.video_id}, images {', '.join(question.image_ids)}"
    )
    print(question.question)
    for letter, option in zip(ascii_uppercase, question.options, strict=False):
        print(f"  {letter}. {option}")
    print("right:", ", ".join(ascii_uppercase[index] for index in question.correct_indices))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "data/ivbench")
