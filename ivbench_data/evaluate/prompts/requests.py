"""Requests and replies: the records between the evaluator and the model backends.

A model is a callable: it takes a sequence of requests and yields a reply for each, in any order, as they are ready::

    def answer(requests: Sequence[Request]) -> Iterator[Reply]: ...

Requests are grouped by video, and those that show the same frames share one `VideoPart`, so that a backend can encode a
video once, reuse it for all its questions, and stage the next video meanwhile. Frames are read when `VideoPart.read` is
called. A request that a backend cannot answer is returned as a reply with an `error`; an exception ends the run.

A model may have an attribute `identity`: a dict of what determines its answers and is known only after opening (the
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
from ivbench_data.query_images import IMAGE_ERRORS, ImageProblemError, open_image, render_image
from ivbench_data.schema import Key, make_key

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image


@dataclass(frozen=True)
class VideoPart:
    """Frames of a video, in the order in which they are shown.

    Example:
        >>> def answer(requests):
        ...     for request in requests:
        ...         (video,) = [part for part in request.parts if isinstance(part, iv.VideoPart)]
        ...         yield iv.Reply(request.key, text=f"{video.video_id} has {video.shape[0]} frames")
        >>> dataset = iv.load_dataset("tiny")
        >>> options = iv.AskOptions(grid=iv.FrameGrid.parse("4x16"))
        >>> next(iv.evaluate_questions(dataset, model=answer, model_name="count", options=options)).reply
        'alpha has 4 frames'
    """

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
    """Positions in the file of the shown frames, in order; None for all frames in their order."""
    frames_digest: str
    """Digest of the shown frames: the file's own, or one of it and the positions."""
    duration_seconds: float
    """Duration of the whole video in seconds."""

    def read(self, check: bool = True) -> NDArray[np.uint8]:
        """The frames, uint8 `[T, 3, H, W]` RGB: memory-mapped and read-only if all are shown, else a copy.

        With `check`, the file's digests are verified first (about 5 ms for 10 MB).

        Raises:
            CacheNotFoundError: the file does not exist.
            CacheCorruptError: the file is damaged.
        """
        frames = read_frame_file(self.path, check).frames
        return frames if self.positions is None else frames[np.asarray(self.positions)]


@dataclass(frozen=True)
class ImagePart:
    """One query image, by its file or by its bytes.

    Example:
        >>> image = iv.ImagePart("red.png", Path("data/tiny/images/red.png"), None, "0" * 64)
        >>> len(image.read_bytes())
        78
    """

    image_id: str
    """The image; for a substitute, the image that it replaces."""
    path: Path | None
    """The file; None if the image is given as bytes."""
    content: bytes | None
    """The encoded image; None if it is a file."""
    sha256: str
    """Digest of the file's or the encoded bytes."""

    def read_bytes(self) -> bytes:
        """The encoded image."""
        return self.content if self.content is not None else cast("Path", self.path).read_bytes()

    def open(self) -> Image:
        """The image as a viewer shows it: RGB of 8 bits, upright, on white.

        Raises:
            OSError: it cannot be read, is not an image, or is too large to decode.
        """
        try:
            with open_image(self.read_bytes()) as image:
                return render_image(image)
        except (ImageProblemError, *IMAGE_ERRORS) as error:
            raise OSError(f"the image {self.image_id} cannot be shown: {error}") from error


@dataclass(frozen=True)
class TextPart:
    """A piece of text.

    Example:
        >>> iv.TextPart("Which one is it?").text
        'Which one is it?'
    """

    text: str
    """The text."""


Part = VideoPart | ImagePart | TextPart


@dataclass(frozen=True)
class Request:
    """One question, ready to be asked.

    Example:
        >>> def answer(requests):
        ...     for request in requests:
        ...         yield iv.Reply(request.key, text=request.letters[0])
        >>> dataset = iv.load_dataset("tiny")
        >>> options = iv.AskOptions(grid=iv.FrameGrid.parse("4x16"))
        >>> rows = iv.evaluate_questions(dataset, model=answer, model_name="first", options=options)
        >>> [row.reply for row in rows]
        ['A', 'A', 'A']
    """

    question_id: str
    """The question."""
    rotation: int
    """Number of places by which its options were rotated to the left."""
    pattern: str
    """Name of the pattern."""
    parts: tuple[Part, ...]
    """The prompt's parts, in order."""
    letters: tuple[str, ...]
    """The option letters shown in the prompt; empty if none are."""
    prompt_digest: str
    """Digest of texts, frame positions and images."""
    facts: Mapping[str, JsonValue] = field(default_factory=dict)
    """Facts for the result row: number of frames, duration, whether a shown frame holds the evidence."""
    system: str | None = None
    """The system message before the prompt; None for none, or for the one of the model's chat template."""
    sample: int = 0
    """Number of the sample, from 0, where the question is asked several times."""

    @property
    def key(self) -> tuple[str, int] | tuple[str, int, int]:
        """Unique key of the request in the run."""
        return make_key(self.question_id, self.rotation, self.sample)

    @property
    def video(self) -> VideoPart | None:
        """The video, or None."""
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
    """A model's reply to one request.

    Example:
        >>> iv.Reply(("alpha_0", 0), text="The answer is B.").text
        'The answer is B.'
    """

    key: Key
    """The request's key."""
    text: str | None = None
    """The text; None if there is none."""
    error: str | None = None
    """Why there is no text."""
    option_logprobs: tuple[float, ...] | None = None
    """Log-probability of each option's letter, in the order of `Request.letters`; used if there is no text."""
    visual_tokens: int | None = None
    """Number of tokens of frames and images."""
    seconds: float | None = None
    """Time in seconds; an equal share of the batch's time."""
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    """Token counts and other facts that the backend reports."""
    finish_reason: str | None = None
    """Why the model stopped writing: `stop`; `length` at the limit of tokens; `content_filter`; or another word."""
    reasoning: str | None = None
    """What it wrote before its reply, kept apart by the backend."""
    refusal: str | None = None
    """The text of a refusal, where the backend says that it is one."""


Model = Callable[[Sequence[Request]], Iterator[Reply]]


def read_identity(model: Model) -> dict[str, JsonValue]:
    """The model's `identity`; empty if it has none."""
    identity: Any = getattr(model, "identity", {})
    return dict(identity)
