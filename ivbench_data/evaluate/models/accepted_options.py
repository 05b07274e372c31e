"""Which kind of model takes which way of asking: what one cannot do is refused, before anything is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ivbench_data.errors import UsageError

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


def check_options(backend: str, options: ModelOptions, asking: AskOptions) -> None:
    """Raise where a kind of model cannot be asked like that.

    Raises:
        UsageError: with the option, and the kinds of models that take it.
    """
    values = {**asking.model_dump(exclude_defaults=True), **options.model_dump(exclude_defaults=True)}
    given = [name for name in TAKEN_BY if name in values]
    for name in given:
        if backend not in TAKEN_BY[name]:
            takers = " and ".join(f"{taker}:" for taker in TAKEN_BY[name])
            raise UsageError(f"{write_flag(name)} means nothing to {backend}: models; it is for {takers} models")
    drawn = [name for name in ("temperature", "top_p", "seed", "cot") if name in given]
    if options.mode == "likelihood" and drawn:
        raise UsageError(f"{write_flag(drawn[0])} means nothing to --mode likelihood, which writes no reply")
    if backend == "transformers" and not options.temperature and (idle := {"top_p", "seed"} & {*given}):
        raise UsageError(f"{write_flag(min(idle))} means nothing without --temperature: greedy decoding draws nothing")
    if owned := sorted(OWN_FIELDS.keys() & options.extra_body.keys()):
        use = f"; use {OWN_FIELDS[owned[0]]}" if OWN_FIELDS[owned[0]] else ""
        raise UsageError(f"--extra-body sets {owned[0]!r}, which is not free{use}")
    if owned := sorted(OWN_TEMPLATE_VARIABLES & options.chat_template_kwargs.keys()):
        raise UsageError(f"--chat-template-kwargs sets {owned[0]!r}, which is not free")
