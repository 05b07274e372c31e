"""One meaning a word: the words that the glossary of CONTRIBUTING keeps out do not come back."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

BANNED = {
    r"\btold\b": "message, details, config, or the plain verb: said, named",
    r"\bfilms?\b": "video",
    r"\bverdicts?\b": "score (of a reply), review decision (of a person), check result (of verify)",
    r"\bjudge?ments?\b": "score",
    r"\blikeness(es)?\b": "perceptual hash, similarity",
    r"\bpatients?\b": "doctor context",
    r"\bdiagnos[ei]s\b": "check result",
    r"\bexhibits?\b": "published evidence",
    r"\bbrings?\b|\bbrought\b": "download, import, add",
    r"\bturned round\b": "dictionary attack; inverted",
    r"\bat this door\b": "input validation",
    r"\bbecame of\b": "outcome",
    r"\bfor the network's sake\b": "due to network errors",
    r"\btoo many bytes\b|\bbytes too many\b": "trailing bytes",
}
"""Patterns, and what to say instead."""

ALLOWED = (
    "Film & Television",  # a category's name in IV-Bench
    "film grain",  # a part of AV1's bitstream
    "films?|movies?",  # words that questions use for a video
    "verdict|decision",  # words that replies use for their answer
)
"""Texts that hold such a word and mean something else."""

STORED = {
    "verdict": ("ivbench_data/validate/review.py", "ivbench_data/cli/review.py"),
    "diagnoses": ("ivbench_data/cli/doctor.py",),
    '"Verdicts"': ("ivbench_data/__init__.py",),
}
"""Names in stored files and documents that keep old files readable, and where they stand."""


@cache
def read_lines() -> list[tuple[str, int, str]]:
    """Every line that people read: the package, README, docs, examples, benchmarks."""
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    for folder in ("ivbench_data", "examples", "benchmarks"):
        files += [path for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".js", ".html", ".css")]
    return [
        (path.relative_to(ROOT).as_posix(), number, line)
        for path in sorted(set(files) - {ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"})
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    ]


@pytest.mark.parametrize("pattern", BANNED)
def test_a_banned_word_does_not_come_back(pattern: str) -> None:
    found = []
    for name, number, line in read_lines():
        if not re.search(pattern, line, re.IGNORECASE):
            continue
        text = line
        for allowed in (*ALLOWED, *(word for word, files in STORED.items() if name in files)):
            text = text.replace(allowed, "")
        if re.search(pattern, text, re.IGNORECASE):
            found.append(f"{name}:{number}: {line.strip()}")
    assert found == [], f"say instead: {BANNED[pattern]}"
