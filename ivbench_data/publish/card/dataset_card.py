"""The dataset card: what a publication holds, where it comes from, what is wrong with it, how to use it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import JsonValue

from ivbench_data.publish.card.card_facts import CardFacts
from ivbench_data.publish.card.hub_settings import write_settings
from ivbench_data.text.markdown import draw_table, escape_markdown

_ARXIV: Final = re.compile(r"arXiv:(\d{4}\.\d{4,5})")


def write_card(facts: CardFacts) -> str:
    """The whole `README.md`."""
    parts = (
        _introduce(facts),
        _describe_how_to_load(facts),
        _count_tasks(facts),
        _describe_how_to_score(facts),
        _summarise_validation(facts),
        _describe_provenance(facts),
        _describe_license(facts),
        _describe_canary(facts),
        _cite(facts),
    )
    body = "\n\n".join("\n".join(part) for part in parts)
    return f"---\n{write_settings(facts)}\n---\n\n{body}\n"


# --- parts of the page ----------------------------------------------------------------------------------------------


def _introduce(facts: CardFacts) -> Iterator[str]:
    questions = facts.questions
    with_images = sum(bool(question.image_ids) for question in questions)
    yield f"# {escape_markdown(facts.title)}"
    yield ""
    yield (
        f"Version {facts.version.version}: {len(questions):,} questions about {facts.videos:,} videos; "
        f"{with_images:,} of the questions show query images."
    )
    if facts.absent_images:
        yield ""
        yield (
            f"**{facts.absent_images:,} of {facts.images + facts.absent_images:,} query images are not in the rows**: "
            "they were not at hand when this version was made, and are null."
        )
    left_out = facts.version.split_recipe.left_out if facts.version.split_recipe is not None else 0
    if left_out:
        yield ""
        yield f"{left_out:,} more questions of the benchmark are in no split of this version."
    yield ""
    yield "The config `videos` says where each video can be downloaded and, where known, its length and what it shows."
    for name, count in facts.included.items():
        yield ""
        yield f"- `{name}/` holds {count:,} files, of {facts.videos:,} videos."


def _describe_how_to_load(facts: CardFacts) -> Iterator[str]:
    place = facts.repo_id if facts.repo_id is not None else "path/to/this/folder"
    split = next(iter(facts.splits))
    yield "## How to load it"
    yield ""
    yield "```python"
    yield "from datasets import load_dataset  # 4.0 or newer"
    yield ""
    yield f'questions = load_dataset("{place}", split="{split}")  # query images in the column `images`'
    yield f'videos = load_dataset("{place}", "videos", split="videos")'
    yield "```"
    yield ""
    yield "As checked records, with `pip install ivbench-data`:"
    yield ""
    yield "```python"
    yield "import ivbench_data as iv"
    yield ""
    yield 'records = [iv.read_row(row) for row in questions.remove_columns("images")]'
    yield "```"
    yield ""
    yield (
        "`schemas/` describes the records in JSON Schema. `publish.json` holds a digest of every file and every row; "
        "`CHANGELOG.md` says what changed since the version before."
    )


def _count_tasks(facts: CardFacts) -> Iterator[str]:
    counted = {name: Counter(question.task for question in questions) for name, questions in facts.splits.items()}
    known = [task.name for task in facts.manifest.tasks] if facts.manifest is not None else []
    present = dict.fromkeys(question.task for question in facts.questions)
    tasks = [*(name for name in known if name in present), *(name for name in present if name not in known)]
    yield "## Questions of each task"
    yield ""
    columns = {**counted, "all": sum(counted.values(), Counter())} if len(counted) > 1 else counted
    rows = [(task, *(counts[task] for counts in columns.values())) for task in tasks]
    yield from draw_table(("task", *columns), [*rows, ("all", *(counts.total() for counts in columns.values()))])
    videos = {name: {q.video_id for q in questions} - {None} for name, questions in facts.splits.items()}
    if len(videos) > 1 and sum(map(len, videos.values())) == len(set.union(*videos.values())):
        yield ""
        counts = ", ".join(f"{len(of_split):,} in `{name}`" for name, of_split in videos.items())
        yield f"No video is in two splits: {counts}."


def _describe_how_to_score(facts: CardFacts) -> Iterator[str]:
    yield "## How to score"
    yield ""
    yield "```python"
    yield "score = iv.score_reply(record, reply)  # .answer_index, .correct; a reply that names no option is wrong"
    yield "```"
    yield ""
    yield (
        "Accuracy is the share of right replies in all questions, those without a reply among them. Options are shown "
        "in the order of the rows; where several equal the answer, each of them is right."
    )
    if facts.hidden_splits:
        names = " and ".join(f"`{name}`" for name in facts.hidden_splits)
        yield ""
        yield (
            f"The answers of {names} are hidden. Send the maintainers a JSONL file with a line for each question, "
            '`{"question_id": "…", "reply": "…"}`; they score it with '
            "`ivbench-data score --answers ANSWERS.jsonl SUBMISSION.jsonl`."
        )


def _summarise_validation(facts: CardFacts) -> Iterator[str]:
    found = {name: row for name, row in facts.findings.items() if any(row.values())}
    columns = ("error", "warning", "info", "questions")
    yield "## What validation finds"
    yield ""
    yield (
        f"`ivbench-data validate` ran {len(facts.findings):,} checks on what is published here. An error is wrong or "
        "cannot be scored fairly, a warning deserves a look, a remark (info) is good to know."
    )
    yield ""
    if found:
        yield from draw_table(
            ("check", *columns), [(name, *(row[column] for column in columns)) for name, row in found.items()]
        )
    else:
        yield "Nothing was found."
    if facts.not_checked:
        yield ""
        yield f"Not run: {', '.join(f'`{name}`' for name in facts.not_checked)}."


def _describe_provenance(facts: CardFacts) -> Iterator[str]:
    source = facts.version.created_from
    yield "## Where it comes from"
    yield ""
    for label, name in (("Source", "source"), ("File", "file"), ("SHA-256 of it", "sha256")):
        if isinstance(value := source.get(name), str):
            yield f"- {label}: {escape_markdown(value)}"
    if isinstance(rebuilds := source.get("rebuilds_byte_for_byte"), bool):
        is_cut = bool(_describe_review(source)) or _drops_questions(source)
        whole = not facts.hidden_splits and not facts.bad_lines and not facts.version.withdrawn and not is_cut
        yield (
            f"- The release {'can' if rebuilds else 'cannot'} be rebuilt byte for byte from the imported questions"
            + (
                ", by the column `raw`."
                if rebuilds and whole
                else "."
                if not rebuilds
                else "; this publication holds less."
            )
        )
    if facts.bad_lines:
        yield f"- Lines of the release that could not be used: {facts.bad_lines:,}"
    yield from _describe_review(source)
    repairs = _list_repairs(source)
    yield f"- Repairs applied: {', '.join(repairs) if repairs else 'none'}"
    if facts.version.withdrawn:
        yield ""
        yield "Withdrawn videos, with their questions:"
        yield ""
        yield from draw_table(
            ("video", "questions", "why"),
            [(row.video_id, len(row.question_ids), row.why) for row in facts.version.withdrawn],
        )


def _describe_review(source: Mapping[str, JsonValue]) -> list[str]:
    """What was selected by review decisions; nothing where all is published and nothing is rejected."""
    review = source.get("review")
    if not isinstance(review, dict):
        return []
    lines = []
    if review.get("only") is not None:
        rule = {"accepted": "accepted", "reviewed": "reviewed and did not reject"}[str(review["only"])]
        lines.append(f"- Review: only questions that reviewers {rule}; {review.get('left_out')} others are left out")
    if review.get("rejected_included"):
        lines.append(f"- Review: {review['rejected_included']} questions are published that reviewers rejected")
    return lines


def _drops_questions(source: Mapping[str, JsonValue]) -> bool:
    rows = source.get("versions")
    return any(isinstance(row, dict) and bool(row.get("dropped")) for row in (rows if isinstance(rows, list) else ()))


def _list_repairs(source: Mapping[str, JsonValue]) -> list[str]:
    rows = source.get("versions")
    return [
        f"patch {escape_markdown(row.get('version'))} ({escape_markdown(row.get('changes'))} changes)"
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict)
    ]


def _describe_license(facts: CardFacts) -> Iterator[str]:
    yield "## Licence"
    yield ""
    if facts.stated_license is None:
        yield (
            "**None is known.** Neither the benchmark's authors, as far as is recorded, nor whoever published this "
            "folder state a licence of the annotations: ask before you pass them on."
        )
    elif facts.license is None:
        yield f"Annotations: {escape_markdown(facts.stated_license)}, as the benchmark's authors state it."
    else:
        yield f"Annotations: {escape_markdown(facts.license)}, as whoever published this folder states it."
        if facts.manifest is not None and facts.manifest.license is None:
            yield "The benchmark's authors state none that is recorded."
    yield ""
    yield "Videos and images belong to their owners, under terms of their own; the config `videos` names what is known."


def _describe_canary(facts: CardFacts) -> Iterator[str]:
    yield "## Canary"
    yield ""
    yield (
        "These data are for evaluation and must not be trained on. Whoever filters training data can find them by this "
        "GUID, which stands in every row, and is the same in every version:"
    )
    yield ""
    yield "```"
    yield f"{facts.version.dataset} canary GUID {facts.version.canary}"
    yield "```"


def _cite(facts: CardFacts) -> Iterator[str]:
    manifest = facts.manifest
    yield "## Citation"
    yield ""
    match = _ARXIV.fullmatch(manifest.paper or "") if manifest is not None else None
    if manifest is None or (manifest.paper is None and manifest.homepage is None):
        yield "No paper is recorded for this benchmark."
    elif match is not None:
        yield f"{escape_markdown(manifest.title)}: [arXiv:{match[1]}](https://arxiv.org/abs/{match[1]})"
    else:
        yield f"{escape_markdown(manifest.title)}: {escape_markdown(manifest.paper or manifest.homepage)}"
