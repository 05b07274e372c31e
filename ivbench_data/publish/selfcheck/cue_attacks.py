"""Attacks by the look of the options alone: always the longest, the shortest, the most detailed, the middle number.

Anybody can try these rules, and the answers of public splits show which of them work. Real wording has habits: in
IV-Bench's release the shortest option is the answer of 14.7% of the questions, and of 10.4% by chance. `validate`
reports such a weakness; it refuses nothing here. A rule succeeds when it is right more often than chance and another 15
points together explain: the chance of each guess is taken to be so much higher.
"""

from __future__ import annotations

from collections.abc import Iterator

from ivbench_data.publish.selfcheck.attack_input import AttackInput, Guess
from ivbench_data.validate.checks.single_cues import GRAVE_EXCESS, RULES, describe_cue, measure_single_cues, try_rule


def guess_by_cues(attack_input: AttackInput) -> Iterator[Guess]:
    """The option that each rule picks, the first in the alphabet of several."""
    public = {cue.cue: cue for cue in measure_single_cues(attack_input.evidence.public) if cue.is_claimed}
    for name, pick in RULES.items():
        trials = try_rule(attack_input.questions, pick)
        hits = sum(min(trial.picked) == trial.question.answer for trial in trials)
        chances = tuple(min(1.0, 1 / trial.options + GRAVE_EXCESS) for trial in trials)
        words = describe_cue(name)
        if name in public:
            words += f", which answers {public[name].accuracy:.0%} of {public[name].questions:,} public questions"
        yield Guess(words, hits, chances)
