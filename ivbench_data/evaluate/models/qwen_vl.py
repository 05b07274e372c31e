"""Fast path for Qwen2.5-VL and Qwen3-VL: cached bytes to the device, and one pass over a video for all its questions.

- The model's video processor, and the torchvision that it needs, are not used: patches are computed on the device.
- While a video is answered, the next one is read, checked and staged, and its prompts are encoded.
- The keys and values up to the video's last token are computed once, for all questions with that prefix
  (`video_first`, `video_only` and their controls); the questions' suffixes are answered as one batch. Position ids are
  those of the whole prompt. With the image first, no prefix is shared.
- Decoding is greedy, or draws each reply by a seed of its own, without the penalties of the checkpoint's settings.
"""

from __future__ import annotations

import inspect
import itertools
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch  # noqa: TID253  (this module is about tensors; it is reached only through `models.transformers`)
from pydantic import JsonValue

from ivbench_data.errors import CacheError
from ivbench_data.evaluate.models.qwen_prompts import Prompt, PromptEncoder, find_letter_ids
from ivbench_data.evaluate.models.token_sampling import TokenSampling
from ivbench_data.evaluate.models.vision_patches import make_patches
from ivbench_data.evaluate.prompts.requests import Reply, Request, VideoPart
from ivbench_data.frames.reader import FrameStager
from ivbench_data.schema import Key

DEFAULT_BATCH_SIZE = 16
"""Default maximum of questions per batch; larger batches gain little."""

POSITIONS_SINCE_5_23 = {"qwen2_5_vl": "video 1 4 7, text 2", "qwen3_vl": "video 1 3 5, text 6"}
"""Results of `describe_positions` with transformers 5.23."""


@dataclass(frozen=True)
class _Prepared:
    """One video's staged frames and its encoded questions."""

    frames: torch.Tensor | None
    """uint8 `[T, 3, H, W]` on the device."""
    prompts: list[Prompt]
    """The encoded prompts."""
    failed: list[Reply]
    """Replies to requests that could not be encoded."""


class QwenVL:
    """A model over requests.

    Args:
        model: a Qwen2.5-VL or Qwen3-VL `…ForConditionalGeneration` in evaluation mode.
        encoder: encodes requests as prompts.
        likelihood: compare the likelihoods of the options' letters instead of generating.
        max_new_tokens: maximum tokens of a reply.
        sampling: how tokens are drawn; None for greedy decoding.
        batch_size: maximum of questions per batch; 0 for as many as fit, up to 16.
        share_prefix: compute a video's prefix once for all its questions.
        identity: what else determines the answers.
    """

    def __init__(
        self,
        model: Any,
        encoder: PromptEncoder,
        *,
        likelihood: bool = False,
        max_new_tokens: int = 1024,
        sampling: TokenSampling | None = None,
        batch_size: int = 0,
        share_prefix: bool = True,
        identity: dict[str, JsonValue] | None = None,
    ) -> None:
        from transformers import DynamicCache
        from transformers.cache_utils import DynamicLayer

        self._model = model
        self._encoder = encoder
        self._likelihood = likelihood
        self._max_new_tokens = max_new_tokens
        self._sampling = sampling
        self._batch_limit = batch_size or DEFAULT_BATCH_SIZE
        self._text_config = model.config.get_text_config()
        # a layer with a sliding window forgets the beginning of the prefix
        is_plain = all(type(layer) is DynamicLayer for layer in DynamicCache(config=self._text_config).layers)
        self._share_prefix = share_prefix and is_plain
        self._stager = FrameStager(model.device)
        self._stop_ids = _read_stop_ids(model.generation_config, encoder.tokenizer)
        positions = describe_positions(model)
        self.identity: dict[str, JsonValue] = {**(identity or {}), "position_ids": positions}
        usual = POSITIONS_SINCE_5_23[model.config.model_type]
        if positions != usual:
            from transformers import __version__

            warnings.warn(
                f"transformers {__version__} counts positions otherwise than 5.23 does ({positions}; there {usual}): "
                "answers may differ from those of other releases, and are stored in a separate results file",
                stacklevel=2,
            )

    def __call__(self, requests: Sequence[Request]) -> Iterator[Reply]:
        """A reply to every request; the next video is prepared while one is answered."""
        groups = [list(group) for _, group in itertools.groupby(requests, key=_shown_frames)]
        with ThreadPoolExecutor(1, thread_name_prefix="prepare") as pool:
            coming = pool.submit(self._prepare, groups[0]) if groups else None
            for at in range(len(groups)):
                assert coming is not None
                prepared = coming.result()
                coming = pool.submit(self._prepare, groups[at + 1]) if at + 1 < len(groups) else None
                yield from prepared.failed
                yield from self._answer(prepared)

    def compute_logits(self, requests: Sequence[Request]) -> dict[Key, torch.Tensor]:
        """By request, the logits of the first token of the reply: float32 `[vocabulary]`, on the CPU."""
        found: dict[Key, torch.Tensor] = {}
        for _, group in itertools.groupby(requests, key=_shown_frames):
            prepared = self._prepare(list(group))
            for prompts in self._split(prepared):
                started = self._begin(prompts, self._compute_prefix(prepared, prompts[0]), prepared)
                for prompt, logits in zip(prompts, started.logits, strict=True):
                    found[prompt.request.key] = logits.float().cpu()
        return found

    # --- one video ----------------------------------------------------------------------------------------------

    def _prepare(self, requests: list[Request]) -> _Prepared:
        """The video's frames and prompts; runs in the preparing thread."""
        video = requests[0].video
        try:
            frames = self._stage(video) if video is not None else None
        except (CacheError, OSError) as error:
            return _Prepared(None, [], [Reply(request.key, error=str(error)) for request in requests])
        prompts: list[Prompt] = []
        failed: list[Reply] = []
        for request in requests:
            try:
                if prompts and prompts[-1].request == replace(request, sample=prompts[-1].request.sample):
                    prompts.append(replace(prompts[-1], request=request))  # a further sample of the same prompt
                else:
                    prompts.append(self._encoder.encode(request))
            except (CacheError, OSError, ValueError) as error:
                failed.append(Reply(request.key, error=str(error)))
        return _Prepared(frames, prompts, failed)

    def _stage(self, video: VideoPart) -> torch.Tensor:
        """The video's frames on the device, with digests verified."""
        frames = video.read(check=True)
        return self._stager.stage(frames.shape, lambda out: np.copyto(out.reshape(frames.shape), frames))

    def _split(self, prepared: _Prepared) -> Iterator[list[Prompt]]:
        """Batches of prompts with a common prefix, of at most the current batch limit."""
        kinds: dict[bytes, list[Prompt]] = {}
        for prompt in prepared.prompts:
            kinds.setdefault(prompt.ids[: self._cut(prompt)].numpy().tobytes(), []).append(prompt)
        for prompts in kinds.values():
            # without a shared prefix prompts are long: batching them is no faster
            alone = prepared.frames is not None and not self._cut(prompts[0])
            waiting = list(prompts)
            while waiting:
                size = 1 if alone else self._batch_limit
                batch, waiting = waiting[:size], waiting[size:]
                yield batch

    def _cut(self, prompt: Prompt) -> int:
        return prompt.shared_tokens if self._share_prefix else 0

    def _answer(self, prepared: _Prepared) -> Iterator[Reply]:
        prefix: _Prefix | None = None
        for batch in self._split(prepared):
            waiting = [batch]
            while waiting:
                prompts = waiting.pop(0)
                began = time.perf_counter()
                try:
                    if prefix is None or not prefix.serves(prompts[0], self._cut(prompts[0])):
                        prefix = None  # free the old one's memory first
                        prefix = self._compute_prefix(prepared, prompts[0])
                    replies = self._answer_batch(prompts, prefix, prepared)
                except (torch.OutOfMemoryError, RuntimeError) as error:
                    if not _is_out_of_memory(error):
                        raise
                    replies = None
                # outside the handler: the exception keeps the tensors alive
                if replies is None:
                    if torch.cuda.is_available():
                        torch.cuda.empty_cache()
                    if len(prompts) > 1:
                        self._batch_limit = half = len(prompts) // 2
                        waiting[:0] = [prompts[:half], prompts[half:]]
                        continue
                    reason = f"out of memory with a prompt of {len(prompts[0].ids)} tokens; take a smaller grid"
                    replies = [Reply(prompts[0].request.key, error=reason)]
                    prefix = None
                seconds = (time.perf_counter() - began) / len(prompts)
                for reply, prompt in zip(replies, prompts, strict=True):
                    yield _complete(reply, prompt, seconds)

    def _answer_batch(self, prompts: list[Prompt], prefix: _Prefix | None, prepared: _Prepared) -> list[Reply]:
        started = self._begin(prompts, prefix, prepared)
        if self._likelihood:
            return [self._compare(prompt, row) for prompt, row in zip(prompts, started.logits, strict=True)]
        replies: list[Reply] = []
        for prompt, ids in zip(prompts, self._generate(prompts, started), strict=True):
            finished = ids[-1] in self._stop_ids
            text = self._encoder.tokenizer.decode(ids[:-1] if finished else ids, skip_special_tokens=True)
            finish = "stop" if finished else "length"
            replies.append(
                Reply(prompt.request.key, text=text, metadata={"new_tokens": len(ids)}, finish_reason=finish)
            )
        return replies

    def _compare(self, prompt: Prompt, logits: torch.Tensor) -> Reply:
        """The log-probabilities of the letters, among all tokens."""
        try:
            ids = find_letter_ids(self._encoder.tokenizer, prompt.request.letters)
        except ValueError as error:
            return Reply(prompt.request.key, error=str(error))
        logprobs = torch.log_softmax(logits.float(), dim=-1)[ids]
        return Reply(prompt.request.key, option_logprobs=tuple(logprobs.tolist()))

    # --- passes -------------------------------------------------------------------------------------------------

    def _compute_prefix(self, prepared: _Prepared, prompt: Prompt) -> _Prefix | None:
        """The keys and values of the prompt's shared prefix; None without one."""
        from transformers import DynamicCache

        cut = self._cut(prompt)
        if not cut:
            return None
        cache = DynamicCache(config=self._text_config)
        self._run(
            input_ids=prompt.ids[None, :cut].to(self._model.device),
            position_ids=prompt.position_ids[:, None, :cut].to(self._model.device),
            cache=cache,
            logits_to_keep=1,
            **self._show_video(prepared, prompt),
        )
        return _Prefix(prompt.ids[:cut], cache)

    def _begin(self, prompts: list[Prompt], prefix: _Prefix | None, prepared: _Prepared) -> _Started:
        """The first pass over the prompts' suffixes, as one right-padded batch."""
        from transformers import DynamicCache

        device = self._model.device
        cut = len(prefix.ids) if prefix is not None else 0
        lengths = [len(prompt.ids) - cut for prompt in prompts]
        count, longest = len(prompts), max(lengths)
        ids = torch.full((count, longest), self._encoder.pad_id)
        mask = torch.zeros((count, cut + longest), dtype=torch.long)
        positions = torch.zeros((3, count, longest), dtype=torch.long)
        for row, (prompt, length) in enumerate(zip(prompts, lengths, strict=True)):
            ids[row, :length] = prompt.ids[cut:]
            mask[row, : cut + length] = 1
            positions[:, row, :length] = prompt.position_ids[:, cut:]
        visuals = self._show_video(prepared, prompts[0]) if prefix is None else {}
        values = [prompt.image_values for prompt in prompts if prompt.image_values is not None]
        if values:
            grids = [prompt.image_grids for prompt in prompts if prompt.image_grids is not None]
            visuals |= {"pixel_values": torch.cat(values).to(device), "image_grid_thw": torch.cat(grids).to(device)}
        cache = DynamicCache(config=self._text_config)
        if prefix is not None:
            prefix.copy_into(cache, count)
        last = sorted({length - 1 for length in lengths})
        mask = mask.to(device)
        output = self._run(
            input_ids=ids.to(device),
            attention_mask=mask,
            position_ids=positions.to(device),
            cache=cache,
            logits_to_keep=torch.tensor(last, device=device),
            **visuals,
        )
        logits = output.logits[range(count), [last.index(length - 1) for length in lengths]]
        # as `generate` counts: from the last token on, even if the video has higher positions
        following = torch.stack([prompt.position_ids[:, -1] + 1 for prompt in prompts], dim=1)
        return _Started(logits, cache, mask, following.to(device))

    def _generate(self, prompts: list[Prompt], started: _Started) -> list[list[int]]:
        """The decoded token ids of each row, up to and including its first stop token."""
        sampling = self._sampling
        device = started.logits.device
        generators = [sampling.start(prompt.request, device) for prompt in prompts] if sampling is not None else []
        logits, mask = started.logits, started.mask
        count = len(logits)
        written: list[list[int]] = [[] for _ in range(count)]
        unfinished = set(range(count))
        for step in range(self._max_new_tokens):
            chosen = logits.argmax(dim=-1) if sampling is None else sampling.draw(logits, generators)
            for row, token in enumerate(chosen.tolist()):
                if row in unfinished:
                    written[row].append(token)
                    if token in self._stop_ids:
                        unfinished.discard(row)
            if not unfinished or step + 1 == self._max_new_tokens:
                break
            mask = torch.cat((mask, mask.new_ones(count, 1)), dim=1)
            output = self._run(
                input_ids=chosen[:, None].to(mask.device),
                attention_mask=mask,
                position_ids=started.next_positions[:, :, None] + step,
                cache=started.cache,
                logits_to_keep=1,
            )
            logits = output.logits[:, -1]
        return written

    def _run(self, cache: Any, **inputs: Any) -> Any:
        # transformers 5.24 renames the argument; the old name warns there, and ends with 5.40
        name = "cache" if "cache" in inspect.signature(self._model.forward).parameters else "past_key_values"
        with torch.inference_mode():
            return self._model(use_cache=True, **{name: cache}, **inputs)

    def _show_video(self, prepared: _Prepared, prompt: Prompt) -> dict[str, torch.Tensor]:
        if prepared.frames is None:
            return {}
        patches, grid = make_patches(prepared.frames, self._encoder.preprocessing)
        assert grid == prompt.video_grid
        return {"pixel_values_videos": patches, "video_grid_thw": torch.tensor([grid], device=patches.device)}


@dataclass(frozen=True)
class _Prefix:
    """The computed keys and values of a shared prefix."""

    ids: torch.Tensor
    cache: Any

    def serves(self, prompt: Prompt, cut: int) -> bool:
        return cut == len(self.ids) and torch.equal(prompt.ids[:cut], self.ids)

    def copy_into(self, cache: Any, count: int) -> None:
        """Copy the keys and values for `count` rows into an empty cache."""
        for at, layer in enumerate(self.cache.layers):
            cache.update(layer.keys.expand(count, -1, -1, -1), layer.values.expand(count, -1, -1, -1), at)


@dataclass(frozen=True)
class _Started:
    """A batch after its first pass."""

    logits: torch.Tensor
    """`[rows, vocabulary]`, of the first token of the replies."""
    cache: Any
    mask: torch.Tensor
    """`[rows, tokens]`: 0 for padding."""
    next_positions: torch.Tensor
    """`[3, rows]`, of the first token of the replies."""


def describe_positions(model: Any) -> str:
    """The model's `get_rope_index` positions of a video of three frames, 1.5 s apart, and of the next text token.

    Releases differ for Qwen2.5-VL: 5.17 rounds the seconds between frames down (1 3 5), 5.23 does not (1 4 7). Both
    number the text right after the video's first position (2), and some earlier releases after its last.
    """
    config = model.config
    separator, shown = config.vision_start_token_id, config.video_token_id
    ids = [separator, shown, shown, shown, separator]
    merge = config.vision_config.spatial_merge_size
    if config.model_type == "qwen3_vl":
        ids = [separator, shown, separator, shown, separator, shown, separator]
    tokens = torch.tensor([ids])
    positions, _ = model.model.get_rope_index(
        tokens,
        mm_token_type_ids=torch.where(tokens == shown, 2, 0),
        video_grid_thw=torch.tensor([[3, merge, merge]]),
        second_per_grid_ts=torch.tensor([1.5]),
    )
    at = [place for place, token in enumerate(ids) if token == shown]
    times = positions[0, 0].tolist()
    return f"video {' '.join(str(times[place]) for place in at)}, text {times[-1]}"


def _complete(reply: Reply, prompt: Prompt, seconds: float) -> Reply:
    metadata = {**reply.metadata, "prompt_tokens": len(prompt.ids)}
    if prompt.resized_to is not None:
        metadata["frames_resized_to"] = prompt.resized_to
    return replace(reply, visual_tokens=prompt.visual_tokens, seconds=round(seconds, 6), metadata=metadata)


def _shown_frames(request: Request) -> tuple[str, str] | None:
    return (request.video.video_id, request.video.frames_digest) if request.video is not None else None


def _read_stop_ids(generation_config: Any, tokenizer: Any) -> frozenset[int]:
    stop = generation_config.eos_token_id
    ids: Iterable[int | None] = stop if isinstance(stop, list) else [stop]
    return frozenset(known for known in (*ids, tokenizer.eos_token_id) if known is not None)


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
