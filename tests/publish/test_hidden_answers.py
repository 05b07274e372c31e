"""Hidden answers: what becomes public of a question, in which order, and where the answers and the secret go."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import stat
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from evaluation_dataset import make_dataset
from hypothesis import given
from hypothesis import strategies as st

from ivbench_data.dataset import Dataset, load
from ivbench_data.errors import DatasetError, StorageError, UsageError
from ivbench_data.publish.hidden.hidden_answers import (
    digest_rows,
    hide_answers,
    order_by_secret,
    read_answers,
    write_answers,
)
from ivbench_data.publish.hidden.secret import keep_secret, make_private_folder
from ivbench_data.schema import BadLine, Question
from ivbench_data.sources.ivbench import read
from ivbench_data.workspace import Workspace

SECRET = b"sixteen and more bytes of a secret"
PLANTED = "PLANTED-ANSWER-BEARING-TEXT"


def make_telling_dataset() -> Dataset:
    """A dataset in which every field that may be left out tells the answer."""
    dataset = make_dataset()
    spoken = {"title": PLANTED}
    questions = [
        Question.model_validate(
            {
                **question.model_dump(),
                "evidence": [{"kind": "whole", "text": PLANTED, "boxes": [{"x0": 0, "y0": 0, "x1": 1, "y1": 1,
                                                                          "label": PLANTED}]}],
                "metadata": {"why": PLANTED},
                "raw": {"answer": PLANTED},
                "group_id": PLANTED,
                "category": PLANTED,
                "granularity": PLANTED,
            }
        )
        for question in dataset.questions
    ]  # fmt: skip
    return replace(
        dataset,
        questions=tuple(questions),
        videos=tuple(
            video.model_copy(update={"category": PLANTED, "source_metadata": spoken}) for video in dataset.videos
        ),
        images=tuple(
            image.model_copy(update={"url": f"https://x/{PLANTED}.png", "source_metadata": spoken})
            for image in dataset.images
        ),
        bad_lines=(BadLine(file="x.jsonl", line=3, reason=f"{PLANTED} is not an option"),),
        provenance={"sha256": PLANTED},
    )


def ids_of(dataset: Dataset) -> list[str]:
    return [question.question_id for question in dataset.questions]


# --- what becomes public ----------------------------------------------------------------------------------------


def test_nothing_that_could_tell_the_answer_becomes_public(tmp_path: Path) -> None:
    dataset = make_telling_dataset()
    hidden = hide_answers(dataset, ids_of(dataset), SECRET)
    assert all(question.answers_hidden for question in hidden.dataset.questions)
    workspace = hidden.dataset.save(tmp_path)
    for path in workspace.folder.rglob("*"):
        assert PLANTED not in path.read_text()
        assert "evidence" not in path.read_text()
    assert load(workspace.folder).questions == hidden.dataset.questions


def test_a_public_question_holds_what_is_needed_to_ask_it_and_to_count_it() -> None:
    dataset = make_dataset()
    hidden = hide_answers(dataset, ids_of(dataset), SECRET)
    original = {question.question_id: question for question in dataset.questions}
    assert set(ids_of(hidden.dataset)) == set(original)
    for question in hidden.dataset.questions:
        known = original[question.question_id]
        for name in ("video_id", "image_ids", "question", "question_type", "task", "granularity", "source"):
            assert getattr(question, name) == getattr(known, name)
        assert sorted(question.options) == sorted(known.options)
    assert {video.video_id for video in hidden.dataset.videos} == {"alpha", "beta", "-gamma"}
    assert len(hidden.dataset.images) == len(dataset.images)


def test_only_the_videos_and_images_of_the_chosen_questions_become_public() -> None:
    dataset = make_dataset()
    hidden = hide_answers(dataset, [q.question_id for q in dataset.questions if q.video_id == "beta"], SECRET)
    assert [video.video_id for video in hidden.dataset.videos] == ["beta"]
    assert {image.image_id for image in hidden.dataset.images} == {"beta_3.png", "beta_4.png", "beta_7.png"}


def test_the_answers_keep_everything() -> None:
    dataset = make_telling_dataset()
    hidden = hide_answers(dataset, ids_of(dataset), SECRET)
    original = {question.question_id: question for question in dataset.questions}
    for question, public in zip(hidden.answers, hidden.dataset.questions, strict=True):
        assert (question.question_id, question.options) == (public.question_id, public.options)
        known = original[question.question_id]
        restored = {"options": known.options, "answer_index": known.answer_index}
        assert question.model_copy(update=restored) == known
        assert question.answer_index is not None
        assert question.options[question.answer_index] == known.answer


# --- the order --------------------------------------------------------------------------------------------------

TEXTS = st.lists(st.text(max_size=5), min_size=2, max_size=8)


@given(st.data())
def test_the_order_rests_on_texts_and_secret_alone(data: st.DataObject) -> None:
    """Whichever option is the answer, wherever it stood: what is published is the same."""
    texts = data.draw(TEXTS)
    published = set()
    for at in range(len(texts)):
        shuffled = data.draw(st.permutations(texts))
        index = shuffled.index(texts[at])
        question = Question(
            question_id="q", question="?", options=tuple(shuffled), answer_index=index, answer=texts[at],
            task="t", source="s",
        )  # fmt: skip
        hidden = hide_answers(Dataset("d", questions=(question,)), ["q"], SECRET)
        published.add(hidden.dataset.questions[0].model_dump_json())
        assert hidden.answers[0].answer == texts[at]
        assert len(hidden.answers[0].correct_indices) == texts.count(texts[at])
    assert len(published) == 1


def test_the_order_is_that_of_hmac_sha256() -> None:
    options = ["b", "a", "ü", "b"]
    digests = {text: hmac.new(SECRET, f"v_1\0{text}".encode(), hashlib.sha256).hexdigest() for text in options}
    assert list(order_by_secret("v_1", options, SECRET)) == sorted(options, key=digests.__getitem__)


def test_another_secret_gives_another_order_and_the_same_one_the_same_in_the_next_version() -> None:
    dataset = make_dataset()
    first = hide_answers(dataset, ids_of(dataset), SECRET)
    grown = replace(dataset, questions=(dataset.questions[0].model_copy(update={"question_id": "n"}),
                                        *reversed(dataset.questions)))  # fmt: skip
    later = hide_answers(grown, reversed(ids_of(grown)), SECRET)
    kept = [question for question in later.dataset.questions if question.question_id != "n"]
    assert tuple(kept) == first.dataset.questions
    other = hide_answers(dataset, ids_of(dataset), SECRET[::-1])
    options = {question.question_id: question.options for question in first.dataset.questions}
    assert any(options[question.question_id] != question.options for question in other.dataset.questions)


def test_the_rows_of_a_video_stand_together_in_an_order_of_their_own() -> None:
    """A release that alternates true and false would give itself away by its order."""
    questions = tuple(
        Question(question_id=f"v{n // 40}_{n % 40}", video_id=f"v{n // 40}", question="?", question_type="tf",
                 options=("True", "False"), answer_index=n % 2, answer=("True", "False")[n % 2], task="t", source="s")
        for n in range(400)
    )  # fmt: skip
    hidden = hide_answers(Dataset("d", questions=questions), [q.question_id for q in questions], SECRET)
    videos = [question.video_id for question in hidden.dataset.questions]
    assert len([at for at in range(1, 400) if videos[at] != videos[at - 1]]) == 9
    assert ids_of(hidden.dataset) != [question.question_id for question in questions]
    alternating = sum(question.answer_index == at % 2 for at, question in enumerate(hidden.answers))
    assert 160 < alternating < 240
    repeats = sum(one.answer == two.answer for one, two in zip(hidden.answers, hidden.answers[1:], strict=False))
    assert 160 < repeats < 240


# --- what cannot be meant ---------------------------------------------------------------------------------------


def test_what_cannot_be_hidden_is_refused() -> None:
    dataset = make_dataset()
    with pytest.raises(UsageError, match="no question 'nobody'"):
        hide_answers(dataset, ["nobody"], SECRET)
    with pytest.raises(UsageError, match="no questions"):
        hide_answers(dataset, [], SECRET)
    hidden = hide_answers(dataset, ids_of(dataset), SECRET)
    with pytest.raises(UsageError, match="hidden already"):
        hide_answers(hidden.dataset, ids_of(dataset), SECRET)


@pytest.mark.parametrize("secret", [b"", b"short", b"\0" * 64, b"ab" * 40])
def test_a_weak_secret_is_refused_and_not_repeated(secret: bytes) -> None:
    dataset = make_dataset()
    with pytest.raises(UsageError, match="openssl rand") as caught:
        hide_answers(dataset, ids_of(dataset), secret)
    assert not secret or secret.decode() not in str(caught.value)


def test_hiding_what_is_released_with_its_answers_is_said_to_be_in_vain() -> None:
    dataset = make_dataset()
    assert hide_answers(dataset, ids_of(dataset), SECRET).warnings == ()
    released = tuple(question.model_copy(update={"source": "ivbench"}) for question in dataset.questions)
    (warning,) = hide_answers(replace(dataset, questions=released), ids_of(dataset), SECRET).warnings
    assert "IV-Bench is released with its answers" in warning


# --- the answers file -------------------------------------------------------------------------------------------


def test_the_answers_file_gives_back_the_answers(tmp_path: Path) -> None:
    dataset = make_telling_dataset()
    hidden = hide_answers(dataset, ids_of(dataset), SECRET)
    path = tmp_path / "private" / "test.jsonl"
    digest = write_answers(path, hidden, "1.0.0", "test")
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    read_back = read_answers(path)
    assert read_back.questions == hidden.answers
    assert (read_back.header.dataset, read_back.header.version, read_back.header.split) == ("tiny", "1.0.0", "test")
    assert read_back.header.rows_sha256 == digest_rows(reversed(hidden.dataset.questions))


@pytest.mark.skipif(os.name != "posix", reason="files have no modes here")
def test_the_answers_file_is_its_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first byte on, and also where a file that others may read is replaced."""
    dataset = make_dataset()
    hidden = hide_answers(dataset, ids_of(dataset), SECRET)
    path = tmp_path / "test.jsonl"
    path.write_text("readable by all")
    path.chmod(0o644)
    modes = []
    replace_file = Path.replace

    def watch(self: Path, target: Path) -> Path:
        modes.append(stat.S_IMODE(self.stat().st_mode))
        return replace_file(self, target)

    monkeypatch.setattr(Path, "replace", watch)
    previous = os.umask(0)
    try:
        write_answers(path, hidden, "1", "test")
    finally:
        os.umask(previous)
    assert modes == [0o600]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_same_questions_give_the_same_file_and_its_digest_cannot_be_guessed_from_answers(tmp_path: Path) -> None:
    dataset = make_dataset()
    digests = [
        write_answers(tmp_path / f"{n}.jsonl", hide_answers(dataset, ids_of(dataset), secret), "1", "test")
        for n, secret in enumerate((SECRET, SECRET, SECRET[::-1]))
    ]
    assert digests[0] == digests[1] != digests[2]
    assert read_answers(tmp_path / "0.jsonl").header.nonce != read_answers(tmp_path / "2.jsonl").header.nonce


def test_a_file_that_is_no_answers_file_is_named(tmp_path: Path) -> None:
    dataset = make_dataset()
    hidden = hide_answers(dataset, ids_of(dataset), SECRET)
    path = tmp_path / "test.jsonl"
    write_answers(path, hidden, "1", "test")
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    public = hidden.dataset.questions[0].model_dump_json(exclude_defaults=True).encode() + b"\n"
    broken = {
        b"": "empty",
        b"not JSON\n": "not an answers file",
        public: "answers file",
        b"".join(lines[:-1]): "promises 8",
        b"".join([*lines, lines[-1]]): "given twice",
        b"".join([*lines[:-1], public]): "has no answer",
        whole[:-20]: "not",
    }
    for content, told in broken.items():
        path.write_bytes(content)
        with pytest.raises(DatasetError, match=told):
            read_answers(path)
    with pytest.raises(UsageError, match="cannot read"):
        read_answers(tmp_path / "absent.jsonl")


# --- the secret -------------------------------------------------------------------------------------------------


def test_a_secret_is_made_once_and_kept_for_the_next_version(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "tiny")
    made = keep_secret(workspace)
    assert made.is_new
    assert len(made.value) == 64
    assert made.path == tmp_path / "tiny" / "private" / "secret"
    again = keep_secret(workspace)
    assert (again.value, again.is_new, again.warnings) == (made.value, False, ())
    assert keep_secret(Workspace(tmp_path, "other")).value != made.value
    if os.name == "posix":
        assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(made.path.parent.stat().st_mode) == 0o700


def test_of_two_runs_at_once_both_use_the_secret_that_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else one would publish an order of options that the kept answers do not fit."""
    workspace = Workspace(tmp_path, "mine")
    both_saw_none = threading.Barrier(2, timeout=20)

    def make_folder(workspace: Workspace) -> Path:
        both_saw_none.wait()
        return make_private_folder(workspace)

    monkeypatch.setattr("ivbench_data.publish.hidden.secret.make_private_folder", make_folder)
    with ThreadPoolExecutor(2) as pool:
        used = [future.result() for future in [pool.submit(keep_secret, workspace) for _ in range(2)]]
    kept = (workspace.private / "secret").read_bytes().strip()
    assert [secret.value for secret in used] == [kept, kept]
    assert sorted(secret.is_new for secret in used) == [False, True]
    assert sorted(path.name for path in workspace.private.iterdir()) == [".gitignore", "secret"]


def test_a_secret_of_ones_own_is_kept_and_a_changed_one_is_told_without_telling_it(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "tiny")
    file = tmp_path / "mine"
    file.write_bytes(b"  my own secret, which is long\n")
    first = keep_secret(workspace, file)
    assert (first.value, first.warnings) == (b"my own secret, which is long", ())
    assert keep_secret(workspace).value == first.value
    file.write_bytes(b"another secret, which is long\n")
    second = keep_secret(workspace, file)
    (warning,) = second.warnings
    assert "another than before" in warning
    assert keep_secret(workspace).value == second.value
    assert (workspace.private / "secret-1").read_bytes().strip() == first.value
    for told in (repr(first), repr(second), warning):
        assert "own secret" not in told
        assert "another secret" not in told


def test_a_secret_that_is_none_is_refused(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "tiny")
    file = tmp_path / "mine"
    for content in (b"short\n", b" " * 100, b"x" * 5000):
        file.write_bytes(content)
        with pytest.raises(UsageError):
            keep_secret(workspace, file)
    with pytest.raises(UsageError, match="cannot read"):
        keep_secret(workspace, tmp_path / "absent")
    assert not workspace.private.exists()


def test_git_never_sees_the_private_folder(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    keep_secret(Workspace(tmp_path, "tiny"))
    told = subprocess.run(
        ["git", "-C", tmp_path, "status", "--porcelain", "-uall"], check=True, capture_output=True, text=True
    )
    assert told.stdout == ""


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "tiny").write_text("in the way")
    with pytest.raises(StorageError, match="private"):
        keep_secret(Workspace(tmp_path, "tiny"))


# --- the real release -------------------------------------------------------------------------------------------


def test_all_of_the_real_release_can_be_hidden(release_file: Path, tmp_path: Path) -> None:
    dataset = read(release_file)
    hidden = hide_answers(dataset, ids_of(dataset), SECRET)
    assert len(hidden.dataset.questions) == len(dataset.questions) == 1686
    write_answers(tmp_path / "answers.jsonl", hidden, "1", "test")
    answers = {question.question_id: question for question in read_answers(tmp_path / "answers.jsonl").questions}
    original = {question.question_id: question for question in dataset.questions}
    for question in hidden.dataset.questions:
        known = original[question.question_id]
        assert sorted(question.options) == sorted(known.options)
        accepted = answers[question.question_id].correct_indices
        assert len(accepted) == len(known.correct_indices)
        assert all(question.options[index] == known.answer for index in accepted)
        assert json.loads(question.model_dump_json(exclude_defaults=True)).keys().isdisjoint({"evidence", "metadata"})
