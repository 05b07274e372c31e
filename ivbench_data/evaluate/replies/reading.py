"""What reading a text comes to, before it is tied to the reply."""

from __future__ import annotations

from typing import NamedTuple

from ivbench_data.evaluate.replies.parsed import Rule
from ivbench_data.questions.option_letters import LETTERS

SEVERAL = len(LETTERS)
"""Stands for an option that no question has: what several options at once come to."""


class Reading(NamedTuple):
    """An option that a text names; an index beyond the options, or `SEVERAL`, decides that it names none."""

    option: int
    rule: Rule
    start: int
    end: int
