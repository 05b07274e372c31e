"""Which kind of model takes which way of asking: what one cannot do is refused, before anything is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ivbench_data.errors import UsageError
from ivbench_data.evaluate.models.baselines import DRAWN_BASELINES

if TYPE_CHECKING:
    from ivbench_data.evaluate.models import ModelOptions
    from ivbench_data.evaluate.prompts.asking import AskOptions

_READS_PROMPTS: Final = ("openai", "transformers", "python")
_DRAWS: Final = ("openai", "transformers")

TAKEN_BY: Final[dict[str, tuple[str, ...]]] = {
    "system": _READS_PROMPTS,
    "prompt_template": _READS_PROMPTS,
    "cot": _READS_PROMPTS,
    "temperature": _DRAWS,
    "top_p": _DRAWS,
    "seed": _DRAWS,
    "chat_template_kwargs": _DRAWS,
    "extra_body": ("openai",),
    "samples": ("openai", "transformers", "python", "baseline"),
}
"""The kinds of models that take an option; an option that is not named here is taken, or means nothing, everywhere."""

OWN_FIELDS: Final[dict[str, str]] = {
    "model": "--model", "messages": "--system and --prompt-template", "temperature": "--temperature",
    "top_p": "--top-p", "seed": "--seed", "max_tokens": "--max-new-tokens", "max_completion_tokens": "--max-new-tokens",
    "chat_template_kwargs": "--chat-template-kwargs", "logprobs": "--mode likelihood",
    "top_logprobs": "--mode likelihood", "n": "--samples", "stream": "", "stream_options": "", "media_io_kwargs": "",
}  # fmt: skip
"""Fields of a request that are not free, and the options that set them."""

OWN_TEMPLATE_VARIABLES: Final = frozenset(
    {
        "messages", "conversation", "chat_template", "tokenize", "add_generation_prompt", "continue_final_message",
        "return_dict", "return_tensors", "tools", "documents", "padding", "truncation", "max_length",
    }
)  # fmt: skip
"""Arguments of `apply_chat_template` that are not free."""


def write_flag(name: str) -> str:
    """The command line's name of an option."""
    return f"--{name.replace('_', '-')}"


def check_options(backend: str, name: str, options: ModelOptions, asking: AskOptions) -> None:
    """Raise where a kind of model cannot be asked like that.

    Args:
        backend: its kind.
        name: its name after the colon.
        options: how it is loaded and asked.
        asking: how the questions are asked.

    Raises:
        UsageError: with the option, and the kinds of models that take it.
    """
    values = {**asking.model_dump(exclude_defaults=True), **options.model_dump(exclude_defaults=True)}
    given = [option for option in TAKEN_BY if option in values]
    for option in given:
        if backend not in TAKEN_BY[option]:
            takers = " and ".join(f"{taker}:" for taker in TAKEN_BY[option])
            raise UsageError(f"{write_flag(option)} means nothing to {backend}: models; it is for {takers} models")
    drawn = [option for option in ("temperature", "top_p", "seed", "samples", "cot") if option in given]
    if options.mode == "likelihood" and drawn:
        raise UsageError(f"{write_flag(drawn[0])} means nothing to --mode likelihood, which writes no reply")
    if backend == "transformers" and not options.temperature and (idle := {"top_p", "seed"} & {*given}):
        raise UsageError(f"{write_flag(min(idle))} means nothing without --temperature: greedy decoding draws nothing")
    if asking.samples > 1:
        if backend in _DRAWS and not options.temperature:
            raise UsageError("--samples needs a --temperature above 0: without one every sample would be the same")
        if backend == "baseline" and name not in DRAWN_BASELINES:
            raise UsageError(f"baseline:{name} draws nothing: every one of its --samples would be the same")
    if owned := sorted(OWN_FIELDS.keys() & options.extra_body.keys()):
        use = f"; use {OWN_FIELDS[owned[0]]}" if OWN_FIELDS[owned[0]] else ""
        raise UsageError(f"--extra-body sets {owned[0]!r}, which is not free{use}")
    if owned := sorted(OWN_TEMPLATE_VARIABLES & options.chat_template_kwargs.keys()):
        raise UsageError(f"--chat-template-kwargs sets {owned[0]!r}, which is not free")
