"""Token ids, position ids and image patches of requests, for Qwen2.5-VL and Qwen3-VL.

The ids equal those of the models' own processors: the chat template's single marker per visual is repeated once per
visual token. Qwen3-VL gets the time of every two frames as text, each pair between its own markers, inside those of the
template (as the processors of 5.17–5.23; older ones left out the template's).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch  # noqa: TID253  (this module is about tensors; it is reached only through `models.transformers`)
from pydantic import JsonValue

from ivbench_data.errors import UsageError
from ivbench_data.evaluate.models.timing import describe_timing
from ivbench_data.evaluate.models.vision_patches import VideoPreprocessing
from ivbench_data.evaluate.prompts.requests import ImagePart, Request, TextPart, VideoPart

NO_VARIABLES: Mapping[str, JsonValue] = MappingProxyType({})


@dataclass(frozen=True)
class Prompt:
    """An encoded request; all tensors are on the CPU."""

    request: Request
    """The request."""
    ids: torch.Tensor
    """int64 `[L]`."""
    position_ids: torch.Tensor
    """int64 `[3, L]`: time, height, width."""
    shared_tokens: int
    """Number of leading tokens up to the video's last one, which all its questions share; 0 if an image comes first."""
    video_grid: tuple[int, int, int] | None
    """Patches of the video along time, height and width."""
    image_values: torch.Tensor | None
    """float32 `[patches, …]` of all images."""
    image_grids: torch.Tensor | None
    """int64 `[images, 3]`."""
    visual_tokens: int
    """Tokens of video and images."""
    resized_to: str | None
    """`{width}x{height}` to which the model resizes the frames; None if the cache is at the model's size."""


class PromptEncoder:
    """Encodes requests as prompts, for one checkpoint.

    Args:
        model: computes the position ids, which depend on the release of transformers.
        tokenizer: the checkpoint's.
        image_processor: the checkpoint's.
        template: the checkpoint's chat template.
        preprocessing: the checkpoint's preprocessing of frames.
        template_variables: further variables for the template.

    Raises:
        UsageError: the template does not render a video and an image.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        image_processor: Any,
        template: str,
        preprocessing: VideoPreprocessing,
        template_variables: Mapping[str, JsonValue] = NO_VARIABLES,
    ) -> None:
        self.tokenizer = tokenizer
        self.preprocessing = preprocessing
        self._image_processor = image_processor
        self._template = template
        self._template_variables = dict(template_variables)
        self._find_positions = model.model.get_rope_index
        self._family = model.config.model_type
        self._id_of = {"image": model.config.image_token_id, "video": model.config.video_token_id}
        self._marker_of = {kind: tokenizer.convert_ids_to_tokens(token) for kind, token in self._id_of.items()}
        self._markers = re.compile("|".join(f"(?P<{kind}>{re.escape(text)})" for kind, text in self._marker_of.items()))
        self._control_tokens = [str(token) for token in tokenizer.added_tokens_decoder.values() if token.special]
        self._start, self._end = (
            tokenizer.convert_ids_to_tokens(token)
            for token in (model.config.vision_start_token_id, model.config.vision_end_token_id)
        )
        if self._find_kinds(self._render(None, [{"type": "video"}, {"type": "image"}])) != ["video", "image"]:
            raise UsageError("the model's chat template does not render a video and an image")

    @property
    def pad_id(self) -> int:
        """The padding token."""
        pad: int = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else 0
        return pad

    def encode(self, request: Request) -> Prompt:
        """The request's prompt.

        Raises:
            ValueError: a text contains one of the model's control tokens, or no size fits the frames or images.
            OSError: an image cannot be read.
            CacheError: the cache file does not exist.
        """
        preprocessing, video = self.preprocessing, request.video
        texts = [part.text for part in request.parts if isinstance(part, TextPart)]
        for text in (*texts, request.system or ""):
            if found := [token for token in self._control_tokens if token in text]:
                raise ValueError(f"the text contains {found[0]}, one of the model's control tokens")
        video_grid: tuple[int, int, int] | None = None
        seconds: torch.Tensor | None = None
        expansions: list[tuple[str, str]] = []
        images = self._process_images(request.images)
        grids = iter(images["image_grid_thw"].tolist() if images is not None else ())
        for part in request.parts:
            if isinstance(part, VideoPart):
                video_grid = preprocessing.grid_of(part.shape[0], *part.shape[2:])
                timing = describe_timing(part)
                seconds = torch.tensor([preprocessing.temporal_patch_size / timing.sampled_fps])
                times = timing.average_seconds(preprocessing.temporal_patch_size)
                expansions.append(("video", self._expand_video(video_grid, times)))
            elif isinstance(part, ImagePart):
                count = preprocessing.count_tokens(tuple(next(grids)))
                expansions.append(("image", self._marker_of["image"] * count))
        text = self._expand(self._render(request.system, [_describe_part(part) for part in request.parts]), expansions)
        ids = torch.tensor(self.tokenizer(text)["input_ids"])
        types = (ids == self._id_of["image"]).long() + 2 * (ids == self._id_of["video"]).long()
        positions, _ = self._find_positions(
            ids[None],
            mm_token_type_ids=types[None],
            image_grid_thw=images["image_grid_thw"] if images is not None else None,
            video_grid_thw=torch.tensor([video_grid]) if video_grid is not None else None,
            second_per_grid_ts=seconds,
        )
        return Prompt(
            request=request,
            ids=ids,
            position_ids=positions[:, 0],
            shared_tokens=_count_shared(types),
            video_grid=video_grid,
            image_values=images["pixel_values"] if images is not None else None,
            image_grids=images["image_grid_thw"] if images is not None else None,
            visual_tokens=int((types > 0).sum()),
            resized_to=self._describe_resizing(video),
        )

    def _render(self, system: str | None, content: list[dict[str, str]]) -> str:
        text: str = self.tokenizer.apply_chat_template(
            write_messages(system, content),
            chat_template=self._template,
            tokenize=False,
            add_generation_prompt=True,
            **self._template_variables,
        )
        check_system(text, system)
        return text

    def _find_kinds(self, text: str) -> list[str]:
        return [str(match.lastgroup) for match in self._markers.finditer(text)]

    def _expand(self, text: str, expansions: list[tuple[str, str]]) -> str:
        """The text with each marker repeated once per visual token."""
        if self._find_kinds(text) != [kind for kind, _ in expansions]:
            raise ValueError("the chat template does not show videos and images once each, in their order")
        waiting = iter(expansions)
        expanded: str = self._markers.sub(lambda match: next(waiting)[1], text)
        return expanded

    def _expand_video(self, grid: tuple[int, int, int], times: list[float]) -> str:
        marker: str = self._marker_of["video"]
        tokens = self.preprocessing.count_tokens(grid)
        if self._family == "qwen2_5_vl":
            return marker * tokens
        moment = f"{self._start}{marker * (tokens // grid[0])}{self._end}"
        return "".join(f"<{seconds:.1f} seconds>{moment}" for seconds in times)

    def _process_images(self, images: Sequence[ImagePart]) -> Any:
        if not images:
            return None
        return self._image_processor(images=[image.open() for image in images], return_tensors="pt")

    def _describe_resizing(self, video: VideoPart | None) -> str | None:
        if video is None:
            return None
        height, width = self.preprocessing.fit_size(video.shape[0], *video.shape[2:])
        return None if (height, width) == video.shape[2:] else f"{width}x{height}"


def write_messages(system: str | None, content: list[dict[str, str]]) -> list[dict[str, object]]:
    """A prompt as a chat template takes it: the system message, where there is one, and the user's."""
    messages: list[dict[str, object]] = [{"role": "user", "content": content}]
    if system is not None:
        messages.insert(0, {"role": "system", "content": [{"type": "text", "text": system}]})
    return messages


def check_system(text: str, system: str | None) -> None:
    """Raise where a rendered prompt lacks its system message.

    Raises:
        UsageError: as said; the chat template has no place for one.
    """
    if system is not None and system.strip() not in text:
        raise UsageError("the model's chat template shows no system message; write it in a --prompt-template instead")


def find_letter_ids(tokenizer: Any, letters: Sequence[str]) -> list[int]:
    """The token id of each letter.

    Raises:
        ValueError: there are no letters, or one is more than one token.
    """
    if not letters:
        raise ValueError("likelihoods need options with letters, and this prompt shows none")
    ids = [tokenizer(letter, add_special_tokens=False)["input_ids"] for letter in letters]
    if long := [letter for letter, tokens in zip(letters, ids, strict=True) if len(tokens) != 1]:
        raise ValueError(f"the letter {long[0]} is more than one token to this model")
    return [tokens[0] for tokens in ids]


def _describe_part(part: VideoPart | ImagePart | TextPart) -> dict[str, str]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    return {"type": "video" if isinstance(part, VideoPart) else "image"}


def _count_shared(types: torch.Tensor) -> int:
    """Number of tokens up to the video's last one; 0 without a video, or if an image comes before its end."""
    videos, images = torch.nonzero(types == 2), torch.nonzero(types == 1)
    if not len(videos) or (len(images) and images[0] < videos[-1]):
        return 0
    return int(videos[-1]) + 1
