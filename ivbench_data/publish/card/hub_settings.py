"""What the Hub reads of a publication: the settings in front of the card, and `eval.yaml`.

Both are written by huggingface_hub's own dumper, so that no text can become a setting.
"""

from __future__ import annotations

import re
from typing import Any, Final

from ivbench_data.publish.card.card_facts import CardFacts
from ivbench_data.text.markdown import flatten

HUB_LICENSES: Final = frozenset(
    {
        "afl-3.0", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc", "cc0-1.0", "cc-by-2.0", "cc-by-3.0", "cc-by-4.0",
        "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0",
        "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cdla-permissive-1.0",
        "cdla-permissive-2.0", "cdla-sharing-1.0", "c-uda", "etalab-2.0", "gfdl", "mit", "odbl", "odc-by", "other",
        "pddl", "unknown", "unlicense",
    }
)  # fmt: skip
"""Names of licences of data that the Hub knows; any other is written as `other`, and named beside it."""

_SIZES: Final = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)


def write_settings(facts: CardFacts) -> str:
    """The YAML that stands in front of the card, without the lines that enclose it."""
    from huggingface_hub import DatasetCardData

    return DatasetCardData(**_describe_settings(facts)).to_yaml(line_break="\n")


def write_eval_yaml(facts: CardFacts) -> str | None:
    """`eval.yaml`, by which the Hub takes a dataset for a benchmark; None when no split can be scored from it.

    Its form: https://huggingface.co/docs/hub/eval-results, with what Inspect AI (`inspect_ai/_eval/task/hf.py`) asks
    for. A task is a split whose questions all have options and an answer that anyone may see.
    """
    from huggingface_hub import CardData

    tasks = [
        {
            "id": name,
            "config": "questions",
            "split": name,
            "field_spec": {"input": "question", "target": "answer_index", "choices": "options"},
            "solvers": [{"name": "multiple_choice"}],
            "scorers": [{"name": "choice"}],
        }
        for name, questions in facts.splits.items()
        if questions and all(question.answer_index is not None for question in questions)
    ]
    if not tasks:
        return None
    shown = " and ".join(
        [f"{count:,} {kind}" for count, kind in ((facts.videos, "videos"), (facts.images, "query images")) if count]
    )
    description = (
        f"{len(facts.questions):,} questions about {shown or 'nothing but texts'}. The tasks below show a model the "
        "texts alone, which is a baseline: a score needs what they are about, as ivbench-data shows it."
    )
    settings = CardData(
        name=flatten(facts.title), description=description, evaluation_framework="inspect-ai", tasks=tasks
    )
    return settings.to_yaml(line_break="\n") + "\n"


def _describe_settings(facts: CardFacts) -> dict[str, Any]:
    count = len(facts.questions)
    tasks = ["visual-question-answering", "video-text-to-text"]
    if any(question.question_type == "mcq" for question in facts.questions):
        tasks.append("multiple-choice")
    return {
        **_name_license(facts.stated_license),
        "pretty_name": flatten(facts.title),
        "task_categories": tasks,
        "size_categories": [next((name for bound, name in _SIZES if count < bound), "10M<n<100M")],
        "tags": ["video", "image", "benchmark", "ivbench-data"],
        "configs": [
            {
                "config_name": "questions",
                "default": True,
                "data_files": [{"split": name, "path": f"data/{name}-*-of-*.parquet"} for name in facts.splits],
            },
            {
                "config_name": "videos",
                "data_files": [{"split": "videos", "path": "videos/videos-*-of-*.parquet"}],
            },
        ],
    }


def _name_license(stated: str | None) -> dict[str, str]:
    """The licence in the Hub's words: one that it knows, or `other` with a name; `unknown` where nobody states one."""
    if stated is None:
        return {"license": "unknown"}
    if stated.lower() in HUB_LICENSES:
        return {"license": stated.lower()}
    name = re.sub(r"[^a-z0-9.]+", "-", stated.lower()).strip("-.")[:60]
    return {"license": "other", "license_name": name or "other"}
