"""Patterns: which visuals a model is shown, in which order, and which of their frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FrameChoice = Literal["all", "middle", "shuffled", "evidence", "no_evidence"]
ImageChoice = Literal["own", "swapped", "blank"]


@dataclass(frozen=True)
class Pattern:
    """Which visuals are shown before the text, in order."""

    visuals: tuple[Literal["video", "image"], ...]
    """Kinds of visuals, in order."""
    description: str
    """Description in one phrase."""
    frames: FrameChoice = "all"
    """Choice of the cached frames."""
    image: ImageChoice = "own"
    """Choice of the image."""


PATTERNS: dict[str, Pattern] = {
    "video_first": Pattern(("video", "image"), "the video, then the query image: the paper's default"),
    "image_first": Pattern(("image", "video"), "the query image, then the video"),
    "video_only": Pattern(("video",), "no query image: the paper's text-only query"),
    "image_only": Pattern(("image",), "no video"),
    "text_only": Pattern((), "question and options alone"),
    "image_swapped": Pattern(("video", "image"), "the query image of another video's question", image="swapped"),
    "image_blank": Pattern(("video", "image"), "a grey image of the query image's size", image="blank"),
    "single_frame": Pattern(("video", "image"), "the middle one of the cached frames", frames="middle"),
    "shuffled_frames": Pattern(("video", "image"), "the cached frames in another order", frames="shuffled"),
    "evidence_only": Pattern(("video", "image"), "the cached frames that show the evidence", frames="evidence"),
    "evidence_removed": Pattern(("video", "image"), "the cached frames that do not", frames="no_evidence"),
}
"""Every pattern, by name; the last six are controls, worded as `video_first`."""
