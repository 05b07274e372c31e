"""The dataset card and `eval.yaml`: valid for the Hub, true of the data, and no place where outside text can act."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from published import CANARY, make_dataset, publish, write_images

from ivbench_data.dataset import Dataset
from ivbench_data.manifests import load_manifest
from ivbench_data.publish.card.card_facts import CardFacts
from ivbench_data.publish.card.dataset_card import write_card
from ivbench_data.publish.card.hub_settings import HUB_LICENSES, write_eval_yaml, write_settings
from ivbench_data.publish.edition import Edition
from ivbench_data.publish.publication_record import (
    PublishedSplit,
    PublishedVersion,
    SplitRecipe,
    digest_public_question,
)
from ivbench_data.schema import Question
from ivbench_data.text.markdown import draw_table, escape_markdown
from ivbench_data.validate.checks import CheckContext, count_findings, select_checks, validate_questions
from ivbench_data.withdrawals import Withdrawal
from ivbench_data.workspace import Workspace

markdown_it = pytest.importorskip("markdown_it", reason="markdown-it-py, which rich brings, is not installed")

HOSTILE = (
    "<script>alert(1)</script>", "![x](http://evil.example/x.png)", "[x](javascript:alert)", "| a | b |", "`code`",
    "***bold***", "# head", "- item", "1. item", "---", "~~~", "a\n\n# b", "www.evil.example", "https://evil.example",
    "a@evil.example", "&lt;b&gt;", "\x1b[31mred", "\u202ereversed", "$x$", ":smile:", "\\", "x`y``z", "<!--", "[^1]",
)  # fmt: skip


def make_facts(dataset: Dataset | None = None, **changes: Any) -> CardFacts:
    dataset = dataset or make_dataset()
    splits = {"test": list(dataset.questions[:4]), "dev": list(dataset.questions[4:])}
    version = PublishedVersion(
        dataset=dataset.name,
        version="1.0.0",
        canary=CANARY,
        created_from=dataset.provenance,
        splits={
            name: PublishedSplit(questions=tuple(question.question_id for question in questions))
            for name, questions in splits.items()
        },
        question_digests={question.question_id: digest_public_question(question) for question in dataset.questions},
    )
    return replace(CardFacts(version=version, splits=splits, videos=3, images=3), **changes)


def hide(question: Question) -> Question:
    changes = {
        "answer": None,
        "answer_index": None,
        "answers_hidden": True,
        "raw": None,
        "evidence": (),
        "metadata": {},
    }
    return question.model_copy(update=changes)


def render(markdown: str) -> str:
    """HTML as GitHub's Markdown has it, but for bare addresses; raw HTML goes through, to be seen."""
    html: str = markdown_it.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown)
    return html


def read_card(card: str) -> tuple[dict[str, Any], str]:
    match = re.fullmatch(r"---\n(.*?)\n---\n\n(.*)", card, re.DOTALL)
    assert match is not None
    return yaml.safe_load(match[1]), match[2]


# --- the Hub's settings -----------------------------------------------------------------------------------------------


def test_the_settings_are_what_the_hub_s_own_classes_read() -> None:
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard

    card = DatasetCard(write_card(make_facts(license="CC-BY-4.0")))
    assert card.data.license == "cc-by-4.0"
    assert card.data.pretty_name == "mine"
    assert card.data.size_categories == ["n<1K"]
    assert set(card.data.task_categories) == {"visual-question-answering", "video-text-to-text", "multiple-choice"}
    configs = MetadataConfigs.from_dataset_card_data(card.data)
    assert configs.get_default_config_name() == "questions"
    assert configs["questions"]["data_files"] == [
        {"split": "test", "path": "data/test-*-of-*.parquet"},
        {"split": "dev", "path": "data/dev-*-of-*.parquet"},
    ]
    assert configs["videos"]["data_files"] == [{"split": "videos", "path": "videos/videos-*-of-*.parquet"}]


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        (None, {"license": "unknown"}),
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("Our Own Terms, v1", {"license": "other", "license_name": "our-own-terms-v1"}),
        ("日本", {"license": "other", "license_name": "other"}),
        ("a\nb: c", {"license": "other", "license_name": "a-b-c"}),
    ],
)
def test_a_licence_is_told_in_the_hub_s_words(stated: str | None, told: dict[str, str]) -> None:
    settings = yaml.safe_load(write_settings(make_facts(license=stated)))
    assert {name: settings[name] for name in settings if name.startswith("license")} == told
    assert "unknown" in HUB_LICENSES


@pytest.mark.parametrize(
    ("count", "told"), [(999, "n<1K"), (1_000, "1K<n<10K"), (99_999, "10K<n<100K"), (2_000_000, "1M<n<10M")]
)
def test_sizes_are_told_in_the_hub_s_words(count: int, told: str) -> None:
    facts = replace(make_facts(), splits={"test": list(make_dataset().questions[:1]) * count})
    assert yaml.safe_load(write_settings(facts))["size_categories"] == [told]


def test_eval_yaml_names_the_splits_that_can_be_scored() -> None:
    facts = make_facts()
    choices = [question for question in make_dataset().questions if question.options]
    splits = {"test": choices[:2], "open": list(make_dataset().questions[4:5]), "held": [hide(choices[2])], "none": []}
    told = yaml.safe_load(write_eval_yaml(replace(facts, splits=splits)) or "")
    assert told.keys() == {"name", "description", "evaluation_framework", "tasks"}
    (task,) = told["tasks"]
    assert task == {
        "id": "test", "config": "questions", "split": "test",
        "field_spec": {"input": "question", "target": "answer_index", "choices": "options"},
        "solvers": [{"name": "multiple_choice"}], "scorers": [{"name": "choice"}],
    }  # fmt: skip
    assert write_eval_yaml(replace(facts, splits={"held": splits["held"]})) is None


# --- what the page says -----------------------------------------------------------------------------------------------


def cells(body: str, heading: str) -> list[list[str]]:
    section = body.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not line.startswith("|---")]


def test_counts_per_task_and_split_are_those_of_the_rows() -> None:
    _, body = read_card(write_card(make_facts()))
    header, *rows = cells(body.replace("\\|", "¦"), "Questions of each task")
    assert header == ["task", "test", "dev", "all"]
    assert {row[0]: row[1:] for row in rows} == {
        "Counting": ["2", "1", "3"], "Existence": ["1", "", "1"], "Existence ¦ \\*all\\*": ["1", "", "1"],
        "Summary": ["", "1", "1"], "all": ["4", "2", "6"],
    }  # fmt: skip
    assert "No video is in two splits: 2 in `test`, 1 in `dev`." in body
    shared = {"test": list(make_dataset().questions[:1]), "dev": list(make_dataset().questions[1:])}
    assert "No video is in two splits" not in write_card(replace(make_facts(), splits=shared))


def test_tasks_stand_in_the_manifest_s_order() -> None:
    questions = tuple(
        question.model_copy(update={"task": task})
        for question, task in zip(make_dataset().questions, ["Summary", "Counting", "NLI", "Other"], strict=False)
    )
    facts = replace(make_facts(), splits={"test": questions}, manifest=load_manifest("ivbench"))
    _, body = read_card(write_card(facts))
    assert [row[0] for row in cells(body, "Questions of each task")] == [
        "task", "NLI", "Counting", "Summary", "Other", "all",
    ]  # fmt: skip


def test_the_validation_summary_is_what_validate_finds(tmp_path: Path) -> None:
    write_images(Workspace(tmp_path, "mine"))
    dataset = make_dataset()
    publish(dataset, tmp_path, tmp_path / "out")
    _, body = read_card((tmp_path / "out" / "README.md").read_text())
    names = select_checks(skipped=["image_from_own_video"])
    counted = count_findings(validate_questions(dataset, CheckContext(Workspace(tmp_path, "mine"))), names)
    found = {name: row for name, row in counted.items() if any(row.values())}
    assert found
    header, *rows = cells(body, "What validation finds")
    assert header == ["check", "error", "warning", "info", "questions"]
    assert {row[0]: [int(cell or 0) for cell in row[1:]] for row in rows} == {
        name: [row[column] for column in header[1:]] for name, row in found.items()
    }
    assert "Not run: `image_from_own_video`." in body


def test_with_hidden_answers_the_summary_is_what_anyone_could_find(tmp_path: Path) -> None:
    write_images(Workspace(tmp_path, "mine"))
    twin = make_dataset()
    assert "answer_among_distractors" in {finding.check for finding in validate_questions(twin)}
    hidden = replace(twin, questions=tuple(hide(question) for question in twin.questions))
    splits = {"test": [question.question_id for question in twin.questions]}
    publish(hidden, tmp_path, tmp_path / "out", Edition(splits, answers_sha256={"test": "0" * 64}))
    _, body = read_card((tmp_path / "out" / "README.md").read_text())
    told = {row[0] for row in cells(body, "What validation finds")[1:]}
    assert told == {finding.check for finding in validate_questions(hidden, CheckContext(Workspace(tmp_path, "mine")))}
    assert "answer_among_distractors" not in told
    assert "The answers of `test` are hidden." in body
    assert not (tmp_path / "out" / "eval.yaml").exists()


def test_provenance_repairs_and_withdrawals_are_told() -> None:
    facts = make_facts()
    told = {
        "source": "ivbench", "file": "test_data.jsonl", "sha256": "0" * 64, "rebuilds_byte_for_byte": True,
        "versions": [{"version": 1, "changes": 12}],
    }  # fmt: skip
    gone = Withdrawal(video_id="gone", why="asked <b>us</b>", when="2026-11-21T00:00:00Z", question_ids=("gone_0",))  # type: ignore[arg-type]
    version = facts.version.model_copy(
        update={"created_from": told, "split_recipe": SplitRecipe(salt="s", requests=("test",), left_out=7)}
    )
    body = write_card(replace(facts, version=version, bad_lines=2))
    assert "test_data.jsonl" in body
    assert "0" * 64 in body
    assert "patch 1 (12 changes)" in body
    assert "could not be used: 2" in body
    assert "this publication holds less" in body
    assert "7 more questions of the benchmark are in no split" in body
    whole = write_card(replace(facts, version=version.model_copy(update={"split_recipe": None})))
    assert "can be rebuilt byte for byte from the imported questions, by the column `raw`" in whole
    withdrawn = write_card(replace(facts, version=version.model_copy(update={"withdrawn": (gone,)})))
    assert "| gone | 1 | asked &lt;b&gt;us&lt;\\/b&gt; |" in withdrawn


def test_nothing_is_claimed_of_a_licence_that_nobody_states() -> None:
    manifest = load_manifest("ivbench")
    assert manifest.license is None
    nobody = write_card(make_facts(manifest=manifest))
    assert "**None is known.**" in nobody
    assert "license: unknown" in nobody
    stated = write_card(make_facts(manifest=manifest, license="cc-by-4.0"))
    assert "cc-by-4.0, as whoever published this folder states it" in stated
    assert "The benchmark's authors state none that is recorded." in stated
    authors = write_card(make_facts(manifest=load_manifest("demo")))
    assert "Apache-2.0, as the benchmark's authors state it" in authors


def test_the_canary_and_the_paper_are_told() -> None:
    card = write_card(make_facts(manifest=load_manifest("ivbench")))
    assert f"mine canary GUID {CANARY}" in card
    assert "[arXiv:2504.15415](https://arxiv.org/abs/2504.15415)" in card
    assert "No paper is recorded" in write_card(make_facts())


def test_the_python_in_the_card_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    import ivbench_data as iv

    write_images(Workspace(tmp_path, "mine"))
    splits = {"test": ["one_0", "two_1"]}
    publish(make_dataset(), tmp_path, tmp_path / "out", Edition(splits), repo_id="lab/mine")
    card = (tmp_path / "out" / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert 'load_dataset("lab/mine", split="test")' in blocks[0]
    load, folder = datasets.load_dataset, str(tmp_path / "out")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(
        datasets, "load_dataset", lambda place, *a, **k: load(folder, *a, cache_dir=tmp_path / "c", **k)
    )
    names: dict[str, Any] = {"reply": "B"}
    exec(blocks[0] + blocks[1], names)
    assert [record.question_id for record in names["records"]] == splits["test"]
    assert len(names["videos"]) == 2
    exec(blocks[2], {"iv": iv, "record": names["records"][0], "reply": "A"})


# --- nothing acts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_only_read(text: str) -> None:
    html = render(f"before {escape_markdown(text)} after")
    tags = set(re.findall(r"<(/?\w+)", html))
    assert tags <= {"p", "/p"}, html
    shown = re.sub(r"<[^>]+>", "", html)
    plain = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    visible = " ".join(text.replace("\x1b", r"\x1b").replace("\u202e", r"\u202e").split())
    assert plain.strip() == f"before {visible} after"
    assert not re.search(r"(https?:/|www\.|\w@\w)", escape_markdown(text))  # what GitHub links without being asked


@given(st.text(max_size=30))
def test_any_text_in_a_cell_leaves_the_table_whole(text: str) -> None:
    table = "\n".join(draw_table(("name", "count"), [(text, 3), ("last", 0)]))
    html = render(table)
    assert html.count("<tr>") == 3
    assert html.count("<td") == 4
    assert set(re.findall(r"<(\w+)", html)) <= {"table", "thead", "tbody", "tr", "th", "td"}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_leave_card_and_settings_whole(text: str) -> None:
    manifest = load_manifest("ivbench").model_copy(update={"title": text, "paper": text, "license": text})
    questions = tuple(question.model_copy(update={"task": text}) for question in make_dataset().questions)
    provenance = {"source": text, "file": text, "versions": [{"version": text, "changes": text}]}
    dataset = replace(make_dataset(), questions=questions, provenance=provenance)
    quiet = write_card(make_facts(manifest=load_manifest("ivbench").model_copy(update={"title": "x", "paper": "x"})))
    settings, body = read_card(write_card(make_facts(dataset, manifest=manifest)))
    assert settings["pretty_name"] == " ".join(text.split())
    assert settings["configs"] == read_card(quiet)[0]["configs"]
    headings = re.findall(r"<h(\d)>", render(body))
    assert headings == re.findall(r"<h(\d)>", render(read_card(quiet)[1]))
    assert not re.search(r"<(script|img|b)\b", render(body))
    assert yaml.safe_load(write_eval_yaml(make_facts(dataset, manifest=manifest, splits={"test": questions[:2]})) or "")
