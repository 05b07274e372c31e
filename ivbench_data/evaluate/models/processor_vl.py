"""Any image-text-to-text model of transformers, with its own processor and `generate`, one question at a time.

The general path, for InternVL, LLaVA-OneVision and every other model of the library. Frames are passed as a video with
times if the processor takes videos, without resampling; else as single images. The processor resizes them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch  # noqa: TID253  (this module is about tensors; it is reached only through `models.transformers`)
from pydantic import JsonValue

from ivbench_data.errors import CacheError
from ivbench_data.evaluate.models.qwen_prompts import NO_VARIABLES, check_system, find_letter_ids, write_messages
from ivbench_data.evaluate.models.timing import describe_timing
from ivbench_data.evaluate.models.token_sampling import TokenSampling
from ivbench_data.evaluate.prompts.requests import ImagePart, Reply, Request, TextPart
from ivbench_data.schema import Key


class ProcessorVL:
    """A model over requests.

    Args:
        model: in evaluation mode.
        processor: the checkpoint's, with a chat template.
        likelihood: compare the likelihoods of the options' letters instead of generating.
        max_new_tokens: maximum tokens of a reply.
        sampling: how tokens are drawn; None for greedy decoding.
        template_variables: further variables for the chat template.
        identity: what determines the answers besides the name.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        *,
        likelihood: bool = False,
        max_new_tokens: int = 1024,
        sampling: TokenSampling | None = None,
        template_variables: Mapping[str, JsonValue] = NO_VARIABLES,
        identity: dict[str, JsonValue] | None = None,
    ) -> None:
        self._model = model
        self._processor = processor
        self._tokenizer = getattr(processor, "tokenizer", processor)
        self._takes_videos = getattr(processor, "video_processor", None) is not None
        self._likelihood = likelihood
        self._max_new_tokens = max_new_tokens
        self._sampling = sampling
        self._template_variables = dict(template_variables)
        self.identity: dict[str, JsonValue] = {
            **(identity or {}),
            "frames_as": "video" if self._takes_videos else "images",
        }

    def __call__(self, requests: Sequence[Request]) -> Iterator[Reply]:
        """A reply to every request, in their order."""
        for request in requests:
            began = time.perf_counter()
            try:
                reply = self._answer(request)
            except (CacheError, OSError, ValueError, torch.OutOfMemoryError) as error:
                reply = Reply(request.key, error=f"{type(error).__name__}: {error}")
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
            yield replace(reply, seconds=round(time.perf_counter() - began, 6))

    def compute_logits(self, requests: Sequence[Request]) -> dict[Key, torch.Tensor]:
        """By request, the logits of the first token of the reply: float32 `[vocabulary]`, on the CPU."""
        return {request.key: self._forward(self._encode(request)).float().cpu() for request in requests}

    def _answer(self, request: Request) -> Reply:
        from transformers.generation.configuration_utils import GenerationConfig

        inputs = self._encode(request)
        metadata: dict[str, JsonValue] = {"prompt_tokens": inputs["input_ids"].shape[1]}
        tokens = self._count_visual_tokens(inputs)
        if self._likelihood:
            ids = find_letter_ids(self._tokenizer, request.letters)
            logprobs = torch.log_softmax(self._forward(inputs).float(), dim=-1)[ids]
            return Reply(request.key, option_logprobs=tuple(logprobs.tolist()), visual_tokens=tokens, metadata=metadata)
        stop = self._model.generation_config.eos_token_id
        stop = self._tokenizer.eos_token_id if stop is None else stop
        # the checkpoint's own settings may sample or penalise repetition; what was asked for is comparable
        sampling = self._sampling
        drawing = (
            {"do_sample": True, "temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0}
            if sampling is not None
            else {"do_sample": False}
        )
        settings: Any = GenerationConfig  # untyped in the library
        settings = settings(
            max_new_tokens=self._max_new_tokens,
            eos_token_id=stop,
            pad_token_id=self._tokenizer.pad_token_id,
            **drawing,
        )
        # `generate` draws by the seed of the whole process, which is given back afterwards
        devices = range(torch.cuda.device_count()) if self._model.device.type == "cuda" else ()
        with torch.random.fork_rng(devices, enabled=sampling is not None):
            if sampling is not None:
                torch.manual_seed(sampling.seed_reply(request))
            written = self._model.generate(**inputs, generation_config=settings)
        generated = written[0, inputs["input_ids"].shape[1] :]
        stops = stop if isinstance(stop, list) else [stop]
        finish = "stop" if len(generated) and int(generated[-1]) in stops else "length"
        metadata["new_tokens"] = len(generated)
        text = self._tokenizer.decode(generated, skip_special_tokens=True)
        return Reply(request.key, text=text, visual_tokens=tokens, metadata=metadata, finish_reason=finish)

    def _forward(self, inputs: Any) -> torch.Tensor:
        with torch.inference_mode():
            logits: torch.Tensor = self._model(**inputs, use_cache=False, logits_to_keep=1).logits[0, -1]
        return logits

    def _encode(self, request: Request) -> Any:
        content: list[dict[str, str]] = []
        images: list[Any] = []
        visuals: dict[str, Any] = {}
        for part in request.parts:
            if isinstance(part, TextPart):
                content.append({"type": "text", "text": part.text})
            elif isinstance(part, ImagePart):
                content.append({"type": "image"})
                images.append(part.open())
            elif self._takes_videos:
                timing = describe_timing(part)
                metadata = {
                    "fps": timing.fps,
                    "total_num_frames": timing.total_num_frames,
                    "frames_indices": list(timing.frames_indices),
                }
                content.append({"type": "video"})
                visuals["videos"] = [torch.from_numpy(part.read().copy())]
                visuals["videos_kwargs"] = {"video_metadata": [metadata], "do_sample_frames": False}
            else:
                frames = part.read()
                content += [{"type": "image"}] * len(frames)
                images += [_open_frame(frame) for frame in frames]
        text = self._processor.apply_chat_template(
            write_messages(request.system, content),
            tokenize=False,
            add_generation_prompt=True,
            **self._template_variables,
        )
        check_system(text, request.system)
        if images:
            visuals["images"] = images
        inputs = self._processor(text=[text], return_tensors="pt", **visuals)
        for name, value in inputs.items():
            # times stay exact; only pixels are cast to the weights' data type
            if name.startswith("pixel_values"):
                inputs[name] = value.to(self._model.dtype)
        return inputs.to(self._model.device)

    def _count_visual_tokens(self, inputs: Any) -> int:
        config = self._model.config
        names = ("image_token_id", "video_token_id", "image_token_index", "video_token_index")
        known = {getattr(config, name, None) for name in names} - {None}
        return sum(int((inputs["input_ids"] == token).sum()) for token in known)


def _open_frame(frame: Any) -> Any:
    from PIL import Image

    return Image.fromarray(frame.transpose(1, 2, 0))
