"""Model backends: one file per backend, each with a function `open_model` that returns a `Model`.

A model is named `backend:name`; a name without a known backend is a model on the Hub or in a folder, and is opened by
`transformers`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pydantic import Field, JsonValue, NonNegativeInt, PositiveInt

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.models import baselines, function, openai, transformers
from ivbench_data.evaluate.models.accepted_options import check_options
from ivbench_data.evaluate.prompts.asking import DEFAULT_ASK_OPTIONS, AskOptions
from ivbench_data.evaluate.prompts.requests import Model
from ivbench_data.schema import Record


class ModelOptions(Record):
    """How a model is loaded and asked.

    A backend ignores what only affects the speed of others, and refuses what it cannot do (`accepted_options`).

    Example:
        >>> iv.ModelOptions(dtype="bfloat16", batch_size=4).device
        'auto'
    """

    mode: Literal["generate", "likelihood"] = "generate"
    """Generate text, as the paper does; or compare the likelihoods of the option letters in one forward pass."""
    max_new_tokens: PositiveInt = 1024
    """Maximum tokens of a reply; the paper uses 1024."""
    revision: str | None = None
    """Commit, tag or branch of the model's repository."""
    dtype: str = "auto"
    """Data type of the weights: `auto`, `bfloat16`, `float16` or `float32`."""
    attn: str | None = None
    """Attention implementation, such as `sdpa` or `flash_attention_2`."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda:1`; a model is split over several devices separated by commas."""
    batch_size: NonNegativeInt = 0
    """Questions of a video per batch; 0 for as many as fit."""
    base_url: str | None = None
    """Base URL of an OpenAI-compatible server, up to `/v1`."""
    video_as: Literal["video", "images"] = "video"
    """How frames are sent to a server: as a video with times, or as single images."""
    concurrency: PositiveInt = 8
    """Concurrent requests."""
    timeout_seconds: float = Field(default=600.0, gt=0)
    """Timeout of one request."""
    retries: NonNegativeInt = 5
    """Retries of a request after a transient failure."""
    temperature: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Temperature at which tokens are drawn; at 0 the likeliest is taken."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Tokens are drawn from the likeliest that hold this share of the probability together."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """Seed of the draws; a further sample of a question has a seed of its own."""
    extra_body: dict[str, JsonValue] = Field(default_factory=dict)
    """Further fields of the requests to a server."""
    chat_template_kwargs: dict[str, JsonValue] = Field(default_factory=dict)
    """Variables for the model's chat template, such as `{"enable_thinking": false}`."""

    def describe_answering(self) -> dict[str, JsonValue]:
        """The options that change a model's answers, without defaults; the others only affect speed."""
        return self.model_dump(mode="json", include=ANSWERING, exclude_defaults=True)


DEFAULT_MODEL_OPTIONS = ModelOptions()

ANSWERING = {
    "mode", "max_new_tokens", "revision", "dtype", "attn", "temperature", "top_p", "seed", "extra_body",
    "chat_template_kwargs",
}  # fmt: skip

OpenModel = Callable[[str, ModelOptions, Dataset | None], Model]
"""Takes the name after the colon, the options, and the dataset (for models that learn from it)."""

MODELS: dict[str, OpenModel] = {
    "baseline": lambda name, options, dataset: baselines.open_model(name, dataset),
    "python": lambda name, options, dataset: function.open_model(name),
    "openai": lambda name, options, dataset: openai.open_model(name, options),
    "transformers": lambda name, options, dataset: transformers.open_model(name, options),
}
"""Every backend, by name."""

DEFAULT_BACKEND = "transformers"


def open_model(
    name: str,
    options: ModelOptions = DEFAULT_MODEL_OPTIONS,
    dataset: Dataset | None = None,
    asking: AskOptions = DEFAULT_ASK_OPTIONS,
) -> Model:
    """The model of that name, ready to answer: `baseline:random`, `python:module:function`, `Qwen/Qwen3-VL-8B`.

    Args:
        name: its name.
        options: how it is loaded and asked.
        dataset: the questions, for models that learn from them.
        asking: how the questions will be asked, which it may not be able to answer.

    Raises:
        UsageError: there is no such model, or it cannot be asked like that.
        MissingDependencyError: its backend needs an extra that is not installed.
    """
    backend, rest = _split_name(name)
    check_options(backend, rest, options, asking)
    return MODELS[backend](rest, options, dataset)


def _split_name(name: str) -> tuple[str, str]:
    """The backend, and the name that it opens."""
    backend, colon, rest = name.partition(":")
    if not colon or backend not in MODELS:
        backend, rest = DEFAULT_BACKEND, name
    if backend not in MODELS or not rest:
        raise UsageError(f"there is no model {name!r}; write one of: {', '.join(f'{known}:…' for known in MODELS)}")
    return backend, rest
