"""What a model is asked, and what it says: the two records between the evaluator and every backend.

A model is a callable: it takes a sequence of requests and yields a reply for each, in any order, as they are ready::

    def answer(requests: Sequence[Request]) -> Iterator[Reply]: ...

Requests of one video stand together, and those that share frames share one `VideoPart`, so that a backend can compute
a video once, reuse it for all its questions, and stage the next video meanwhile. Frames are read when `VideoPart.read`
is called, not before. What a backend cannot answer comes back as a reply with an `error`; what it raises ends the run.

A model may have an attribute `identity`: a dict of what decides its answers and is known only once it is open (the
resolved revision, a library's version). It becomes part of the configuration, so that answers never mix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from pydantic import JsonValue

from ivbench_data.frames.frame_file import read_frame_file
from ivbench_data.query_images import IMAGE_ERRORS, ImageProblemError, open_image

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

Key = tuple[str, int]
"""A question's id, and by how many places its options were rotated."""


@dataclass(frozen=True)
class VideoPart:
    """Frames of a video, in the order in which they are shown."""

    video_id: str
    """The video."""
    path: Path
    """The cache file."""
    grid: str
    """Identity of its grid."""
    shape: tuple[int, int, int, int]
    """`[T, 3, H, W]` of what is shown."""
    pts_seconds: tuple[float, ...]
    """When each slot is shown, in seconds, ascending; for shuffled frames the times stay where they were."""
    positions: tuple[int, ...] | None
    """Which frames of the file are shown, in order; None for all of them as they are."""
    frames_digest: str
    """Digest of what is shown: the file's own, or one of it and the positions."""
    duration_seconds: float
    """Length of the whole video."""

    def read(self, check: bool = True) -> NDArray[np.uint8]:
        """The frames, uint8 `[T, 3, H, W]` RGB: memory-mapped and read-only where all are shown, else a copy.

        With `check`, every byte of the file is compared with its digests first (about 5 ms for 10 MB).

        Raises:
            CacheNotFoundError: the file is gone.
            CacheCorruptError: the file is damaged.
        """
        frames = read_frame_file(self.path, check).frames
        return frames if self.positions is None else frames[np.asarray(self.positions)]


@dataclass(frozen=True)
class ImagePart:
    """One query image, by its file or by its bytes."""

    image_id: str
    """Which image; for a stand-in, the one that it stands in for."""
    path: Path | None
    """The file; None when there are only bytes."""
    content: bytes | None
    """An encoded image, when it is not a file's."""
    sha256: str
    """Digest of the file's or the encoded bytes."""

    def read_bytes(self) -> bytes:
        """The encoded image."""
        return self.content if self.content is not None else cast("Path", self.path).read_bytes()

    def open(self) -> Image:
        """The image, in RGB, upright.

        Raises:
            OSError: it cannot be read, is no image, or is too large to be decoded.
        """
        from PIL import ImageOps

        try:
            with open_image(self.read_bytes()) as image:
                return ImageOps.exif_transpose(image).convert("RGB")
        except (ImageProblemError, *IMAGE_ERRORS) as error:
            raise OSError(f"the image {self.image_id} cannot be shown: {error}") from error


@dataclass(frozen=True)
class TextPart:
    """A piece of text."""

    text: str
    """The text."""


Part = VideoPart | ImagePart | TextPart


@dataclass(frozen=True)
class Request:
    """One question, ready to be asked."""

    question_id: str
    """The question."""
    rotation: int
    """By how many places its options were rotated to the left."""
    pattern: str
    """How it is asked."""
    parts: tuple[Part, ...]
    """What is shown, in order."""
    letters: tuple[str, ...]
    """The options' letters as they stand in the prompt; empty where none are shown."""
    prompt_digest: str
    """Digest of texts, placeholders and images."""
    facts: Mapping[str, JsonValue] = field(default_factory=dict)
    """What is known of the showing and belongs in the result: whether the evidence was seen, how many frames."""

    @property
    def key(self) -> tuple[str, int]:
        """What tells this request from every other of the run."""
        return self.question_id, self.rotation

    @property
    def video(self) -> VideoPart | None:
        """The video, when one is shown."""
        return next((part for part in self.parts if isinstance(part, VideoPart)), None)

    @property
    def images(self) -> tuple[ImagePart, ...]:
        """The images, in order."""
        return tuple(part for part in self.parts if isinstance(part, ImagePart))

    @property
    def text(self) -> str:
        """All texts, in order."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))


@dataclass(frozen=True)
class Reply:
    """What a model said to one request."""

    key: Key
    """The request's key."""
    text: str | None = None
    """The reply; None when there is none."""
    error: str | None = None
    """Why there is none."""
    option_logprobs: tuple[float, ...] | None = None
    """Log-probability of each option's letter, in the order of `Request.letters`; decides when there is no text."""
    visual_tokens: int | None = None
    """Tokens that frames and images cost."""
    seconds: float | None = None
    """Time it took; an equal share where several were answered together."""
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    """Revision, versions, finish reason and whatever else a backend reports."""


Model = Callable[[Sequence[Request]], Iterator[Reply]]


def read_identity(model: Model) -> dict[str, JsonValue]:
    """The model's `identity`, or nothing where it has none."""
    identity: Any = getattr(model, "identity", {})
    return dict(identity)
