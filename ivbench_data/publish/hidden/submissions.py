"""A submission for a split whose answers are hidden: read strictly, all or nothing, then scored like any results.

A submission is JSON lines, one a question, in any order, each with one of two ways to answer::

    {"question_id": "v1_0", "reply": "The answer is C."}
    {"question_id": "v1_1", "answer_index": 2}

A `reply` is what a model said, read by the same parser as our own evaluation, with letters in the order of the options
as published. An `answer_index` is a position among these, from 0. A question that is left out counts as wrong. Tasks
are scored by the metrics that the benchmark's manifest names.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as shorten
from typing import Final

from pydantic import JsonValue

from ivbench_data import __version__
from ivbench_data.dataset import Dataset
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.evaluate.prompts.compose import PROMPT_VERSION
from ivbench_data.evaluate.reply_scores import score_choice, score_reply
from ivbench_data.evaluate.results import Results, ResultsHeader, RunConfiguration
from ivbench_data.evaluate.scores import Scorecard, score_results
from ivbench_data.publish.hidden.hidden_answers import AnswersFile
from ivbench_data.schema import BadLine, EvaluationResult, Question
from ivbench_data.strict_json import iterate_jsonl

FIELDS: Final = {"question_id", "reply", "answer_index"}
LEFT_OUT: Final = "the submission does not hold it"


@dataclass(frozen=True)
class Submission:
    """A submission, read: what it says of each question, or why it is refused.

    Example:
        >>> answers = iv.read_answers("data/tiny/private/answers-test-1.0.0.jsonl")
        >>> _ = Path("submission.jsonl").write_text('{"question_id": "alpha_0", "reply": "C"}')
        >>> submission = iv.read_submission("submission.jsonl", answers)
        >>> dict(submission.given), submission.left_out
        ({'alpha_0': 'C'}, ('alpha_1', '-beta_0'))
    """

    path: Path
    """The file."""
    given: Mapping[str, str | int]
    """Reply or position, by question; without the lines that are wrong."""
    problems: tuple[BadLine, ...]
    """Every line that is wrong, with its number; with any, nothing is scored."""
    left_out: tuple[str, ...]
    """Questions that it does not answer."""


def read_submission(path: Path | str, answers: AnswersFile) -> Submission:
    """What a submission says, and everything that is wrong with it, line by line.

    Args:
        path: the file: JSONL, a reply or an option's index a line.
        answers: the hidden answers that it is scored by.

    Raises:
        UsageError: the file cannot be read, is empty, or is a results file of `evaluate`.

    Example:
        >>> answers = iv.read_answers("data/tiny/private/answers-test-1.0.0.jsonl")
        >>> _ = Path("submission.jsonl").write_text('{"question_id": "alpha_0", "answer_index": 2}')
        >>> submission = iv.read_submission("submission.jsonl", answers)
        >>> submission.problems, len(submission.left_out)
        ((), 2)
    """
    path = Path(path)
    questions = {question.question_id: question for question in answers.questions}
    given: dict[str, str | int] = {}
    line_of: dict[str, int] = {}
    problems: list[BadLine] = []
    for number, _, value in iterate_jsonl(path):
        if isinstance(value, BadLine):
            problems.append(value)
            continue
        if number == 1 and isinstance(value, dict) and "configuration" in value:
            raise UsageError(
                f"{path} is a results file of `evaluate`. Make a submission of it with: "
                f"ivbench-data export submission submission.jsonl {shlex.quote(str(path))} --dataset NAME"
            )
        try:
            question_id, said = _read_line(value, questions)
            first = line_of.setdefault(question_id, number)
            if first != number:
                raise ValueError(f"the question {shorten(question_id)} stands in line {first} already")
        except ValueError as error:
            problems.append(BadLine(file=path.name, line=number, reason=str(error)))
            continue
        given[question_id] = said
    if not line_of and not problems:
        raise UsageError(f"{path} is empty: a submission holds a line a question")
    left_out = tuple(question_id for question_id in questions if question_id not in line_of)
    return Submission(path, given, tuple(problems), left_out)


def _read_line(value: JsonValue, questions: Mapping[str, Question]) -> tuple[str, str | int]:
    if not isinstance(value, dict):
        raise ValueError('not an object such as {"question_id": "…", "reply": "…"}')
    if unknown := value.keys() - FIELDS:
        raise ValueError(f"the field {shorten(min(unknown))} is not known; there are: {', '.join(sorted(FIELDS))}")
    question_id = value.get("question_id")
    if not isinstance(question_id, str):
        fault = "is missing" if question_id is None else f"is {shorten(question_id)}, not text"
        raise ValueError(f"the field 'question_id' {fault}")
    if question_id not in questions:
        raise ValueError(f"there is no question {shorten(question_id)} in this split")
    if ("reply" in value) == ("answer_index" in value):
        fault = "both 'reply' and 'answer_index' are" if "reply" in value else "neither 'reply' nor 'answer_index' is"
        raise ValueError(f"{fault} given for {shorten(question_id)}; give one of them")
    if "reply" in value:
        reply = value["reply"]
        if not isinstance(reply, str):
            raise ValueError(f"the reply is {shorten(reply)}, not text; leave out what was not answered")
        return question_id, reply
    return question_id, _read_index(value["answer_index"], questions[question_id])


def _read_index(index: JsonValue, question: Question) -> int:
    if type(index) is not int:  # a bool is an int to Python, and an answer to nobody
        raise ValueError(f"answer_index is {shorten(index)}, not a whole number; leave out what was not answered")
    count = len(question.options)
    if not count:
        raise ValueError(f"answer_index is given, yet {shorten(question.question_id)} has no options; give a reply")
    if not 0 <= index < count:
        raise ValueError(f"answer_index {shorten(index)} is not a position in {count} options, 0 to {count - 1}")
    return index


def make_results(submission: Submission, answers: AnswersFile) -> tuple[Dataset, Results]:
    """The submission as results of an evaluation, and the dataset with the answers that they are scored by.

    What is left out has failed, and so counts as wrong.

    Raises:
        DatasetError: lines of it are wrong; the first is named.
    """
    if submission.problems:
        more = f" (and {len(submission.problems) - 1:,} more)" if len(submission.problems) > 1 else ""
        raise DatasetError(f"the submission is refused, nothing was scored: {submission.problems[0]}{more}")
    configuration = RunConfiguration(
        dataset=answers.header.dataset,
        model=submission.path.name,
        pattern=f"{answers.header.split} {answers.header.version}",
        profile="default",
        grid=None,
        prompt_version=PROMPT_VERSION,
    )
    header = ResultsHeader(configuration=configuration, versions={"ivbench-data": __version__}, started="")
    rows = {row.key: row for row in _score_each(submission, answers.questions)}
    dataset = Dataset(answers.header.dataset, questions=answers.questions)
    return dataset, Results(submission.path, (header,), rows)


def score_submission(submission: Submission, answers: AnswersFile) -> Scorecard:
    """All figures of a submission, over all questions of the split.

    Args:
        submission: the submission.
        answers: the hidden answers.

    Raises:
        DatasetError: lines of it are wrong; the first is named.
        MissingDependencyError: scipy is not installed.

    Example:
        >>> answers = iv.read_answers("data/tiny/private/answers-test-1.0.0.jsonl")
        >>> _ = Path("submission.jsonl").write_text('{"question_id": "alpha_0", "answer_index": 2}')
        >>> submission = iv.read_submission("submission.jsonl", answers)
        >>> round(iv.score_submission(submission, answers).overall.accuracy.value, 3)
        0.333
    """
    return score_results(*make_results(submission, answers))


def _score_each(submission: Submission, questions: Iterable[Question]) -> Iterable[EvaluationResult]:
    for question in questions:
        said = submission.given.get(question.question_id)
        if said is None:
            yield EvaluationResult(question_id=question.question_id, status="failed", error=LEFT_OUT)
            continue
        reply = said if isinstance(said, str) else None
        score = score_choice(question, said, "none") if isinstance(said, int) else score_reply(question, said)
        yield EvaluationResult(
            question_id=question.question_id,
            reply=reply,
            answer_index=score.answer_index,
            value=score.value,
            correct=score.correct,
            metadata={"rule": score.rule if reply is not None else "given"},
        )
