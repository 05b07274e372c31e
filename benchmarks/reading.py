"""How long our parser reads 100,000 replies: seconds of CPU, for short ones, long ones and replies of your own.

    python benchmarks/reading.py                          # worded replies made here: 65 and 309 characters
    python benchmarks/reading.py replies.jsonl more.jsonl # lines with "reply" and "options", in turn up to the count

Each reply is read anew, however often its words come. A busy machine makes the figure larger, never smaller: the
fastest of the rounds is the one to look at.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from ivbench_data.evaluate.replies.parse import parse_answer

Pair = tuple[str | None, tuple[str, ...]]
OPTIONS = ("A boat crosses the lake", "The girl waters the plants", "He repairs the bicycle", "Two birds land on it")
SHORT = "The correct answer is {}. The others are not seen in the video."
LONG = (
    "The video shows a man who walks along the river and talks to a woman in a red coat. After some seconds he turns"
    " round, picks up the bag and leaves. The reference image shows the same bag from above, near a bench. Therefore,"
    " comparing all the options, the correct answer is {}. The others are not seen in it."
)


def measure_seconds(replies: Sequence[Pair], count: int) -> float:
    """Seconds of CPU that `count` replies take, the given ones in turn."""
    pairs = list(islice(cycle(replies), count))
    began = time.process_time()
    for reply, options in pairs:
        parse_answer(reply, options)
    return time.process_time() - began


def read_replies(path: Path) -> list[Pair]:
    """Replies and their options, of a file with a JSON object a line."""
    rows: list[dict[str, Any]] = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [(row["reply"], tuple(row["options"])) for row in rows]


def main() -> None:
    """Measure, and print a line for each kind of reply."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="JSON Lines with reply and options")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    kinds = {name: [(words.format(letter), OPTIONS) for letter in "ABCD"] for name, words in MADE.items()}
    kinds |= {path.name: read_replies(path) for path in asked.files}
    for name, replies in kinds.items():
        seconds = [measure_seconds(replies, asked.count) for _ in range(asked.rounds)]
        length = statistics.mean(len(reply or "") for reply, _ in replies)
        print(f"{name:<24} {length:6.0f} characters  {min(seconds):6.1f} s of CPU")


MADE = {"short": SHORT, "long": LONG}

if __name__ == "__main__":
    main()
