"""Texts that a model is asked once: what it said is kept in the ledger, by its prompt and by who said it.

The LLM judge and the model that reads replies share this. Who said it is a name and an identity: of a Python function
the digest of its code, of a checkpoint its content, so that an edited one is asked again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from ivbench_data.errors import UsageError
from ivbench_data.evaluate.prompts.requests import Model, Request, TextPart, read_identity
from ivbench_data.schema import Key

IDENTIFYING = ("code", "version", "revision", "content")
"""Parts of a model's identity that decide what it makes of a text; how it is shown frames does not."""


@dataclass(frozen=True)
class AskedText:
    """What a model said to one prompt."""

    key: Key
    """The question and rotation that the prompt is about."""
    prompt_sha256: str
    """Digest of the prompt."""
    text: str | None
    """Its text; None if it gave none."""
    error: str | None = None
    """Why there is none."""
    is_new: bool = True
    """Whether it was asked now; False where the text was kept."""


def identify_reader_of_text(model: Model) -> dict[str, JsonValue]:
    """What tells the model from others of its name, as far as its words on texts go; empty for a server's."""
    return {name: value for name, value in read_identity(model).items() if name in IDENTIFYING}


def digest_prompt(prompt: str) -> str:
    """SHA-256 of the prompt."""
    return hashlib.sha256(prompt.encode()).hexdigest()


def ask_once(
    model: Model, role: str, prompts: Mapping[Key, str], kept: Mapping[str, str | None]
) -> Iterator[AskedText]:
    """What the model says to each prompt: the kept text of the same prompt, or a new one.

    Args:
        model: the model.
        role: what it is asked as, such as `judge`; for messages.
        prompts: by question and rotation.
        kept: texts by the digest of their prompts.

    Raises:
        UsageError: the model replied to something that it was not asked.
    """
    asked: dict[Key, Request] = {}
    for key, prompt in prompts.items():
        digest = digest_prompt(prompt)
        if digest in kept:
            yield AskedText(key, digest, kept[digest], is_new=False)
        else:
            question_id, rotation, *sample = key
            asked[key] = Request(question_id, rotation, role, (TextPart(prompt),), (), digest, sample=sum(sample))
    if not asked:
        return
    for reply in model(list(asked.values())):
        if reply.key not in asked:
            raise UsageError(f"the {role} replied to {reply.key[0]!r}, which is unknown or has a reply already")
        request = asked.pop(reply.key)
        error = reply.error or (None if reply.text is not None else f"the {role} gave an empty reply")
        yield AskedText(reply.key, request.prompt_digest, reply.text, error)
    for key, request in asked.items():
        yield AskedText(key, request.prompt_digest, None, f"the {role} gave no reply")
