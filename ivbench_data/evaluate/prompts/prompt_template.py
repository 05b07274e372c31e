"""Wordings of the user's own: a Jinja template of the prompt's text.

It is rendered in a sandbox that cannot change what it is given, and a name that it does not know is an error. Before
anything is asked, it is tried on every question: the question's text and all its options must show.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ivbench_data.errors import UsageError
from ivbench_data.evaluate.prompts.patterns import Pattern
from ivbench_data.evaluate.prompts.requests import VideoPart
from ivbench_data.evaluate.prompts.wording import Wording, find_evidence_text
from ivbench_data.schema import Question

if TYPE_CHECKING:
    from jinja2 import Template

    from ivbench_data.evaluate.prompts.compose import Profile

VARIABLES: Final = (
    "question", "options", "letters", "task", "question_type", "wording", "category", "evidence", "nframes",
    "duration_seconds",
)  # fmt: skip
"""What a template may show; the last four are not defined where a question has none, or no video is shown."""

_ERRORS: Final = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What expressions of a template raise, besides Jinja's own errors."""


def digest_template(source: str) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a template."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def word_by_template(source: str, profile: Profile) -> Wording:
    """The wording of a template; `wording` in it is what the profile would write.

    Raises:
        UsageError: it is not a template, or names something that is not in `VARIABLES`; when called, it cannot be
            rendered for a question.
    """
    template = _compile(source)

    def word(question: Question, options: Sequence[str], pattern: Pattern, video: VideoPart | None) -> str:
        from jinja2 import TemplateError

        optional = {
            "category": question.category,
            "evidence": find_evidence_text(question),
            "nframes": video.shape[0] if video is not None else None,
            "duration_seconds": video.duration_seconds if video is not None else None,
        }
        values: dict[str, object] = {
            "question": question.question.strip(),
            "options": list(options),
            "letters": list(profile.list_letters(question)),
            "task": question.task,
            "question_type": question.question_type,
            "wording": profile.word(question, options, pattern, video),
            **{name: value for name, value in optional.items() if value is not None},
        }
        try:
            return template.render(values)
        except (TemplateError, *_ERRORS) as error:
            raise UsageError(
                f"the prompt template cannot be rendered for {question.question_id}: {error or type(error).__name__}"
            ) from None

    return word


@lru_cache(maxsize=16)
def _compile(source: str) -> Template:
    from jinja2 import StrictUndefined, TemplateSyntaxError
    from jinja2.meta import find_undeclared_variables
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    try:
        unknown = find_undeclared_variables(environment.parse(source)) - {*VARIABLES, *environment.globals}
        if unknown:
            raise UsageError(
                f"the prompt template names {min(unknown)!r}, which is not defined; there are: {', '.join(VARIABLES)}"
            )
        return environment.from_string(source)
    except TemplateSyntaxError as error:
        raise UsageError(f"the prompt template is not valid, in line {error.lineno}: {error.message}") from None


def check_template(word: Wording, question: Question, pattern: Pattern, nframes: int) -> None:
    """Raise where a template's wording fails on a question, or hides its text or one of its options.

    Args:
        word: the wording, from `word_by_template`.
        question: the question.
        pattern: which visuals are shown.
        nframes: number of frames of a video.

    Raises:
        UsageError: as said above.
    """
    video: VideoPart | None = None
    if question.video_id is not None and "video" in pattern.visuals:
        times = tuple(map(float, range(nframes)))
        video = VideoPart(question.video_id, Path(), "", (nframes, 3, 1, 1), times, None, "", float(nframes))
    word(question, question.options, pattern, video)
    # other texts in place of its own, so that nothing is found which stands there by chance
    marks = tuple(f"0ption{at}x" for at in range(len(question.options)))
    marked = question.model_copy(update={"question": "que5tionx", "options": marks, "raw": None})
    shown = word(marked, marks, pattern, video).casefold()
    if "que5tionx" not in shown:
        raise UsageError(
            f"the prompt template does not show the question ({{{{ question }}}}) of {question.question_id}"
        )
    hidden = [at for at, mark in enumerate(marks) if mark not in shown]
    if hidden:
        letters = "" if question.question_type != "tf" else "; true and false have no letters in our own wordings"
        raise UsageError(
            f"the prompt template does not show option {hidden[0] + 1} of {len(marks)} ({{{{ options }}}}) of "
            f"{question.question_id}{letters}"
        )
