"""What reading a reply returns: the option it names, by which rule, and the characters that it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Rule = Literal[
    "tag", "field", "phrase", "conclusion", "letter", "last_line", "leading", "text", "contained", "only", "number",
    "option_number", "first_hit", "drawn", "likelihood", "none",
]  # fmt: skip
"""How a reading was found. Files of older releases hold a subset of these."""


@dataclass(frozen=True)
class ParsedAnswer:
    """What a reply names."""

    index: int | None
    """Position among the options as they were shown; None when the reply names none of them."""
    rule: Rule
    """The rule that decided; `drawn` is a letter drawn by lot, as the reference does where it finds none, and
    `likelihood` the likeliest letter, where no text was written."""
    span: tuple[int, int] | None = field(default=None, compare=False)
    """Start and end of the characters of the reply that the reading rests on; None where no characters decided."""

    @property
    def is_parsed(self) -> bool:
        """Whether the reply itself names an option of the question."""
        return self.index is not None and self.rule != "drawn"


NOTHING = ParsedAnswer(None, "none")
