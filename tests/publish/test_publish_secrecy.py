"""Hidden answers against whoever holds the published folder: what changes in it when only answers change."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from published import CANARY, make_dataset, write_images

from ivbench_data.atomic_files import digest_file
from ivbench_data.dataset import Dataset
from ivbench_data.publish import edition
from ivbench_data.publish.build import PublishOptions
from ivbench_data.publish.edition import read_earlier
from ivbench_data.publish.published_damage import verify_published
from ivbench_data.publish.publishing import Publication, publish_dataset
from ivbench_data.publish.splits.split_plan import parse_splits, plan_splits
from ivbench_data.publish.tables.parquet_files import iterate_rows
from ivbench_data.schema import BadLine, Evidence, QueryImage, Question
from ivbench_data.workspace import Workspace

pytest.importorskip("datasets", reason="datasets is not installed")

SECRET = "sixteen and more bytes of a secret"


def make_paired_dataset() -> Dataset:
    """The small dataset, and twelve pairs of which one is true and one false, each question about its own picture."""
    dataset = make_dataset()
    images = tuple(QueryImage(image_id=f"{pair}{side}.png") for pair in range(12) for side in "ab")
    paired = tuple(
        Question(
            question_id=f"pair_{number}", image_ids=(image.image_id,), question="Is it?", question_type="tf",
            options=("True", "False"), answer=("True", "False")[number % 2], answer_index=number % 2, task="Matching",
            group_id=f"pair {number // 2}", source="mine",
        )
        for number, image in enumerate(images)
    )  # fmt: skip
    return replace(
        dataset, questions=(*dataset.questions, *paired), images=(*dataset.images, *images),
        bad_lines=(BadLine(file="raw/release.jsonl", line=3, reason="'left' is no option"),),
        provenance={**dataset.provenance, "sha256": "1" * 64},
    )  # fmt: skip


def change_answers(dataset: Dataset, hidden: set[str], regrouped: bool) -> Dataset:
    """The same questions in public, and of the hidden ones all else is another: answer, evidence, raw, and groups."""

    def change(number: int, question: Question) -> Question:
        index = next((at for at, option in enumerate(question.options) if option != question.answer), None)
        answer = f"not {question.answer}" if index is None else question.options[index]
        return question.model_copy(
            update={
                "answer": answer, "answer_index": index, "evidence": (Evidence(kind="whole", text=answer),),
                "metadata": {"answer": answer}, "raw": {"answer": answer},
                "granularity": question.granularity or answer,
                "group_id": f"pair {number // 2}" if question.group_id and regrouped else question.group_id,
            }
        )  # fmt: skip

    chosen = [question for question in dataset.questions if question.question_id in hidden]
    # pairs are other pairs: every group is read from the other end, and begins one later
    changed = {at.question_id: change(number + 1, at) for number, at in enumerate(reversed(chosen))}
    return replace(
        dataset,
        questions=tuple(changed.get(at.question_id, at) for at in dataset.questions),
        images=tuple(
            image.model_copy(update={"url": "https://example.org/left.png", "source_metadata": {"answer": "left"}})
            for image in dataset.images
        ),
        videos=tuple(video.model_copy(update={"source_metadata": {"answer": "left"}}) for video in dataset.videos),
        bad_lines=(BadLine(file="raw/release.jsonl", line=3, reason="'right' is no option"),),
        provenance={**dataset.provenance, "sha256": "2" * 64, "size_bytes": 17, "md5": "3" * 32},
    )


@pytest.fixture
def publish_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Publication]:
    """Publishes a dataset with `test` hidden, always with the same canary and the same secret."""
    monkeypatch.setattr(edition, "uuid4", lambda: CANARY)
    (tmp_path / "secret").write_text(SECRET)

    def publish(dataset: Dataset, folder: Path, split: str, **more: Any) -> Publication:
        root = folder.with_name(f"root of {folder.name}")
        dataset.save(root)
        workspace = Workspace(root, dataset.name)
        pictures = list(write_images(workspace).values())
        for number, image in enumerate(dataset.images[3:]):
            # bytes after a picture's end are no part of what it shows, and make it another file
            workspace.image_path(image.image_id).write_bytes(pictures[number % 3] + b"%d" % number)
        plan = plan_splits(dataset, parse_splits(split))
        options = PublishOptions(hidden=("test",), secret_file=tmp_path / "secret")
        return publish_dataset(dataset, root, folder, plan, options, **more)

    return publish


@pytest.mark.parametrize(("split", "regrouped"), [("test=1.0", True), ("test=0.5,dev=rest", False)])
def test_when_only_answers_change_not_a_byte_of_what_is_published_does(
    publish_hidden: Callable[..., Publication], tmp_path: Path, split: str, regrouped: bool
) -> None:
    """But for the digest of the private answers file, which holds a nonce. Groups do say which splits are possible."""
    dataset = make_paired_dataset()
    one = publish_hidden(dataset, tmp_path / "one", split)
    changed = change_answers(dataset, set(one.version.splits["test"].questions), regrouped)
    two = publish_hidden(changed, tmp_path / "two", split)
    assert one.version.splits["test"].answers_sha256 != two.version.splits["test"].answers_sha256
    for published in (one, two):
        path = tmp_path / ("one" if published is one else "two") / "publish.json"
        record = json.loads(path.read_text())
        del record["splits"]["test"]["answers_sha256"]
        path.write_text(json.dumps(record))
    assert read_all(tmp_path / "one") == read_all(tmp_path / "two")


def test_pictures_of_a_hidden_split_are_published_without_anything_beside_their_pixels(
    publish_hidden: Callable[..., Publication], tmp_path: Path
) -> None:
    publish_hidden(make_paired_dataset(), tmp_path / "out", "test=0.5,dev=rest")
    shown: dict[str, list[bytes]] = {"test": [], "dev": []}
    for split, pictures in shown.items():
        for path in (tmp_path / "out/data").glob(f"{split}-*.parquet"):
            pictures += [picture["bytes"] for row in iterate_rows(path) for picture in row["images"]]
    assert all(content.endswith(b"IEND\xaeB`\x82") for content in shown["test"])
    assert not all(content.endswith(b"IEND\xaeB`\x82") for content in shown["dev"])
    assert not list(verify_published(tmp_path / "out"))


def test_answers_of_another_publication_of_the_same_number_are_kept(
    publish_hidden: Callable[..., Publication], tmp_path: Path
) -> None:
    """Two folders, each with a first version: what is sent for either can be scored."""
    dataset = make_dataset()
    one = publish_hidden(dataset, tmp_path / "one", "test=1.0")
    root = tmp_path / "root of one"
    changed = change_answers(dataset, set(one.version.splits["test"].questions), regrouped=False)
    changed.save(root)
    plan = plan_splits(changed, parse_splits("test=1.0"))
    workspace, hidden = Workspace(root, dataset.name), PublishOptions(hidden=("test",))
    for _ in range(2):
        two = publish_dataset(changed, root, tmp_path / "two", plan, hidden)
        assert (one.version.version, two.version.version) == ("1.0.0", "1.0.0")
        kept = {digest_file(path): path for path in workspace.private.glob("answers-*.jsonl")}
        assert kept.keys() == {published.version.splits["test"].answers_sha256 for published in (one, two)}
        assert {path.stat().st_mode & 0o077 for path in kept.values()} == {0}
    again = publish_dataset(changed, root, tmp_path / "one", plan, hidden, earlier=read_earlier(tmp_path / "one"))
    assert set(again.changes.rescored) == set(one.version.splits["test"].questions)


def read_all(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
