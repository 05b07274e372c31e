"""The splits that are asked for: names and sizes, read from `test=0.8,mini=200q,dev=rest`, and made into numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from pydantic import PositiveInt

from ivbench_data.errors import UsageError
from ivbench_data.schema import NonEmpty, Record, check_safe_name

_NAME = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")
_SHARE = re.compile(r"[0-9]{1,9}/[0-9]{1,9}|[0-9]{1,9}(\.[0-9]{1,9})?|\.[0-9]{1,9}")
_NUMBER = re.compile(r"([0-9]{1,9})q")
_MAX_NAME_CHARS: Final = 100
_RESERVED: Final = "all"
"""`datasets` takes it for all splits together."""


class SplitRequest(Record):
    """One split that is asked for; without a share or a number, it takes what the others leave.

    Example:
        >>> iv.parse_splits("test=0.8,dev=rest")[0].name
        'test'
    """

    name: NonEmpty
    """Its name, on the Hub as well."""
    share: Fraction | None = None
    """Share of all questions."""
    questions: PositiveInt | None = None
    """Number of questions."""

    def __str__(self) -> str:
        if self.share is not None:
            decimal = f"{float(self.share):.9f}".rstrip("0").rstrip(".")
            return f"{self.name}={decimal if Fraction(decimal) == self.share else self.share}"
        return f"{self.name}={self.questions}q" if self.questions is not None else f"{self.name}=rest"


def parse_splits(text: str) -> tuple[SplitRequest, ...]:
    """The splits that a text such as `test=0.8,mini=200q,dev=rest` asks for: shares, questions, what remains.

    Args:
        text: requests with commas between them, as `test=0.8,mini=20q,dev=rest`.

    Raises:
        UsageError: it is no such text, a name is given twice or cannot be one, or the shares are over 1.

    Example:
        >>> [str(request) for request in iv.parse_splits("test=0.8,mini=20q,dev=rest")]
        ['test=0.8', 'mini=20q', 'dev=rest']
    """
    requests = tuple(_parse_request(part.strip()) for part in text.split(","))
    check_requests(requests)
    return requests


def check_requests(requests: Sequence[SplitRequest]) -> None:
    """Refuse requests that no dataset can meet.

    Raises:
        UsageError: a name is given twice or cannot be one, two splits take the rest, or the shares are over 1.
    """
    seen: dict[str, str] = {}
    for request in requests:
        _check_name(request.name)
        folded = request.name.casefold()
        if folded in seen:
            raise UsageError(
                f"the split {request.name!r} is given twice ({seen[folded]!r}); not even case may differ alone"
            )
        seen[folded] = request.name
        if request.share is not None and not 0 < request.share <= 1:
            raise UsageError(f"{request}: a share is over 0 and at most 1; for a number of questions write 200q")
        if request.share is not None and request.questions is not None:
            raise UsageError(f"{request.name}: give a share or a number of questions, not both")
    if sum(_takes_rest(request) for request in requests) > 1:
        raise UsageError("two splits take the rest; give one of them a size")
    total = sum((request.share for request in requests if request.share is not None), start=Fraction())
    if total > 1:
        raise UsageError(f"the splits' shares add up to {float(total):g}, and there is no more than 1")


def _parse_request(part: str) -> SplitRequest:
    name, equals, size = (piece.strip() for piece in part.partition("="))
    if not equals:
        raise UsageError(f"{part!r} is no split: write NAME=SIZE, such as test=0.8, mini=200q or dev=rest")
    _check_name(name)
    if size == "rest":
        return SplitRequest(name=name)
    if (number := _NUMBER.fullmatch(size)) and int(number[1]):
        return SplitRequest(name=name, questions=int(number[1]))
    if _SHARE.fullmatch(size) and size.rpartition("/")[2].strip("0.") and 0 < Fraction(size) <= 1:
        return SplitRequest(name=name, share=Fraction(size))
    raise UsageError(
        f"{part!r}: {size!r} is no size; write a share over 0 and up to 1, as 0.8 or 1/3, a number of questions, as "
        "200q, or rest"
    )


def _check_name(name: str) -> None:
    try:
        check_safe_name(name)
    except ValueError as error:
        raise UsageError(f"a split's name: {error}") from None
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME_CHARS or name.casefold() == _RESERVED:
        raise UsageError(
            f"{name!r} cannot be a split's name on the Hub: letters, digits and _, with dots between them, at most "
            f"{_MAX_NAME_CHARS} characters, and not {_RESERVED}"
        )


def _takes_rest(request: SplitRequest) -> bool:
    return request.share is None and request.questions is None


def set_targets(requests: Sequence[SplitRequest], total: int) -> list[int]:
    """Questions that each split is to hold, and at the end those that are in none; they add up to `total`.

    Shares are rounded where they end when laid side by side, halves up, so that together they are not over all.

    Raises:
        UsageError: they ask for more questions than there are, or one of them for none.
    """
    exact = sum((request.share * total for request in requests if request.share is not None), start=Fraction())
    numbers = sum(request.questions or 0 for request in requests)
    if exact + numbers > total:
        asked = f"{float(exact + numbers):g}"
        raise UsageError(f"the splits ask for {asked} questions, and there are {total:,}")
    targets, end = [], Fraction()
    for request in requests:
        if request.share is not None:
            start, end = end, end + request.share * total
            targets.append(_round_half_up(end) - _round_half_up(start))
        else:
            targets.append(request.questions or 0)
    rest = total - sum(targets)
    targets = [rest if _takes_rest(request) else target for request, target in zip(requests, targets, strict=True)]
    for request, target in zip(requests, targets, strict=True):
        if target == 0:
            raise UsageError(f"{request} is not one question of {total:,}; ask for more, or leave the split out")
    return [*targets, 0 if any(map(_takes_rest, requests)) else rest]


def _round_half_up(value: Fraction) -> int:
    return int(value + Fraction(1, 2))
