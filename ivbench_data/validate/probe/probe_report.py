"""Result of the text-only probe: its records."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, NonNegativeInt

from ivbench_data.schema import NonEmpty, Record
from ivbench_data.statistics import CONFIDENCE, Estimate, Probability
from ivbench_data.validate.checks.single_cues import RULES, SingleCue
from ivbench_data.validate.probe.families import FAMILIES

OVERALL: Final = "Overall"
"""Name of the row over all tasks."""


HEURISTICS: Final[dict[str, tuple[str, int]]] = {
    "longest": ("length.characters", 1),
    "shortest": ("length.characters", -1),
    "most typical": ("typicality.letters", 1),
    "least typical": ("typicality.letters", -1),
    "never repeated": ("typicality.twins", -1),
    "smallest number": ("value.lowest", 1),
    "middle number": ("value.middle", 1),
    "largest number": ("value.highest", 1),
    "round number": ("value.round", 1),
    "range touching others": ("value.touching", 1),
    "range touching no other": ("value.touching", -1),
    "odd one out in writing": ("surface.oddness", 1),
    "shares most words with the question": ("overlap.words", 1),
    "shares fewest words with the question": ("overlap.words", -1),
    "most frequent answer": ("frequency.answers", 1),
    "most frequent answer in its task": ("frequency.answers_in_task", 1),
    "most frequent answer to the same question": ("frequency.answers_to_same_question", 1),
    "most frequent option": ("frequency.options", 1),
    "rarest option": ("frequency.options", -1),
    "words of other answers": ("wording.answers", 1),
}
"""Single heuristics by name: pick the option with the highest (1) or lowest (-1) value of a feature; ties are shared.

The frequencies are counted in the training folds only.
"""


class ProbeOptions(Record):
    """How the probe is run. All of it is fixed beforehand; nothing is tuned on what is held out."""

    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """Parts that videos are dealt into; each is held out once."""
    seeds: Annotated[tuple[NonNegativeInt, ...], Field(min_length=1)] = (0, 1)
    """Deals of videos into folds, and starts of the models, that the figures are averaged over."""
    null_seeds: tuple[NonNegativeInt, ...] = (0, 1, 2)
    """Times that answers are replaced at random."""
    selection_families: Annotated[tuple[NonEmpty, ...], Field(min_length=1)] = ("boosting", "logistic")
    """Families that choose the hard subset."""
    certification_families: tuple[NonEmpty, ...] = ("forest", "network")
    """Families that certify it; none of them may choose."""
    certification_seeds: tuple[NonNegativeInt, ...] = (101, 102)
    """Seeds that certify; none of them may be among `seeds`."""
    confidence: Annotated[float, Field(gt=0, lt=1)] = CONFIDENCE
    """Coverage of the intervals."""
    significance: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Chance of any false claim: half of it is spent on the probe's tasks, half on single heuristics."""
    tolerance: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """Accuracy above chance that the choosing families' upper bound may keep on the hard subset."""
    margin: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Accuracy above chance that the certifying families' upper bounds may reach."""

    @property
    def families(self) -> tuple[str, ...]:
        """Every family, in the order of `FAMILIES`."""
        return tuple(name for name in FAMILIES if name in {*self.selection_families, *self.certification_families})


class CueEffect(Record):
    """What one cue gives away in one task."""

    cue: NonEmpty
    """Key of `CUES`."""
    effect: Estimate
    """Probability of the answer that the cue adds, the mean of adding it to nothing and to all the others."""
    accuracy_alone: Probability
    """Accuracy of the probe when it sees this cue alone."""
    p_value: Probability
    """One-sided, Holm-adjusted over the cues of all leaking tasks."""
    is_claimed: bool
    """Whether the cue is named as giving the task away."""


class HeuristicResult(Record):
    """What one single heuristic reaches in one task, without any training beyond counting answers elsewhere."""

    heuristic: NonEmpty
    """Key of `HEURISTICS`."""
    task: NonEmpty
    """The task."""
    accuracy: Estimate
    """Share of questions it answers; ties count by share."""
    p_value: Probability
    """One-sided against chance, Holm-adjusted over all heuristics and tasks."""
    is_claimed: bool
    """Whether it is named as giving answers away."""


class TaskLeakage(Record):
    """How far question and options alone go in one task, or over all of them."""

    task: NonEmpty
    """The task, or `Overall`."""
    chance: Probability
    """Mean over questions of right options over options."""
    accuracy: Estimate
    """Held-out accuracy of all families together: the trained leakage bound."""
    excess: Estimate
    """Accuracy above each question's own chance level."""
    null: Estimate | None
    """Accuracy when answers are replaced at random, averaged over the null's seeds; None when none was run."""
    null_chance: Probability | None
    """Chance level of the replaced answers."""
    by_family: dict[str, Estimate]
    """Held-out accuracy of each family."""
    p_value: Probability
    """One-sided p of the excess, Holm-adjusted over tasks."""
    is_claimed: bool
    """Whether the probe is above chance for sure."""
    heuristics: tuple[str, ...] = ()
    """Single heuristics that are above chance for sure, the best first."""
    cues: tuple[CueEffect, ...] = ()
    """What gives them away, strongest first; empty where no claim is made."""

    @property
    def leaks(self) -> bool:
        """Whether the claim is made, by the probe or a heuristic, that text alone gives answers away here."""
        return self.is_claimed or bool(self.heuristics)

    @property
    def named_cues(self) -> tuple[str, ...]:
        """What is named as giving it away: single rules, cues of the probe, strongest first, cues of heuristics."""
        rules = [name for name in self.heuristics if name in RULES]
        of_heuristics = (HEURISTICS[name][0].split(".")[0] for name in self.heuristics)
        return tuple(dict.fromkeys([*rules, *(cue.cue for cue in self.cues if cue.is_claimed), *of_heuristics]))

    @property
    def null_is_at_chance(self) -> bool | None:
        """Whether the null's interval holds its chance level."""
        return None if self.null is None or self.null_chance is None else self.null.holds(self.null_chance)


class QuestionLeakage(Record):
    """What the probe found on one question."""

    question_id: NonEmpty
    """The question."""
    task: NonEmpty
    """Its task."""
    chance: Probability
    """Right options over options."""
    probability: Probability
    """Held-out probability that the probe gives to the right options."""
    picked_index: NonNegativeInt
    """Position, among the stored options, of the one that the probe holds likeliest; of several, the first by text."""
    answered: Probability
    """1 when that is right, 0 when not; a share where several are equally likely."""
    cue: str | None = None
    """What gives it away, in a task that leaks: the named cue that adds most, else that of a heuristic that answers."""
    cue_effect: float | None = None
    """Probability that this cue adds; None when a heuristic names it."""
    heuristics: tuple[str, ...] = ()
    """Single heuristics that are claimed in its task and pick its answer alone."""
    is_hard: bool = False
    """Whether it belongs to the hard subset."""


class Certificate(Record):
    """What one family that took no part in choosing reaches on the hard subset."""

    family: NonEmpty
    """The family."""
    trained_on: Literal["all", "subset"]
    """What it learnt from: all other questions, or those of the subset alone, which shows cues that choosing made."""
    accuracy: Estimate
    """Held-out accuracy on the subset."""
    excess: Estimate
    """Accuracy above chance."""


class HardSubset(Record):
    """Questions that the probe cannot answer, and who vouches for it."""

    rule: NonEmpty
    """How they were chosen."""
    question_ids: tuple[str, ...]
    """The questions."""
    chance: Probability
    """Chance level on them."""
    by_selection: Certificate | None
    """Accuracy of the families that chose it: no evidence, shown beside."""
    certificates: tuple[Certificate, ...]
    """Accuracy of families and seeds that did not."""
    status: Literal["certified", "leaks", "insufficient_n", "uncertified", "empty"]
    """`certified`: every upper bound is within the margin of chance. `leaks`: not all are, and some accuracy is above
    chance beyond its interval. `insufficient_n`: too few questions to decide. `uncertified`: no family was left for it.
    `empty`: no question is left."""


class ProbeReport(Record):
    """What the probe found."""

    dataset: NonEmpty
    """Name of the dataset."""
    options: ProbeOptions
    """How it was run."""
    skipped: NonNegativeInt
    """Questions without options or with hidden answers, which it leaves out."""
    tasks: tuple[TaskLeakage, ...]
    """One row a task, `Overall` last."""
    questions: tuple[QuestionLeakage, ...]
    """One row a question, in the dataset's order."""
    heuristics: tuple[HeuristicResult, ...]
    """One row a heuristic and task, `Overall` among them."""
    hard: HardSubset
    """The questions that are left."""
    single_cues: tuple[SingleCue, ...] = ()
    """Accuracy of each single rule on the whole dataset, as the check `single_cue` measures it."""

    @property
    def overall(self) -> TaskLeakage:
        """The row over all tasks."""
        return self.tasks[-1]
