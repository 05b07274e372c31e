"""Prompts: profiles, the parts of a prompt in order, its digest, and the choice of frames.

A *pattern* (see `patterns`) sets which visuals are shown, in which order. A *profile* sets the wording of the question
and the parser of the reply.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from ivbench_data.errors import IvbenchError, UsageError
from ivbench_data.evaluate.prompts.patterns import FrameChoice, Pattern
from ivbench_data.evaluate.prompts.requests import ImagePart, Part, TextPart, VideoPart
from ivbench_data.evaluate.prompts.wording import (
    Wording,
    word_by_default,
    word_like_paper,
    word_like_videoespresso,
    word_like_videoespresso_with_evidence,
    word_like_vlm2bench,
    word_with_evidence,
)
from ivbench_data.manifests import load_manifest, manifest_names
from ivbench_data.questions.option_letters import LETTERS
from ivbench_data.schema import Evidence, Question

PROMPT_VERSION = 1
"""Incremented when a wording changes, so that old answers are not reused."""


# --- profiles --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Profile:
    """Wording of questions and parser of replies."""

    word: Wording
    """Writes the text."""
    letters: str
    """The options' letters."""
    description: str
    """Description in one phrase."""
    names_truths: bool = False
    """Whether true and false are shown by name, without letters."""
    states_frames: bool = False
    """Whether the text states the number of frames."""
    shows_evidence: bool = False
    """Whether the text holds the evidence; a question without evidence text cannot be asked."""

    def list_letters(self, question: Question) -> tuple[str, ...]:
        """The option letters that the question's prompt shows; our profiles show true and false by name."""
        return tuple(self.letters[: len(question.options)]) if shows_letters(question, self) else ()


PROFILES: dict[str, Profile] = {
    "default": Profile(word_by_default, LETTERS, "our wording, A to J, and our parser", names_truths=True),
    "default_evidence": Profile(
        word_with_evidence,
        LETTERS,
        "our wording with the evidence's text, and our parser",
        names_truths=True,
        shows_evidence=True,
    ),
    "paper": Profile(
        word_like_paper,
        LETTERS.lower(),
        "IV-Bench's wording, a to j, and its parser, seeded",
        states_frames=True,
    ),
    "videoespresso": Profile(word_like_videoespresso, LETTERS, "VideoEspresso's wording, and its parser"),
    "videoespresso_evidence": Profile(
        word_like_videoespresso_with_evidence,
        LETTERS,
        "VideoEspresso's wording with evidence, and its parser",
        shows_evidence=True,
    ),
    "vlm2bench": Profile(
        word_like_vlm2bench, LETTERS, "VLM2-Bench's wording, and its parser of options", names_truths=True
    ),
}
"""Every profile, by name; its parser has the same name in `replies.parse.PARSERS`."""

OWN_PROFILES = ("default", "default_evidence")
"""The profiles of our own wordings."""

OWN_WORDINGS = ("paper", "paper_evidence")
"""Names for a benchmark's own wording; its manifest says which profile that is."""


@cache
def resolve_profile(word: str, source: str) -> str:
    """The name in `PROFILES` that a word stands for, for questions of a source: `paper` is each benchmark's own.

    For a source without a manifest, `paper` is IV-Bench's profile.

    Raises:
        UsageError: there is no such profile, or the benchmark has no profile of its own.
    """
    manifest = load_manifest(source) if source in manifest_names() else None
    own = manifest.profiles if manifest else {}
    if word in own:
        return own[word]
    if word in PROFILES and (manifest is None or word not in OWN_WORDINGS):
        return word
    known = [name for name in dict.fromkeys((*PROFILES, *own)) if name in own or name not in OWN_WORDINGS]
    of = f" for {manifest.title}" if manifest else ""
    raise UsageError(f"there is no profile named {word!r}{of}; there are: {', '.join(known)}")


def rotate(options: Sequence[str], rotation: int) -> tuple[str, ...]:
    """The options rotated `rotation` places to the left: the option shown at `p` is stored at `(p + rotation) % n`."""
    at = rotation % len(options) if options else 0
    return (*options[at:], *options[:at])


def compose(
    question: Question,
    pattern: Pattern,
    profile: Profile,
    rotation: int = 0,
    video: VideoPart | None = None,
    images: Sequence[ImagePart] = (),
) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """The parts of the prompt in order, and the option letters shown in it."""
    options = rotate(question.options, rotation)
    parts: list[Part] = []
    for visual in pattern.visuals:
        if visual == "video" and video is not None:
            parts.append(video)
        elif visual == "image":
            parts.extend(images)
    parts.append(TextPart(profile.word(question, options, pattern, video)))
    return tuple(parts), profile.list_letters(question)


def shows_letters(question: Question, profile: Profile) -> bool:
    """Whether the options are shown with letters; our profiles show true and false by name."""
    return question.question_type != "tf" or not profile.names_truths


def digest_prompt(parts: Sequence[Part], system: str | None = None) -> str:
    """SHA-256 of the prompt's canonical form: texts, image digests, and the positions of the shown video frames.

    The content of the frames is digested in the result's `frames_digest`. A prompt without a system message has the
    digest that it had before there were any.
    """
    canonical: list[list[object]] = [] if system is None else [["system", system]]
    for part in parts:
        if isinstance(part, TextPart):
            canonical.append(["text", part.text])
        elif isinstance(part, ImagePart):
            canonical.append(["image", part.sha256])
        else:
            canonical.append(["video", part.shape[0], list(part.positions) if part.positions is not None else None])
    text = json.dumps([PROMPT_VERSION, canonical], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


# --- which frames -----------------------------------------------------------------------------------------------


class InapplicableError(IvbenchError):
    """A pattern does not apply to a question; the evaluator turns it into a row."""


def find_evidence_frames(pts_seconds: Sequence[float], evidence: Sequence[Evidence]) -> list[int] | None:
    """Positions of the frames that show the evidence; None if the evidence is the whole video, or unknown.

    Times are in whole seconds: a moment lasts one second, and a range includes its last second. The two ends of a range
    may be in either order.
    """
    if not evidence or any(item.kind == "whole" for item in evidence):
        return None
    shown: set[int] = set()
    for item in evidence:
        start, end = _window(item)
        shown.update(position for position, pts in enumerate(pts_seconds) if start <= pts < end)
    return sorted(shown)


def _window(evidence: Evidence) -> tuple[float, float]:
    start = evidence.start_seconds or 0.0
    end = start if evidence.end_seconds is None else evidence.end_seconds
    return min(start, end), max(start, end) + 1


def find_core_frames(pts_seconds: Sequence[float], moments: Sequence[float]) -> list[int]:
    """Positions of the frames on screen at these moments, among the cached frames of all moments of the video.

    Each is the last cached frame that starts at or before the moment. The cache holds the frame on screen at every
    moment, so this is that frame.
    """
    return sorted({max(0, bisect_right(pts_seconds, moment) - 1) for moment in moments})


def choose_frames(
    choice: FrameChoice, pts_seconds: Sequence[float], evidence: Sequence[Evidence], video_id: str
) -> tuple[int, ...] | None:
    """Positions of the cached frames to show, in order; None for all of them as they are.

    `evidence` selects the frames that show it or, if the grid has none, the frame nearest to the middle of each piece.
    `shuffled` sorts by SHA-256 of `video_id NUL position`, and is never the original order.

    Raises:
        InapplicableError: the choice does not apply to this question.
    """
    count = len(pts_seconds)
    if choice == "middle":
        return ((count - 1) // 2,)
    if choice == "shuffled":
        if count < 2:
            raise InapplicableError("one frame cannot be shuffled")
        order = sorted(range(count), key=lambda at: hashlib.sha256(f"{video_id}\0{at}".encode()).digest())
        return tuple(order if order != sorted(order) else [*order[1:], order[0]])
    if choice == "all":
        return None
    shown = find_evidence_frames(pts_seconds, evidence)
    if shown is None:
        raise InapplicableError("the evidence is the whole video" if evidence else "no evidence is known")
    if choice == "evidence":
        return tuple(shown) or tuple(sorted({_nearest(pts_seconds, sum(_window(item)) / 2) for item in evidence}))
    rest = tuple(position for position in range(count) if position not in shown)
    if not rest:
        raise InapplicableError("every frame shows the evidence")
    return rest


def choose_core_frames(choice: FrameChoice, core_frames: Sequence[int], video_id: str) -> tuple[int, ...]:
    """Positions of a question's own core frames to show, in order; they are its evidence.

    Raises:
        InapplicableError: the choice does not apply to core frames.
    """
    if choice == "no_evidence":
        raise InapplicableError("every frame shows the evidence")
    chosen = choose_frames("all" if choice == "evidence" else choice, core_frames, (), video_id)
    return tuple(core_frames) if chosen is None else tuple(core_frames[at] for at in chosen)


def _nearest(pts_seconds: Sequence[float], time_seconds: float) -> int:
    return min(range(len(pts_seconds)), key=lambda at: (abs(pts_seconds[at] - time_seconds), at))
