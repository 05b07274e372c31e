"""What an OpenAI-compatible server sends back, read: text, reasoning, refusal, likelihoods, errors.

Servers differ in where they put things. A text may be a list of parts; reasoning stands beside the text or among its
parts; a refusal has a field of its own; and an error may come under the status 200.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import JsonValue

from ivbench_data.evaluate.prompts.requests import Reply, Request

REASONING_PARTS = frozenset({"thinking", "reasoning"})
"""Types of a text's parts that hold what the model wrote before its reply."""


class ErrorReplyError(Exception):
    """The server reports an error under the status 200."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status that the error names; 502 where it names none."""
        self.message = message


def read_message(document: Any) -> str:
    """The message of an error's document, in one line of 300 characters at most."""
    inner = document.get("error", document) if isinstance(document, Mapping) else document
    text = str(inner.get("message", inner) if isinstance(inner, Mapping) else inner)
    return " ".join(text.split())[:300]


def find_choice(content: Any) -> Any:
    """The first choice of a chat completion.

    Raises:
        ErrorReplyError: the document is an error, or holds no choice, as a busy gateway's may.
        LookupError, TypeError, AttributeError: it is no chat completion.
    """
    error = content.get("error")
    choices = content.get("choices")
    if error is None and isinstance(choices, list) and choices:
        error = choices[0].get("error")
    if error is not None:
        raise ErrorReplyError(_read_status(error), read_message({"error": error}))
    if choices == []:
        raise ErrorReplyError(502, "the reply holds no choice")
    return choices[0]


def _read_status(error: Any) -> int:
    code = str(error.get("code")) if isinstance(error, Mapping) else ""
    return int(code) if code.isdecimal() and 400 <= int(code) <= 599 else 502


def read_reply(request: Request, choice: Any, facts: dict[str, JsonValue]) -> Reply:
    """The reply of a choice that is a text, or the lack of one.

    Raises:
        LookupError, TypeError, AttributeError: it is no choice of a chat completion.
    """
    message, finish = choice["message"], choice.get("finish_reason")
    text, reasoning = _read_content(message["content"])
    reasoning = reasoning or message.get("reasoning_content") or message.get("reasoning")
    refusal = message.get("refusal")
    return Reply(
        request.key,
        text=text,
        metadata=facts,
        finish_reason=finish if isinstance(finish, str) else None,
        reasoning=reasoning if isinstance(reasoning, str) else None,
        refusal=refusal if isinstance(refusal, str) and refusal else None,
    )


def _read_content(content: Any) -> tuple[str | None, str | None]:
    """Text and reasoning of a message's content: null, a text, or a list of parts."""
    if content is None or isinstance(content, str):
        return content, None
    texts: dict[bool, list[str]] = {False: [], True: []}
    for part in content:
        is_reasoning = part["type"] in REASONING_PARTS
        inner = part.get(part["type"], part.get("text")) if is_reasoning else part.get("text", part.get("refusal"))
        texts[is_reasoning].append("".join(one["text"] for one in inner) if isinstance(inner, list) else str(inner))
    return "".join(texts[False]), "".join(texts[True]) or None


def read_likelihoods(request: Request, choice: Any, facts: dict[str, JsonValue]) -> Reply:
    """The log-probabilities of the letters among the most likely tokens at the reply's first place.

    A letter may be spelled by several tokens, as with a space before it: their probabilities add up. A letter that is
    not listed is cut off by the server, not impossible: it gets a value just below the least likely listed token's, and
    is named in `letters_beyond_top`. `listed_mass` is the probability of all listed letters together. Where tokens that
    are not listed could still make another letter the likeliest, `undecided` says so.

    Raises:
        LookupError, TypeError, ValueError: there are no likelihoods.
    """
    top = choice["logprobs"]["content"][0]["top_logprobs"]
    of_token = {str(entry["token"]): float(entry["logprob"]) for entry in top}
    spelled: dict[str, list[float]] = defaultdict(list)
    for token, logprob in of_token.items():
        spelled[token.strip()].append(logprob)
    least = min(of_token.values())
    masses = {letter: sum(map(math.exp, spelled.get(letter, ()))) for letter in request.letters}
    beyond: list[JsonValue] = [letter for letter in request.letters if letter not in spelled]
    facts = {**facts, "listed_mass": round(min(1.0, sum(masses.values())), 6)}
    if beyond:
        facts["letters_beyond_top"] = beyond
    if undecided := _find_undecided(masses, len(beyond), of_token.values()):
        facts["undecided"] = undecided
    logprobs = tuple(math.log(mass) if mass > 0 else math.nextafter(least, -math.inf) for mass in masses.values())
    return Reply(request.key, option_logprobs=logprobs, metadata=facts)


def _find_undecided(masses: Mapping[str, float], beyond: int, logprobs: Collection[float]) -> str | None:
    """Why the listed tokens do not name the likeliest letter; None where they do.

    One more token that spells a letter has at most the probability of the least likely listed one, and of all that is
    not listed together.
    """
    if beyond == len(masses):
        return f"no option's letter is among the {len(logprobs)} most likely tokens"
    first, *others = sorted(masses.values(), reverse=True)
    unlisted = max(0.0, min(math.exp(min(logprobs)), 1 - sum(map(math.exp, logprobs))))
    if others and others[0] + unlisted > first:
        return f"a token beyond the {len(logprobs)} most likely ones could make another letter the likeliest"
    return None
