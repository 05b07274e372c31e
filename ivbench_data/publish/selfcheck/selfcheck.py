"""All attacks on the hidden answers of a published folder, before it is published.

At most one honest folder in a thousand is refused, for all attacks together. The p-value of a guess is the exact
probability of so many hits or more by chance (Poisson-binomial, each question with a chance of its own); that of an
attack is its best guess's times the number of its guesses (Bonferroni); the attacks are adjusted by Holm. A leak that
needs no statistics (an answer in a hidden row, a private file among the public ones) refuses by itself.

A pass proves little about what was not examined: pictures that show the answer, or questions whose own words give it
away (`validate --probe` examines these).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from pydantic import NonNegativeFloat, NonNegativeInt

from ivbench_data.atomic_files import digest_file
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.publish.hidden.hidden_answers import PUBLIC_QUESTION_FIELDS, AnswersFile
from ivbench_data.publish.selfcheck.attack_input import Attack, AttackInput, Guess
from ivbench_data.publish.selfcheck.attacks import ADVICE, ATTACKS, PROOFS
from ivbench_data.publish.selfcheck.published_answers import PublishedAnswers
from ivbench_data.publish.selfcheck.published_evidence import PublishedEvidence, gather_evidence, is_empty
from ivbench_data.schema import NonEmpty, Question, Record
from ivbench_data.significance import adjust_holm, compute_poisson_binomial_tail
from ivbench_data.statistics import Probability

SIGNIFICANCE: Final = 0.001
"""One-sided level, for all attacks on a folder together."""

PUBLIC_COLUMNS: Final = PUBLIC_QUESTION_FIELDS | {"answers_hidden", "images", "canary"}
"""Columns that a row with a hidden answer may fill."""


class AttackResult(Record):
    """How far an attack came.

    Example:
        >>> answers = iv.read_answers("data/tiny/private/answers-test-1.0.0.jsonl")
        >>> report = iv.check_published("data/published_hidden", answers)
        >>> result = report.attacks[0]
        >>> result.attack, result.succeeded
        ('position', False)
    """

    attack: NonEmpty
    """Its name."""
    tries: NonNegativeInt
    """Ways of guessing."""
    best: str | None
    """The one that did best against chance; None where it made no guess."""
    guesses: NonNegativeInt
    """Questions that this one guessed."""
    hits: NonNegativeInt
    """Of these, rightly."""
    expected: NonNegativeFloat
    """Right ones to be expected by chance."""
    p_value: Probability
    """How often chance does as well, with all its guesses taken into account."""
    holm_p_value: Probability
    """The same with all attacks taken into account."""
    succeeded: bool
    """Whether answers can be read this way."""
    advice: str
    """What to do about it, if they can."""


class SelfCheckReport(Record):
    """What attacks on a published folder came to.

    Example:
        >>> answers = iv.read_answers("data/tiny/private/answers-test-1.0.0.jsonl")
        >>> iv.check_published("data/published_hidden", answers).passed
        True
    """

    dataset: NonEmpty
    """Name of the dataset."""
    splits: tuple[NonEmpty, ...]
    """The splits whose answers are hidden."""
    questions: NonNegativeInt
    """Their questions."""
    level: Probability
    """An attack succeeds when its adjusted p-value is at most this."""
    attacks: tuple[AttackResult, ...]
    """The attacks."""
    leaks: tuple[str, ...]
    """What gives answers away, or could, without any guessing: in sentences."""

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.leaks and not any(result.succeeded for result in self.attacks)

    def describe(self) -> str:
        """The result in a few sentences, and what to do."""
        if self.passed:
            return (
                f"no hidden answer was found: {len(self.attacks)} attacks on {self.questions:,} questions did no "
                f"better than chance (level {self.level:g}, one-sided, for all of them together)"
            )
        messages = [*self.leaks]
        for result in self.attacks:
            if result.succeeded:
                messages.append(
                    f"answers can be read from {result.best} ({result.hits:,} of {result.guesses:,} guesses right, "
                    f"{result.expected:.1f} by chance, p = {result.holm_p_value:.2g}): {result.advice}"
                )
        return "; ".join(messages)


def check_published(
    folder: Path | str,
    *answers: AnswersFile,
    attacks: dict[str, Attack] = ATTACKS,
    published_before: PublishedAnswers | None = None,
    on_attack: Callable[[str], None] | None = None,
) -> SelfCheckReport:
    """What can be found out about hidden answers from everything in a published folder.

    Args:
        folder: the published folder.
        answers: the answers files of its hidden splits.
        attacks: the attacks, by name.
        published_before: answers that other publications of the dataset hold.
        on_attack: called with the name of each attack when it begins.

    Raises:
        UsageError: there is no folder, or no answers file is given.
        DatasetError: the answers are of another version: a question is not in the folder, or with other options; or a
            Parquet file cannot be read.
        MissingDependencyError: pyarrow is not installed.

    Example:
        >>> answers = iv.read_answers("data/tiny/private/answers-test-1.0.0.jsonl")
        >>> report = iv.check_published("data/published_hidden", answers)
        >>> report.passed
        True
    """
    folder = Path(folder)
    if not answers:
        raise UsageError("no answers file is given: there is nothing to look for")
    questions = tuple(question for file in answers for question in file.questions)
    evidence = gather_evidence(folder, questions)
    ordered = _sort_by_rows(questions, evidence, folder)
    attack_input = AttackInput(ordered, evidence, published_before or PublishedAnswers())
    results = []
    for name, attack in attacks.items():
        if on_attack is not None:
            on_attack(name)
        results.append(_run_attack(name, attack, attack_input))
    adjusted = adjust_holm([result.p_value for result in results])
    return SelfCheckReport(
        dataset=answers[0].header.dataset,
        splits=tuple(file.header.split for file in answers),
        questions=len(questions),
        level=SIGNIFICANCE,
        attacks=tuple(
            result.model_copy(
                update={"holm_p_value": p, "succeeded": p <= SIGNIFICANCE or (name in PROOFS and result.guesses > 0)}
            )
            for (name, result, p) in zip(attacks, results, adjusted, strict=True)
        ),
        leaks=tuple(_find_leaks(attack_input, answers)),
    )


def _run_attack(name: str, attack: Attack, attack_input: AttackInput) -> AttackResult:
    best, best_p, tries = None, 1.0, 0
    for one in attack(attack_input):
        tries += 1
        # fewer hits than expected are no success, whatever their exact probability
        p = compute_poisson_binomial_tail(one.hits, one.chances) if one.hits > one.expected else 1.0
        if best is None or p < best_p:
            best, best_p = one, p
    best = best or Guess("", 0, ())
    return AttackResult(
        attack=name,
        tries=tries,
        best=best.name or None,
        guesses=len(best.chances),
        hits=best.hits,
        expected=best.expected,
        p_value=min(1.0, max(1, tries) * best_p),
        holm_p_value=1.0,
        succeeded=False,
        advice=ADVICE.get(name, "leave it out"),
    )


def _sort_by_rows(questions: Sequence[Question], evidence: PublishedEvidence, folder: Path) -> tuple[Question, ...]:
    """The questions in the order of their rows, which show their options in the order that the answers file has.

    Raises:
        DatasetError: they do not.
    """
    by_id = {question.question_id: question for question in questions}
    shown = dict(reversed(evidence.rows))
    for question_id in by_id:
        if question_id not in shown:
            raise DatasetError(f"{folder} does not show the question {question_id!r}, whose answer is in the file")
    for question_id, row in evidence.rows:
        if tuple(row.get("options") or ()) != by_id[question_id].options:
            raise DatasetError(f"{folder} shows other options for {question_id!r} than the file with its answer")
    return tuple(by_id[question_id] for question_id in dict.fromkeys(question_id for question_id, _ in evidence.rows))


def _find_leaks(attack_input: AttackInput, answers: Sequence[AnswersFile]) -> Iterator[str]:
    """What needs no guessing."""
    filled: Counter[str] = Counter()
    first: dict[str, str] = {}
    for question_id, row in attack_input.evidence.rows:
        for column, value in row.items():
            if column not in PUBLIC_COLUMNS and not is_empty(value):
                filled[column] += 1
                first.setdefault(column, question_id)
    for column, count in filled.items():
        yield (
            f"the column {column!r} is filled in {count:,} rows with a hidden answer (first in that of "
            f"{first[column]!r}), and may bear it: leave it empty"
        )
    for place, question_ids in attack_input.evidence.unstripped.items():
        yield (
            f"{len(question_ids):,} pictures {place} hold more than pixels and a colour profile (first that of "
            f"{question_ids[0]!r}), and may bear an answer: write them anew without the rest, as publish does"
        )
    private = {digest_file(file.path): file.path for file in answers}
    for name, digest in attack_input.evidence.sha256_of.items():
        if digest in private:
            yield f"{name} is the private answers file {private[digest]}: delete it here"
    for name, text in attack_input.evidence.file_texts.items():
        if any(file.header.nonce in text for file in answers):
            yield f"{name} holds the nonce of an answers file: delete what was copied from there"
    for name in attack_input.evidence.packed_files:
        yield f"{name} is packed, and cannot be looked into: leave it out"
