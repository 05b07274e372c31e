"""A row of the table of languages.

Every field lists phrases in lower case, split by `|`. In a language that sets words apart by spaces a phrase is whole
words; in the others (`is_spaced=False`, and phrases in their scripts) it is any run of characters. To add a language,
add one row here and its cases in `tests/evaluate/reply_templates.jsonl`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Language:
    """How a language speaks of answers."""

    code: str
    """ISO 639-1."""
    is_spaced: bool = True
    """Whether spaces set words apart."""
    nouns: str
    """Names of an answer; before a letter with a colon, a copula or a line's end they state it."""
    option_words: str = ""
    """Words that may stand between a statement and its letter."""
    copulas: str = ""
    """What links an answer's name and the letter."""
    statements: str = ""
    """Whole phrases directly before the letter: "I choose"."""
    conclusions: str = ""
    """Words directly before a letter that closes its clause: "so"."""
    confirmations: str = ""
    """What follows the letter of an answer: "is correct"."""
    endings: str = ""
    """What closes a sentence that is a letter alone: "C です"."""
    denials: str = ""
    """What follows a letter that is no answer: "is wrong"."""
    negations: str = ""
    """Words that turn their clause into the opposite."""
    contrasts: str = ""
    """Words that begin a new clause and name the answer after a denied one: "but"."""
    corrections: str = ""
    """Words that take back what stood before: "wait"."""
    retractions: str = ""
    """Sentences that void every statement before them: "I was wrong"."""
    conditions: str = ""
    """Words that make their sentence hypothetical."""
    views: str = ""
    """Words that make their clause the opinion of others, or a former one."""
    joiners: str = ""
    """Words between two options that are offered together: "or"."""
    affirmations: str = ""
    """Answers to a question: "yes"."""
    questions: str = ""
    """Words that begin a question."""
    refusals: str = ""
    """Words of a reply that declines to answer."""
    suffixes: str = ""
    """Endings that are written to a letter after an apostrophe."""
    ordinals: str = ""
    """What names the first to the tenth place, then the last; "/" stands between names of one place."""
    ordered: str = ""
    """What an ordinal before it makes the name of an option: "third option"."""
    changes: str = ""
    """What stands before an answer that is given up for the next: "switching from"."""
    replacers: str = ""
    """Words between the two: "to"."""
    asides: str = ""
    """Phrases that look like a condition, a negation or a view, and are none: "if I had to choose"."""
    restrictions: str = ""
    """What after a letter makes its statement hypothetical: "only if"."""
    exceptions: str = ""
    """What stands before the one option that is not wrong: "everything except"."""
    followers: str = ""
    """Words that follow a letter and no article or pronoun, so that a capital before them is a letter."""
