"""Outcomes: whether a reply is an answer, and if not, why: empty, truncated, filtered, refused, or failed."""

from __future__ import annotations

from typing import Literal

from ivbench_data.evaluate.prompts.requests import Reply
from ivbench_data.evaluate.replies.parsed import Rule

Outcome = Literal["ok", "empty", "truncated", "filtered", "refused", "failed"]
"""Whether a reply is an answer, and if not, why."""

NO_ANSWERS: tuple[Outcome, ...] = ("empty", "truncated", "filtered", "refused")
"""Outcomes of replies that hold no whole answer; they are kept unless they are asked for again."""

RETRIED: tuple[Outcome, ...] = ("failed",)
"""Outcomes that are asked again by default."""

TRUNCATED_WORDS = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
"""What servers call the limit of tokens, as a finish reason in small letters."""

FILTERED_WORDS = frozenset({"content_filter", "safety", "recitation", "prohibited_content", "blocklist"})
"""What servers call their content filters."""

HOLDS_WHEN_TRUNCATED: frozenset[Rule] = frozenset(
    {"tag", "field", "letter", "leading", "text", "first_hit", "drawn", "none"}
)
"""Rules whose reading stands though the reply was cut off: it began with its answer, or its answer was marked as such.

The others rest on statements that the rest of the reply could take back. The benchmarks' own parsers read as they do.
"""


def find_outcome(reply: Reply) -> tuple[Outcome, str | None]:
    """The reply's outcome, and why it is no whole answer; None where it is one."""
    if reply.option_logprobs is not None and reply.error is None:
        return "ok", None
    finish = (reply.finish_reason or "").casefold()
    if finish in FILTERED_WORDS:
        return "filtered", reply.error or "a content filter withheld the reply"
    if reply.error is not None:
        return "failed", reply.error
    if reply.refusal is not None:
        return "refused", "the model refused to answer"
    if finish in TRUNCATED_WORDS:
        return "truncated", _explain_truncation(reply)
    if reply.text is None or not reply.text.strip():
        return "empty", "the model wrote nothing but reasoning" if reply.reasoning else "the reply is empty"
    return "ok", None


def _explain_truncation(reply: Reply) -> str:
    count = reply.metadata.get("new_tokens")
    after = f" after {count:,} tokens" if isinstance(count, int) else " at the limit of tokens"
    where = ", in its reasoning" if reply.reasoning and not (reply.text or "").strip() else ""
    return f"the reply was cut off{after}{where}; raise --max-new-tokens"
