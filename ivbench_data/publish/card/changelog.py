"""The `CHANGELOG.md` of the data: newest first, every question by its id, what was written before kept as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Final

from ivbench_data.publish.changes import EditionChanges
from ivbench_data.text.markdown import escape_markdown

_HEADER: Final = """# Changelog of the data

What changed from version to version, by question. `a_{0,2}` stands for the questions `a_0` and `a_2`. A major version
changes what results of the version before are worth, a minor one adds questions, a patch repairs texts.
"""

_LINE_CHARS: Final = 118
_PLAIN_ID = re.compile(r"[\w.:@+-]+", re.ASCII)
_NUMBERED_ID = re.compile(r"(?P<stem>.*_)(?P<number>0|[1-9][0-9]{0,8})", re.DOTALL)
_SECTION = re.compile(r"^## (?!\[?Unreleased)", re.MULTILINE | re.IGNORECASE)


def write_changelog(earlier: str | None, version: str, changes: EditionChanges, when: date) -> str:
    """The changelog with a section for the new version above those of the earlier text, which stays as it is.

    Where the version stays the same, nothing changed, and the earlier text is given back.
    """
    if earlier is not None and version == changes.earlier:
        return earlier
    section = "\n".join([f"## [{version}] - {when.isoformat()}", "", *_write_section(changes)]) + "\n"
    if earlier is None:
        return f"{_HEADER}\n{section}"
    first = _SECTION.search(earlier)
    if first is None:
        return f"{earlier}{'' if earlier.endswith(chr(10)) else chr(10)}\n{section}"
    return f"{earlier[: first.start()]}{section}\n{earlier[first.start() :]}"


def list_ids(ids: Iterable[str]) -> list[str]:
    """The ids as code, those that differ in their last number alone together: `` `a_{0,2}` `` for a_0 and a_2.

    An id with anything but letters, digits and ``_.:@+-`` stands alone, as a JSON string.
    """
    numbered: dict[str, list[int]] = {}
    found: dict[tuple[str, bool], None] = {}
    for question_id in ids:
        match = _NUMBERED_ID.fullmatch(question_id) if _PLAIN_ID.fullmatch(question_id) else None
        if match is None:
            found[question_id, False] = None
        else:
            found[match["stem"], True] = None
            numbered.setdefault(match["stem"], []).append(int(match["number"]))
    return [_write_code(text, numbered[text] if has_numbers else None) for text, has_numbers in found]


def _write_code(stem: str, numbers: Sequence[int] | None) -> str:
    if numbers is None:
        text = stem if _PLAIN_ID.fullmatch(stem) else json.dumps(stem)
    elif len(numbers) == 1:
        text = f"{stem}{numbers[0]}"
    else:
        text = f"{stem}{{{','.join(map(str, sorted(numbers)))}}}"
    if "`" not in text:
        return f"`{text}`"
    fence = "`" * (1 + max(len(run) for run in re.findall("`+", text)))
    return f"{fence} {text} {fence}"


def _write_section(changes: EditionChanges) -> Iterator[str]:
    sizes = ", ".join(f"{_name(name)} {count:,}" for name, count in changes.sizes.items())
    yield f"{_count(sum(changes.sizes.values()))}: {sizes}."
    if changes.earlier is None:
        yield from ("", "The first version.")
        return
    parts = {
        "Added": [
            *(_write_item(f"{_count(len(ids))} in {_name(name)}", ids) for name, ids in changes.added.items()),
            *(f"- The video {_name(video_id)}, which was withdrawn, is back." for video_id in changes.restored),
        ],
        "Changed": [
            *(
                _write_item(f"{_count(len(moved.question_ids))} moved from {_name(moved.source)} to "
                            f"{_name(moved.target)}", moved.question_ids)
                for moved in changes.moved
            ),
            *_write_some("What counts as right is another thing in {}", changes.rescored),
            *(f"- The answers of {_name(name)} are hidden from this version on." for name in changes.hidden),
            *(f"- The answers of {_name(name)} are public from this version on." for name in changes.revealed),
        ],
        "Fixed": list(_write_some("{} repaired, with the same answer", changes.repaired)),
        "Removed": [
            *(
                _write_item(
                    f"The video {_name(one.video_id)} was withdrawn on {one.when.date().isoformat()} "
                    f"({escape_markdown(one.why)}), and with it {_count(len(one.question_ids))}",
                    one.question_ids,
                )
                for one in changes.withdrawn
            ),
            *_write_some("{}", changes.removed),
        ],
    }  # fmt: skip
    for title, items in parts.items():
        if items:
            yield from ("", f"### {title}", "", *items)


def _write_some(text: str, ids: Sequence[str]) -> Iterator[str]:
    if ids:
        yield _write_item(text.format(_count(len(ids))), ids)


def _write_item(text: str, ids: Iterable[str]) -> str:
    """A list item, broken between ids alone."""
    lines, line = [], f"- {text}:"
    codes = list_ids(ids)
    for piece in (*(f"{code}," for code in codes[:-1]), f"{codes[-1]}."):
        if len(line) + 1 + len(piece) > _LINE_CHARS:
            lines.append(line)
            line = " "
        line += f" {piece}"
    return "\n".join([*lines, line])


def _count(questions: int) -> str:
    return f"{questions:,} question{'' if questions == 1 else 's'}"


def _name(name: str) -> str:
    return _write_code(name, None)
