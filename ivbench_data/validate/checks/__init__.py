"""Find the broken questions. A check is `check(dataset, context) -> Iterator[Finding]`; `CHECKS` lists them all.

Severities: an `error` is a question that cannot be scored fairly as it stands, or is wrong; a `warning` is one that is
weaker than it should be or that someone should look at; an `info` is good to know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from typing import get_args

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.schema import Finding, Severity
from ivbench_data.validate.checks import (
    cross_references,
    image_leaks,
    media_files,
    option_checks,
    question_wording,
    single_cues,
    time_checks,
)
from ivbench_data.validate.checks.context import CheckContext

Check = Callable[[Dataset, CheckContext], Iterator[Finding]]

CHECKS: dict[str, Check] = {
    "blank_option": option_checks.check_blank_option,
    "not_ten_options": option_checks.check_not_ten_options,
    "fewer_than_ten_distinct": option_checks.check_fewer_than_ten_distinct,
    "duplicate_option": option_checks.check_duplicate_option,
    "answer_among_distractors": option_checks.check_answer_among_distractors,
    "answer_gives_itself_away": option_checks.check_answer_gives_itself_away,
    "option_placeholder": option_checks.check_option_placeholder,
    "option_with_letter": option_checks.check_option_with_letter,
    "option_names_others": option_checks.check_option_names_others,
    "single_cue": single_cues.check_single_cue,
    "reversed_range": time_checks.check_reversed_range,
    "malformed_time": time_checks.check_malformed_time,
    "seconds_over_59": time_checks.check_seconds_over_59,
    "location_unparsable": time_checks.check_location_unparsable,
    "location_mixed_format": time_checks.check_location_mixed_format,
    "granularity_mismatch": time_checks.check_granularity_mismatch,
    "answer_contradicts_location": time_checks.check_answer_contradicts_location,
    "distractor_overlaps_answer": time_checks.check_distractor_overlaps_answer,
    "answer_equals_location": time_checks.check_answer_equals_location,
    "beyond_video_end": time_checks.check_beyond_video_end,
    "no_image_reference": question_wording.check_no_image_reference,
    "no_video_reference": question_wording.check_no_video_reference,
    "repeated_question": question_wording.check_repeated_question,
    "same_query_different_answer": question_wording.check_same_query_different_answer,
    "answer_is_sibling_distractor": cross_references.check_answer_is_sibling_distractor,
    "image_reused": cross_references.check_image_reused,
    "image_index_mismatch": cross_references.check_image_index_mismatch,
    "label_variant": cross_references.check_label_variant,
    "answer_kind_unexpected": cross_references.check_answer_kind_unexpected,
    "non_contiguous_ids": cross_references.check_non_contiguous_ids,
    "image_missing": media_files.check_image_missing,
    "image_unreadable": media_files.check_image_unreadable,
    "image_too_small": media_files.check_image_too_small,
    "image_too_large": media_files.check_image_too_large,
    "near_duplicate_images": media_files.check_near_duplicate_images,
    "near_duplicate_videos": media_files.check_near_duplicate_videos,
    "image_from_own_video": image_leaks.check_image_from_own_video,
}
"""Every check by name, in the order in which they run and are listed; a check's docstring says what it finds."""

__all__ = ["CHECKS", "Check", "CheckContext", "count_findings", "describe_check", "select_checks", "validate_questions"]


def validate_questions(
    dataset: Dataset, context: CheckContext | None = None, checks: Iterable[str] | None = None
) -> Iterator[Finding]:
    """What the checks find, as they find it, check by check; all of them unless some are named.

    Time is linear in the questions, and no finding is kept.

    Args:
        dataset: the questions.
        context: media and tables that some checks need; without it they find less.
        checks: names of checks; all by default.

    Raises:
        UsageError: there is no check of a given name.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> [finding.check for finding in iv.validate_questions(dataset)]
        ['granularity_mismatch', 'image_reused', 'image_reused']
    """
    names = select_checks(checks or ())
    context = context or CheckContext()
    for name in names:
        yield from CHECKS[name](dataset, context)


def select_checks(wanted: Iterable[str] = (), skipped: Iterable[str] = ()) -> list[str]:
    """Names of the checks to run, in their usual order: the wanted ones, or all, without the skipped ones.

    Raises:
        UsageError: there is no check of a given name.
    """
    wanted, skipped = list(wanted), set(skipped)
    for name in (*wanted, *sorted(skipped)):
        if name not in CHECKS:
            nearest = get_close_matches(name, CHECKS, n=1)
            advice = f"did you mean {nearest[0]!r}?" if nearest else "list them with: ivbench-data validate --list"
            raise UsageError(f"there is no check named {name!r}; {advice}")
    return [name for name in CHECKS if (not wanted or name in wanted) and name not in skipped]


def describe_check(name: str) -> str:
    """What the check finds, in a line: the first line of its docstring."""
    return (CHECKS[name].__doc__ or "").strip().split("\n", 1)[0]


def count_findings(findings: Iterable[Finding], names: Iterable[str]) -> dict[str, dict[str, int]]:
    """For each check: findings of each severity, the worst first, and how many questions they are about."""
    by_severity: Counter[tuple[str, Severity]] = Counter()
    questions: dict[str, set[str]] = {}
    for finding in findings:
        by_severity[finding.check, finding.severity] += 1
        if finding.question_id is not None:
            questions.setdefault(finding.check, set()).add(finding.question_id)
    return {
        name: {
            **{severity: by_severity[name, severity] for severity in reversed(get_args(Severity))},
            "questions": len(questions.get(name, ())),
        }
        for name in names
    }
