"""People's review decisions on questions: sheets for a spreadsheet, an append-only ledger, agreement, outcomes.

A decision is about a question as it was: the sheet carries a digest of each question. A decision on another wording is
refused at import, and set aside once the question changes. In the last round that has decisions on a question, all
`accept` makes it accepted, all `reject` rejected, anything else disputed.

In sheets and ledger a decision stands under `verdict`, a name that is kept so that old files stay readable.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from typing import Literal, get_args

from pydantic import AwareDatetime, JsonValue, PositiveInt, ValidationError

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.ledger import read_ledger
from ivbench_data.schema import BadLine, Finding, NonEmpty, Question, Record
from ivbench_data.strict_json import explain, write_jsonl
from ivbench_data.text.csv import read_csv, write_csv
from ivbench_data.validate.agreement import compute_cohen_kappa, compute_krippendorff_alpha
from ivbench_data.workspace import Workspace

Decision = Literal["accept", "reject", "unsure"]
Status = Literal["accepted", "rejected", "disputed", "unreviewed"]
STATUSES: tuple[Status, ...] = get_args(Status)

LEDGER_KIND = "review"
"""Kind of the ledger's files that hold reviews."""

SHEET_COLUMNS = (
    "question_id", "verdict", "reason", "reviewer", "round", "task", "video_id", "image_ids", "question", "options",
    "answer", "location", "findings", "question_digest",
)  # fmt: skip
"""What a sheet holds; people fill in `verdict` and `reason`, and `reviewer` where it is empty."""

_NEEDED_COLUMNS = ("question_id", "verdict", "question_digest")


class Review(Record):
    """One person's decision on one question; a line of `ledger/review-….jsonl`."""

    question_id: NonEmpty
    """The question."""
    question_digest: NonEmpty
    """Digest of what was reviewed; see `digest_for_review`."""
    reviewer: NonEmpty
    """Any label that is unique to the person."""
    round: PositiveInt = 1
    """The round of reviewing, from 1."""
    verdict: Decision
    """Keep it, leave it out, or let others decide."""
    reason: str | None = None
    """Why."""
    reviewed_at: AwareDatetime
    """When the decision was added to the ledger."""


@dataclass(frozen=True)
class Outcome:
    """Outcome of the decisions on one question."""

    question_id: str
    status: Status
    round: int | None = None
    """The round that decides; None when nobody has reviewed the question as it is."""
    verdicts: Mapping[str, Decision] = field(default_factory=dict)
    """Each reviewer's decision in that round."""
    stale: int = 0
    """Decisions on earlier wordings, which do not count."""


@dataclass(frozen=True)
class Agreement:
    """How well the reviewers of one round agree beyond chance; None where the decisions do not determine it."""

    round: int
    reviewers: tuple[str, ...]
    questions: int
    """Questions with decisions of two reviewers or more."""
    cohen_kappa: float | None
    """Cohen's κ, for two reviewers."""
    krippendorff_alpha: float | None
    """Krippendorff's α, nominal, for two reviewers or more."""


def digest_for_review(question: Question) -> str:
    """`sha256:` and 16 digits, of all that a reviewer looks at: texts, options, answer, video, images and evidence."""
    reviewed = question.model_dump(
        mode="json", include={"question", "options", "answer", "video_id", "image_ids", "evidence", "task"}
    )
    content = json.dumps(reviewed, ensure_ascii=False, sort_keys=True).encode()
    return f"sha256:{hashlib.sha256(content).hexdigest()[:16]}"


# --- sheets -------------------------------------------------------------------------------------------------------


def export_sheet(
    questions: Iterable[Question], findings: Iterable[Finding] = (), reviewer: str = "", review_round: int = 1
) -> bytes:
    """A CSV file to fill in: UTF-8 with a byte-order mark, which Excel needs; no cell can be taken for a formula."""
    messages: dict[str, list[str]] = {}
    for finding in findings:
        if finding.question_id is not None:
            message = f"{finding.severity} {finding.check}: {finding.message}"
            messages.setdefault(finding.question_id, []).append(message)
    rows: list[Sequence[str]] = [SHEET_COLUMNS]
    for question in questions:
        location = "; ".join(evidence.text or "" for evidence in question.evidence)
        cells = {
            "question_id": question.question_id,
            "reviewer": reviewer,
            "round": str(review_round),
            "task": question.task,
            "video_id": question.video_id or "",
            "image_ids": "\n".join(question.image_ids),
            "question": question.question,
            "options": "\n".join(question.options),
            "answer": question.answer or "",
            "location": location,
            "findings": "\n".join(messages.get(question.question_id, [])),
            "question_digest": digest_for_review(question),
        }
        rows.append([cells.get(column, "") for column in SHEET_COLUMNS])
    return write_csv(rows).encode("utf-8-sig")


def import_sheet(
    dataset: Dataset, content: bytes, reviewed_at: datetime, file_name: str, reviewer: str | None = None
) -> tuple[list[Review], list[BadLine]]:
    """The decisions of a filled-in sheet, and the rows that could not be used; rows left empty are neither.

    `reviewer` stands in where the sheet names none.

    Raises:
        UsageError: the file is no such sheet.
    """
    rows = _read_rows(content, file_name)
    digests = {question.question_id: digest_for_review(question) for question in dataset.questions}
    reviews: list[Review] = []
    bad: list[BadLine] = []
    line_of: dict[tuple[str, str, int], int] = {}
    for number, row in rows:
        verdict = row["verdict"].strip().casefold()
        if not verdict:
            continue
        question_id = row["question_id"]
        reason = None
        if question_id not in digests:
            reason = f"there is no question {question_id!r}"
        elif row["question_digest"] != digests[question_id]:
            reason = f"question {question_id!r} has changed since the sheet was made; export a new one"
        elif verdict not in get_args(Decision):
            reason = f"the verdict {verdict!r} is none of {', '.join(get_args(Decision))}"
        try:
            if reason is None:
                review = Review.model_validate(
                    {
                        "question_id": question_id,
                        "question_digest": row["question_digest"],
                        "reviewer": row.get("reviewer", "").strip() or reviewer or "",
                        "round": int(row.get("round", "").strip() or 1),
                        "verdict": verdict,
                        "reason": row.get("reason") or None,
                        "reviewed_at": reviewed_at,
                    }
                )
                first = line_of.setdefault((question_id, review.reviewer, review.round), number)
                if first != number:
                    reason = f"{review.reviewer} decided on {question_id!r} in line {first} already"
        except ValidationError as error:
            reason = explain(error)
        except ValueError:
            reason = f"the round {row['round']!r} is no number"
        if reason is None:
            reviews.append(review)
        else:
            bad.append(BadLine(file=file_name, line=number, reason=reason))
    return reviews, bad


def _read_rows(content: bytes, file_name: str) -> list[tuple[int, dict[str, str]]]:
    rows = read_csv(content, file_name)
    columns = [cell.strip() for cell in next(rows, (0, []))[1]]
    missing = [column for column in _NEEDED_COLUMNS if column not in columns]
    if missing:
        raise UsageError(f"{file_name} is no review sheet: it has no column {', '.join(missing)}")
    return [(line, dict(zip_longest(columns, cells[: len(columns)], fillvalue=""))) for line, cells in rows]


# --- the ledger -----------------------------------------------------------------------------------------------------


def add_reviews(workspace: Workspace, reviews: Sequence[Review]) -> Path:
    """Add reviews to the ledger, in a file of their own that appears whole; no other file of the ledger is changed.

    Raises:
        StorageError: the root cannot be written.
    """
    path = workspace.ledger / f"{LEDGER_KIND}-{uuid.uuid4()}.jsonl"
    write_jsonl(path, reviews)
    return path


def read_reviews(workspace: Workspace) -> tuple[list[Review], list[BadLine]]:
    """All reviews in the ledger in the order of their times, and the lines that hold none."""
    reviews, bad = read_ledger(workspace, LEDGER_KIND, Review)
    return sorted(reviews, key=lambda review: review.reviewed_at), bad


# --- outcomes -------------------------------------------------------------------------------------------------------


def decide_outcomes(dataset: Dataset, reviews: Iterable[Review]) -> list[Outcome]:
    """The outcome of each question; of several decisions by one reviewer in one round, the last one counts."""
    by_question: dict[str, list[Review]] = {}
    for review in reviews:
        by_question.setdefault(review.question_id, []).append(review)
    return [_decide(question, by_question.get(question.question_id, [])) for question in dataset.questions]


def list_by_status(outcomes: Iterable[Outcome]) -> dict[Status, list[str]]:
    """Ids of the questions of each status, in the dataset's order; every status has a list."""
    ids: dict[Status, list[str]] = {status: [] for status in STATUSES}
    for outcome in outcomes:
        ids[outcome.status].append(outcome.question_id)
    return ids


def select_by_review(
    dataset: Dataset,
    reviews: Iterable[Review],
    only: Literal["accepted", "reviewed"] | None = None,
    include_rejected: bool = False,
) -> Dataset:
    """The dataset with the questions that reviewers let pass; its provenance says under `review` what was left out.

    Args:
        dataset: whose questions.
        reviews: the decisions on them.
        only: `accepted` keeps accepted questions; `reviewed` keeps accepted and disputed ones; None keeps all.
        include_rejected: keeps rejected questions where `only` is not `accepted`.

    Raises:
        UsageError: all are to be kept and some are rejected, or none is left.
    """
    ids = list_by_status(decide_outcomes(dataset, reviews))
    rejected = ids["rejected"]
    if only is None and rejected and not include_rejected:
        raise UsageError(
            f"reviewers rejected {len(rejected):,} questions: {describe_ids(rejected)}. Leave them out with --only "
            "accepted or --only reviewed, drop them with: ivbench-data repair --plan, or say --include-rejected"
        )
    kept = {*ids["accepted"], *(ids["disputed"] if only != "accepted" else ())}
    kept |= {*ids["unreviewed"]} if only is None else set()
    kept |= {*rejected} if include_rejected and only != "accepted" else set()
    if only is not None and not kept:
        raise UsageError(f"no question of {dataset.name} is {only}; see: ivbench-data review status")
    if only is None and not rejected:
        return dataset
    review: dict[str, JsonValue] = {
        "only": only,
        "left_out": len(dataset.questions) - len(kept),
        "rejected_included": len(kept & set(rejected)),
    }
    questions = tuple(question for question in dataset.questions if question.question_id in kept)
    return replace(dataset, questions=questions, provenance={**dataset.provenance, "review": review})


def describe_ids(ids: Sequence[str], most: int = 20) -> str:
    """The ids with commas; of many, the first, and how many more there are."""
    more = f" and {len(ids) - most:,} more" if len(ids) > most else ""
    return ", ".join(ids[:most]) + more


def measure_agreement(dataset: Dataset, reviews: Iterable[Review]) -> list[Agreement]:
    """How well reviewers agree, round by round, over the decisions on the questions as they are.

    Raises:
        MissingDependencyError: the extra `validate` is not installed.
    """
    digests = {question.question_id: digest_for_review(question) for question in dataset.questions}
    rounds: dict[int, dict[str, dict[str, str]]] = {}
    for review in reviews:
        if digests.get(review.question_id) == review.question_digest:
            of_round = rounds.setdefault(review.round, {})
            of_round.setdefault(review.reviewer, {})[review.question_id] = review.verdict
    return [_measure_round(number, of_round) for number, of_round in sorted(rounds.items())]


def _decide(question: Question, reviews: Sequence[Review]) -> Outcome:
    digest = digest_for_review(question) if reviews else ""
    current = [review for review in reviews if review.question_digest == digest]
    stale = len(reviews) - len(current)
    if not current:
        return Outcome(question.question_id, "unreviewed", stale=stale)
    last = max(review.round for review in current)
    decisions: dict[str, Decision] = {review.reviewer: review.verdict for review in current if review.round == last}
    given = set(decisions.values())
    status: Status = "accepted" if given == {"accept"} else "rejected" if given == {"reject"} else "disputed"
    return Outcome(question.question_id, status, last, decisions, stale)


def _measure_round(number: int, of_round: dict[str, dict[str, str]]) -> Agreement:
    reviewers = sorted(of_round)
    decisions = [of_round[reviewer] for reviewer in reviewers]
    counted: dict[str, int] = {}
    for given in decisions:
        for question_id in given:
            counted[question_id] = counted.get(question_id, 0) + 1
    shared = sum(count > 1 for count in counted.values())
    return Agreement(
        round=number,
        reviewers=tuple(reviewers),
        questions=shared,
        cohen_kappa=compute_cohen_kappa(*decisions) if len(decisions) == 2 else None,
        krippendorff_alpha=compute_krippendorff_alpha(decisions) if len(decisions) > 1 else None,
    )
