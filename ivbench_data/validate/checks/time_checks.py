"""Checks of times: in locations, in answers and distractors, and of one against the other and the video's length."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from ivbench_data.dataset import Dataset
from ivbench_data.schema import Evidence, Finding, Question, Severity
from ivbench_data.sources import read_released
from ivbench_data.text.folds import TextValue, fold, read_value
from ivbench_data.timecodes import format_clock
from ivbench_data.validate.checks.context import CheckContext, distractors_of, find_on, quote

TOLERANCE_SECONDS = 1.0
"""Annotators write whole seconds, and round as they like: what differs by no more is the same moment."""

MAX_FRAME_SECONDS = 5.0
"""The lenient reading takes a range of so many seconds as the location of a single frame."""

MIN_IOU_WORTH_A_WARNING = 0.5
"""From this overlap up, a reply that watches well can still land on the distractor."""

_CLOCK_LIKE = re.compile(r"(?<![\d:.])\d{1,3}:\d{1,3}(?::\d{1,3})?(?![\d:])")
_WHEN = re.compile(
    r"\b(when|what (?:is the )?(?:first )?time|at what (?:point|moment|time)|moment|time ?stamps?|segments?|"
    r"(?:which|what) (?:part|section|clip|period)|time (?:period|range|frame)|extract)\b",
    re.IGNORECASE,
)

Place = Literal["location", "answer", "distractor"]
_SEVERITIES: dict[Place, Severity] = {"location": "error", "answer": "error", "distractor": "warning"}
Span = tuple[float, float]


def check_reversed_range(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Ranges that end before they start: distractors that nobody need consider, evidence that cannot be looked up."""
    for question in dataset.questions:
        for place, text in _time_texts(question):
            if any(end < start for start, end in _spans(read_value(text))):
                yield find_on(
                    question,
                    "reversed_range",
                    _SEVERITIES[place],
                    f"the {place} {quote(text)} ends before it starts",
                    {"place": place, "text": text},
                )


def check_malformed_time(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Times written as no time is: one or three digits of seconds, or hours and minutes that are ambiguous."""
    for question in dataset.questions:
        for place, text in _time_texts(question):
            folded = fold(text)
            if _CLOCK_LIKE.search(folded) and read_value(text) is None and not _is_prose(folded):
                yield find_on(
                    question,
                    "malformed_time",
                    _SEVERITIES[place],
                    f"the {place} {quote(text)} is written as no time is",
                    {"place": place, "text": text},
                )


def check_seconds_over_59(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Times with more than 59 seconds, such as `1:61`: likely a slip, and equal to another time by value."""
    for question in dataset.questions:
        for place, text in _time_texts(question):
            clocks = _CLOCK_LIKE.findall(fold(text))
            if any(int(part) > 59 for clock in clocks for part in clock.split(":")[1:]):
                yield find_on(
                    question,
                    "seconds_over_59",
                    "error" if place == "answer" else "warning",
                    f"the {place} {quote(text)} has more than 59 seconds",
                    {"place": place, "text": text},
                )


def check_location_unparsable(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Locations that are no moment, no range, and not the whole video: nothing can say whether a frame shows them."""
    for question in dataset.questions:
        location = read_released(question).location
        if location is not None and not question.evidence:
            yield find_on(
                question,
                "location_unparsable",
                "warning",
                f"the location {quote(location)} is no moment, no range, and not the whole video",
                {"location": location},
            )


def check_location_mixed_format(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Locations whose two ends are written differently (`0:54-01:08`), or that have space around them."""
    for question in dataset.questions:
        location = read_released(question).location
        if location is None:
            continue
        clocks = _CLOCK_LIKE.findall(location)
        under_ten_minutes = {len(clock.split(":")[0]) for clock in clocks if int(clock.split(":")[0]) < 10}
        flaw = None
        if len({clock.count(":") for clock in clocks}) > 1:
            flaw = "gives hours at one end only"
        elif len(under_ten_minutes) > 1:
            flaw = "pads the minutes at one end only"
        elif location != location.strip():
            flaw = "has space around it"
        if flaw is not None:
            yield find_on(
                question,
                "location_mixed_format",
                "info",
                f"the location {quote(location)} {flaw}",
                {"location": location},
            )


def check_granularity_mismatch(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Questions about a frame, a clip or the whole video that are located otherwise, strictly or even leniently read.

    Strictly, a frame has a moment, a clip a range, and the whole video the whole. Leniently, a location may say more
    exactly where to look, and a frame may have a range of up to five seconds.
    """
    wanted = {"frame": "point", "clip": "range", "whole": "whole"}
    for question in dataset.questions:
        if question.granularity not in wanted or len(question.evidence) != 1:
            continue
        evidence = question.evidence[0]
        if evidence.kind == wanted[question.granularity]:
            continue
        length = abs(_end(evidence) - (evidence.start_seconds or 0.0))
        lenient = question.granularity == "whole" or (
            evidence.kind != "whole" and (question.granularity == "clip" or length <= MAX_FRAME_SECONDS)
        )
        kinds = {"point": "a moment", "range": "a range", "whole": "the whole video"}
        names = {"frame": "a frame", "clip": "a clip", "whole": "the whole video"}
        yield find_on(
            question,
            "granularity_mismatch",
            "info" if lenient else "warning",
            f"asked about {names[question.granularity]}, located at {kinds[evidence.kind]}: "
            f"{quote(evidence.text or '')}",
            {
                "granularity": question.granularity,
                "located": evidence.kind,
                "reading": "strict" if lenient else "lenient",
            },
        )


def check_answer_contradicts_location(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Answers to "when" that lie outside of the location: the answer or the location is wrong."""
    for question, answer, location in _answers_and_locations(dataset):
        start, end = answer[0][0], answer[-1][1]
        if start > end or location[0] > location[1]:
            continue  # `reversed_range` says so already
        gap = max(start - location[1], location[0] - end)
        if gap > TOLERANCE_SECONDS:
            yield find_on(
                question,
                "answer_contradicts_location",
                "error",
                f"the answer {quote(question.answer or '')} lies {gap:g} s outside of the location "
                f"{quote(question.evidence[0].text or '')}",
                {"answer_seconds": [start, end], "location_seconds": list(location), "gap_seconds": gap},
            )


def check_answer_equals_location(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Answers to "when" that are the location itself: who is given the location, or its clip, is given the answer."""
    for question, answer, location in _answers_and_locations(dataset):
        if answer == [location]:
            yield find_on(
                question,
                "answer_equals_location",
                "info",
                f"the answer {quote(question.answer or '')} is the location itself",
                {"seconds": list(location)},
            )


def check_distractor_overlaps_answer(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Ranges among the distractors that share time with the answer's, with their intersection over union."""
    for question in dataset.questions:
        answer = read_value(question.answer) if question.answer is not None else None
        if answer is None or answer.kind not in ("range", "ranges"):
            continue
        own = _spans(answer)
        overlaps: list[tuple[float, str]] = []
        for _, text in distractors_of(question):
            value = read_value(text)
            if value is None or value.kind not in ("range", "ranges") or value == answer:
                continue
            iou = _intersection_over_union(own, _spans(value))
            if iou > 0:
                overlaps.append((iou, text))
        if overlaps:
            worst, text = max(overlaps)
            yield find_on(
                question,
                "distractor_overlaps_answer",
                "warning" if worst >= MIN_IOU_WORTH_A_WARNING else "info",
                f"of the distractors, {len(overlaps)} share time with the answer {quote(question.answer or '')}; "
                f"most of all {quote(text)} (IoU {worst:.2f})",
                {"overlaps": [{"distractor": other, "iou": round(iou, 4)} for iou, other in sorted(overlaps)[::-1]]},
            )


def check_beyond_video_end(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Times after the video's end, where its length is known: wrong, or about another cut of the video."""
    durations = context.find_durations(dataset)
    for question in dataset.questions:
        duration = durations.get(question.video_id or "")
        if duration is None:
            continue
        for place, text in _time_texts(question):
            last = max((max(span) for span in _spans(read_value(text))), default=0.0)
            if last > duration + TOLERANCE_SECONDS:
                yield find_on(
                    question,
                    "beyond_video_end",
                    "info" if place == "distractor" else "error",
                    f"the {place} {quote(text)} is after the video's end at {format_clock(duration)}",
                    {"place": place, "text": text, "duration_seconds": duration},
                )


# --- parts --------------------------------------------------------------------------------------------------------


def _time_texts(question: Question) -> Iterator[tuple[Place, str]]:
    """The location, and the options where half of them or more are times (else `5:2` may be a score)."""
    location = read_released(question).location
    if location is not None:
        yield "location", location
    times = sum(_is_time(read_value(option)) for option in question.options)
    if 2 * times < len(question.options) or not times:
        return
    for index, option in enumerate(question.options):
        yield ("answer" if index == question.answer_index else "distractor"), option


def _is_time(value: TextValue | None) -> bool:
    return value is not None and value.kind in ("time", "range", "ranges")


def _is_prose(folded: str) -> bool:
    """Whether a text that holds a time says more than the time: it is not badly written for that."""
    return sum(map(str.isalpha, folded.replace("and", ""))) > 0


def _spans(value: TextValue | None) -> list[Span]:
    """Start and end in seconds of every time or range that a value holds, as written."""
    if value is None or not _is_time(value):
        return []
    if value.kind == "time":
        return [(float(value.amounts[0]), float(value.amounts[0]))]
    return [(float(start), float(end)) for start, end in zip(value.amounts[::2], value.amounts[1::2], strict=True)]


def _end(evidence: Evidence) -> float:
    end = evidence.end_seconds if evidence.end_seconds is not None else evidence.start_seconds
    return 0.0 if end is None else end


def _answers_and_locations(dataset: Dataset) -> Iterator[tuple[Question, list[Span], Span]]:
    """The questions that ask when, answered with times and located in part of the video; with both in seconds."""
    for question in dataset.questions:
        if question.answer is None or len(question.evidence) != 1 or not _WHEN.search(question.question):
            continue
        evidence = question.evidence[0]
        answer = _spans(read_value(question.answer))
        if answer and evidence.start_seconds is not None:
            yield question, answer, (evidence.start_seconds, _end(evidence))


def _intersection_over_union(first: list[Span], second: list[Span]) -> float:
    """Shared time over all time of two lists of ranges; 0 where a range is reversed or nothing is shared."""
    if any(end < start for start, end in (*first, *second)):
        return 0.0
    shared = sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in first for b in second)
    total = sum(end - start for start, end in (*first, *second)) - shared
    return shared / total if total > 0 else 0.0
