"""The self-check: every attack finds the leak that is planted for it, and honest hidden splits pass."""

from __future__ import annotations

import hashlib
import io
import json
import random
import shutil
import zlib
from collections.abc import Callable, Sequence
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from ivbench_data.dataset import Dataset, load
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.publish.build import Edition, PublishOptions, publish_folder
from ivbench_data.publish.hidden.hidden_answers import (
    AnswersFile,
    AnswersHeader,
    digest_rows,
    hide_answers,
    order_by_secret,
    read_answers,
    write_answers,
)
from ivbench_data.publish.publication_record import digest_public_question, digest_scored_fields
from ivbench_data.publish.selfcheck.attacks import ADVICE, ATTACKS, PROOFS
from ivbench_data.publish.selfcheck.selfcheck import SelfCheckReport, check_published
from ivbench_data.publish.selfcheck.text_finder import TextFinder, write_variants
from ivbench_data.publish.tables.parquet_columns import make_row, make_video_row, question_features, video_features
from ivbench_data.questions.option_order import order_options
from ivbench_data.schema import Evidence, Question, Video
from ivbench_data.significance import compute_poisson_binomial_tail
from ivbench_data.sources import import_dataset
from ivbench_data.workspace import Workspace

SECRET = b"sixteen and more bytes of a secret"
CANARY = "00000000-0000-4000-8000-000000000000"
QUESTIONS, A_VIDEO = 120, 4


# --- folders ----------------------------------------------------------------------------------------------------


def make_words(dice: random.Random, count: int = 2) -> str:
    letters = "bcdfghjklmnprstvwz"
    return " ".join("".join(dice.choice(letters) + dice.choice("aeiou") for _ in range(3)) for _ in range(count))


def honest_order(question_id: str, answer: str, distractors: Sequence[str], row: int) -> Sequence[str]:
    return order_by_secret(question_id, [answer, *distractors], SECRET)


Order = Callable[[str, str, Sequence[str], int], Sequence[str]]


def make_questions(order: Order = honest_order, seed: int = 0, options: int | None = None) -> list[Question]:
    """Questions with random words for options, of which one drawn by lot is right, in an order to be tried."""
    dice = random.Random(seed)
    questions = []
    for row in range(QUESTIONS):
        video_id = f"clip{row // A_VIDEO:03}"
        texts = [make_words(dice) for _ in range(options or dice.choice([5, 8, 10]))]
        question_id = f"{video_id}_{row % A_VIDEO}"
        shown = tuple(order(question_id, texts[0], texts[1:], row))
        questions.append(
            Question(
                question_id=question_id,
                video_id=video_id,
                image_ids=(f"{question_id}.png",),
                question=f"What is it that {make_words(dice, 3)}?",
                options=shown,
                answer_index=shown.index(texts[0]),
                answer=texts[0],
                task=dice.choice(["Counting", "Existence"]),
                granularity=dice.choice(["frame", "clip"]),
                evidence=(Evidence(kind="point", start_seconds=row, text=f"seen at {make_words(dice)}"),),
                source="test",
            )
        )
    return questions


def hide(question: Question) -> Question:
    left_out = {"answer": None, "answer_index": None, "answers_hidden": True, "evidence": ()}
    return question.model_copy(update=left_out)


def draw_png(number: int, text: dict[str, str] | None = None, packed: bool = False) -> bytes:
    info = PngImagePlugin.PngInfo()
    for key, value in (text or {}).items():
        info.add_text(key, value, zip=packed)
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (number % 256, number // 256, 0)).save(file, "PNG", pnginfo=info)
    return file.getvalue()


Change = Callable[[Question, dict[str, Any], int], None]


def write_folder(
    folder: Path,
    questions: Sequence[Question],
    change: Change | None = None,
    public: Sequence[Question] = (),
    picture: Callable[[Question, int], bytes] = lambda question, row: draw_png(row),
    settings: dict[str, str] | None = None,
) -> Path:
    """A published folder as the real writer makes it, with rows that may be tampered with."""
    (folder / "data").mkdir(parents=True)
    (folder / "videos").mkdir()
    rows = []
    for number, question in enumerate(questions):
        row = make_row(hide(question), [picture(question, number)], CANARY)
        if change is not None:
            change(question, row, number)
        rows.append(row)
    schema = question_features().arrow_schema
    extra = [name for name in rows[0] if name not in schema.names]
    for name in extra:
        schema = schema.append(pa.field(name, pa.infer_type([row[name] for row in rows])))
    table = pa.Table.from_pylist(rows, schema=schema)
    if settings is not None:
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), **settings})
    pq.write_table(table, folder / "data" / "test-00000-of-00001.parquet")
    if public:
        shown = [make_row(question, [draw_png(10_000 + at)], CANARY) for at, question in enumerate(public)]
        pq.write_table(pa.Table.from_pylist(shown, schema=question_features().arrow_schema),
                       folder / "data" / "dev-00000-of-00001.parquet")  # fmt: skip
    videos = [make_video_row(Video(video_id=name), None, None, CANARY)
              for name in dict.fromkeys(str(question.video_id) for question in questions)]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(videos, schema=video_features().arrow_schema),
                   folder / "videos" / "videos-00000-of-00001.parquet")  # fmt: skip
    digests = {question.question_id: digest_public_question(hide(question)) for question in questions}
    (folder / "publish.json").write_text(json.dumps({"canary": CANARY, "question_digests": digests}, indent=2))
    (folder / "README.md").write_text("# A benchmark\n\nQuestions about videos, with red and blue things in them.\n")
    return folder


def answer(folder: Path, questions: Sequence[Question]) -> AnswersFile:
    hidden = [hide(question) for question in questions]
    header = AnswersHeader(dataset="made", version="1.0.0", split="test", questions=len(questions),
                           rows_sha256=digest_rows(hidden), nonce=hashlib.sha256(SECRET).hexdigest())  # fmt: skip
    path = folder.with_name(f"{folder.name}-answers.jsonl")
    path.write_text("private")
    return AnswersFile(path, header, tuple(questions))


def attack(folder: Path, questions: Sequence[Question], *names: str) -> SelfCheckReport:
    chosen = {name: ATTACKS[name] for name in names} if names else ATTACKS
    return check_published(folder, answer(folder, questions), attacks=chosen)


def succeeded(report: SelfCheckReport) -> set[str]:
    return {result.attack for result in report.attacks if result.succeeded}


# --- honest splits ----------------------------------------------------------------------------------------------


def test_an_honest_folder_passes_every_attack(tmp_path: Path) -> None:
    questions = make_questions()
    told: list[str] = []
    public = [
        question.model_copy(update={"question_id": f"dev_{question.question_id}", "image_ids": ("dev.png",)})
        for question in make_questions(seed=9)[:3]
    ]
    folder = write_folder(tmp_path / "out", questions, public=public)
    report = check_published(folder, answer(folder, questions), on_attack=told.append)
    assert report.passed, report.describe()
    assert "no hidden answer was found" in report.describe()
    assert told == list(ATTACKS) == list(ADVICE)
    assert report.questions == QUESTIONS
    assert report.level == 0.001


ORDER_ATTACKS = ("position", "hash_order", "shuffle")


@pytest.mark.parametrize("count", [4, pytest.param(15, marks=pytest.mark.full)])
def test_no_secret_of_many_is_a_false_alarm(tmp_path: Path, count: int) -> None:
    """A thousandth of all honest folders may be refused: of these few, none."""
    for number in range(count):
        secret = hashlib.sha256(str(number).encode()).digest()
        dataset = Dataset("made", questions=tuple(make_questions(seed=number, options=4)[:40]))
        hidden = hide_answers(dataset, [question.question_id for question in dataset.questions], secret)
        folder = write_folder(tmp_path / f"out{number}", hidden.answers)
        assert succeeded(attack(folder, hidden.answers, *ORDER_ATTACKS)) == set()


def test_habits_of_words_are_no_leak(tmp_path: Path) -> None:
    """Small numbers and "True" are right more often than not; ids and other columns hold them too."""
    dice = random.Random(5)
    questions = []
    for row in range(400):
        if row % 2:
            options, right = ["True", "False"], "True" if dice.random() < 0.8 else "False"
        else:
            options, right = [str(number) for number in range(10)], str(min(9, int(dice.expovariate(0.6))))
        questions.append(
            Question(
                question_id=f"clip{row // 4}_{row % 4}", video_id=f"clip{row // 4}", question="How many? Is it?",
                question_type="tf" if row % 2 else "mcq", options=tuple(options), answer_index=options.index(right),
                answer=right, task="Counting", granularity="clip", source="test", image_ids=(f"{row}.png",),
            )
        )  # fmt: skip
    dataset = Dataset("made", questions=tuple(questions))
    hidden = hide_answers(dataset, [question.question_id for question in questions], SECRET)
    folder = write_folder(tmp_path / "out", hidden.answers)
    (folder / "README.md").write_text("True, true, True: 0 1 2 3 of 3 videos, 1 with pictures.\n")
    report = attack(folder, hidden.answers)
    assert report.passed, report.describe()


def test_options_that_the_card_happens_to_name_are_no_leak(tmp_path: Path) -> None:
    questions = make_questions()
    folder = write_folder(tmp_path / "out", questions)
    named = [question.options[number % 5] for number, question in enumerate(questions)]
    (folder / "README.md").write_text("\n".join(named))
    report = attack(folder, questions, "file_words", "words", "bytes")
    assert report.passed, report.describe()


@pytest.mark.parametrize("copies", [1, 2])
def test_a_public_count_that_is_scored_alike_is_no_leak_unless_its_digest_stands_there_twice(
    tmp_path: Path, copies: int
) -> None:
    """Counts without options are alike in all that is scored, so that the digest of a public one fits a hidden one."""
    hidden, public = (
        Question(
            question_id=f"{name}_0", image_ids=(f"{name}.png",), question="How many are there?", question_type="open",
            answer="3", task="Counting", source="test",
        )
        for name in ("test", "dev")
    )  # fmt: skip
    folder = write_folder(tmp_path / "out", [hidden], public=[public])
    digests = {f"{public.question_id}{'+' * copy}": digest_scored_fields(public) for copy in range(copies)}
    (folder / "publish.json").write_text(json.dumps({"score_digests": digests}))
    assert succeeded(attack(folder, [hidden], "digests")) == ({"digests"} if copies == 2 else set())


# --- planted: orders --------------------------------------------------------------------------------------------


def put(distractors: Sequence[str], answer: str, slot: int) -> list[str]:
    return [*distractors[:slot], answer, *distractors[slot:]]


def as_released(question_id: str, answer: str, distractors: Sequence[str], row: int) -> Sequence[str]:
    return [answer, *distractors]


def by_row(question_id: str, answer: str, distractors: Sequence[str], row: int) -> Sequence[str]:
    return put(distractors, answer, row % (len(distractors) + 1))


def by_number_in_id(question_id: str, answer: str, distractors: Sequence[str], row: int) -> Sequence[str]:
    return put(distractors, answer, int(question_id.rpartition("_")[2]))


def mostly_third(question_id: str, answer: str, distractors: Sequence[str], row: int) -> Sequence[str]:
    return put(distractors, answer, 2 if row % 3 else random.Random(row).randrange(len(distractors) + 1))


def in_a_pattern(question_id: str, answer: str, distractors: Sequence[str], row: int) -> Sequence[str]:
    return put(distractors, answer, (3, 0, 2, 4)[row % 4])


def among_sorted(question_id: str, answer: str, distractors: Sequence[str], row: int) -> Sequence[str]:
    return put(sorted(distractors), answer, random.Random(f"x{row}").randrange(len(distractors) + 1))


def among_public_hashes(question_id: str, answer: str, distractors: Sequence[str], row: int) -> Sequence[str]:
    """Our public order of the wrong options, with the answer put in by lot."""
    public = order_options(question_id, distractors)
    return put(public, answer, random.Random(f"x{row}").randrange(len(distractors) + 1))


def sorted_stably(question_id: str, answer: str, distractors: Sequence[str], row: int) -> Sequence[str]:
    return sorted([answer, answer.upper(), *distractors[1:]], key=str.casefold)


def shuffled_anew(question_id: str, answer: str, distractors: Sequence[str], row: int) -> Sequence[str]:
    options = [answer, *distractors]
    random.Random(42).shuffle(options)
    return options


def shuffled_by_id(question_id: str, answer: str, distractors: Sequence[str], row: int) -> Sequence[str]:
    options = [*distractors, answer]
    random.Random(question_id).shuffle(options)
    return options


def shuffled_by_md5(question_id: str, answer: str, distractors: Sequence[str], row: int) -> Sequence[str]:
    options = [answer, *distractors]
    seed = int(hashlib.md5(question_id.encode()).hexdigest()[:8], 16)
    return [options[at] for at in np.random.RandomState(seed).permutation(len(options))]


def shuffled_by_row(question_id: str, answer: str, distractors: Sequence[str], row: int) -> Sequence[str]:
    options = [answer, *distractors]
    return [options[at] for at in np.random.default_rng(row).permutation(len(options))]


class _Running:
    """One generator for the whole release, as most scripts have it."""

    def __init__(self) -> None:
        self.dice = random.Random(1337)

    def __call__(self, question_id: str, answer: str, distractors: Sequence[str], row: int) -> Sequence[str]:
        options = [answer, *distractors]
        self.dice.shuffle(options)
        return options


class _Inserting(_Running):
    def __call__(self, question_id: str, answer: str, distractors: Sequence[str], row: int) -> Sequence[str]:
        return put(distractors, answer, self.dice.randint(0, len(distractors)))


@pytest.mark.parametrize(
    ("order", "name"),
    [
        (as_released, "position"),
        (by_row, "position"),
        (by_number_in_id, "position"),
        (mostly_third, "position"),
        (in_a_pattern, "shuffle"),
        (mostly_third, "shuffle"),
        (among_sorted, "shuffle"),
        (among_public_hashes, "shuffle"),
        (sorted_stably, "shuffle"),
        (shuffled_anew, "shuffle"),
        (shuffled_by_id, "shuffle"),
        (shuffled_by_md5, "shuffle"),
        (shuffled_by_row, "shuffle"),
        (_Running(), "shuffle"),
        (_Inserting(), "shuffle"),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__) if callable(value) else str(value),
)
def test_an_order_that_can_be_undone_is_found(tmp_path: Path, order: Order, name: str) -> None:
    questions = make_questions(order)
    report = attack(write_folder(tmp_path / "out", questions), questions, name)
    assert succeeded(report) == {name}
    assert not report.passed
    assert "answers can be read from" in report.describe()


def test_a_shuffle_is_found_among_all_attacks(tmp_path: Path) -> None:
    questions = make_questions(shuffled_by_id)
    report = attack(write_folder(tmp_path / "out", questions), questions)
    assert succeeded(report) == {"shuffle"}


def test_answers_that_follow_a_public_digest_are_found(tmp_path: Path) -> None:
    """Whoever makes the option with the third digest the right one."""
    questions = []
    for question in make_questions():
        right = order_options(question.question_id, question.options)[2]
        questions.append(question.model_copy(update={"answer": right, "answer_index": question.options.index(right)}))
    report = attack(write_folder(tmp_path / "out", questions), questions, "hash_order")
    assert succeeded(report) == {"hash_order"}


def draw_with_checksum(question: Question, number: int) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add(b"prVt", hashlib.sha256(str(question.answer).encode()).digest()[:4])
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (number % 256, 0, 0)).save(file, "PNG", pnginfo=info)
    return file.getvalue()


@pytest.mark.parametrize(
    "picture",
    [draw_with_checksum, lambda question, number: draw_png(number) + bytes([question.options.index(question.answer)])],
)
def test_bytes_beside_the_pixels_refuse_by_themselves(
    tmp_path: Path, picture: Callable[[Question, int], bytes]
) -> None:
    questions = make_questions()[:20]
    folder = write_folder(tmp_path / "out", questions, picture=picture)
    report = attack(folder, questions, "position")
    assert not report.passed
    assert "20 pictures in data/ hold more than pixels" in report.describe()


# --- planted: what is said beside -------------------------------------------------------------------------------


def say_evidence(question: Question, row: dict[str, Any], number: int) -> None:
    row["hint"] = question.evidence[0].text


def say_answer(question: Question, row: dict[str, Any], number: int) -> None:
    row["hint"] = f"the answer: {str(question.answer).upper()}."


def say_answer_below(question: Question, row: dict[str, Any], number: int) -> None:
    row["notes"] = [{"by": "annotator", "says": [question.answer]}]


def say_all_and_one_again(question: Question, row: dict[str, Any], number: int) -> None:
    row["prompt"] = " / ".join((*question.options, str(question.answer)))


def say_position(question: Question, row: dict[str, Any], number: int) -> None:
    row["target"] = question.answer_index


def say_letter(question: Question, row: dict[str, Any], number: int) -> None:
    row["target"] = "ABCDEFGHIJ"[question.answer_index or 0]


def say_code(question: Question, row: dict[str, Any], number: int) -> None:
    row["target"] = hashlib.sha256(str(question.answer_index).encode()).hexdigest()[:6]


def say_in_picture_name(question: Question, row: dict[str, Any], number: int) -> None:
    row["images"][0]["path"] = f"{question.answer}.png"


def say_in_picture_id(question: Question, row: dict[str, Any], number: int) -> None:
    row["image_ids"] = [f"{number}_{question.answer}.png"]


def say_digest(question: Question, row: dict[str, Any], number: int) -> None:
    row["key"] = hashlib.sha256(f"{question.question_id}\0{question.answer}".encode()).hexdigest()


def say_binary_digest(question: Question, row: dict[str, Any], number: int) -> None:
    row["key"] = hashlib.md5(str(question.answer).encode()).digest()


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (say_evidence, "words"),
        (say_answer, "words"),
        (say_answer_below, "words"),
        (say_all_and_one_again, "words"),
        (say_in_picture_name, "words"),
        (say_in_picture_id, "words"),
        (say_position, "codes"),
        (say_letter, "codes"),
        (say_code, "codes"),
        (say_digest, "digests"),
        (say_binary_digest, "digests"),
    ],
)
def test_a_telling_column_is_found(tmp_path: Path, change: Change, name: str) -> None:
    questions = make_questions()
    report = attack(write_folder(tmp_path / "out", questions, change), questions, name)
    assert succeeded(report) == {name}


@pytest.mark.parametrize("name", ["answer", "evidence", "raw", "metadata", "group_id", "category", "unheard_of"])
def test_a_column_that_should_be_empty_refuses_without_statistics(tmp_path: Path, name: str) -> None:
    questions = make_questions()

    def fill(question: Question, row: dict[str, Any], number: int) -> None:
        filled: Any = [{"kind": "whole", "text": "?", "boxes": []}] if name == "evidence" else '{"x": 1}'
        row[name] = filled if number == 7 else row.get(name)

    report = attack(write_folder(tmp_path / "out", questions, fill), questions, "twins")
    assert not report.passed
    (leak,) = report.leaks
    assert f"column {name!r} is filled in 1 rows" in leak
    assert questions[7].question_id in leak


def say_to_video(folder: Path, questions: Sequence[Question]) -> None:
    titles = {}
    for question in questions:
        titles.setdefault(question.video_id, []).append(question.answer)
    path = folder / "videos" / "videos-00000-of-00001.parquet"
    rows = [{**row, "title": ", ".join(titles[row["video_id"]])} for row in pq.read_table(path).to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows), path)


def say_in_changelog(folder: Path, questions: Sequence[Question]) -> None:
    lines = [f"- {question.question_id}: answer changed to {question.answer}" for question in questions]
    (folder / "CHANGELOG.md").write_text("\n".join(lines))


def say_beside_ids(folder: Path, questions: Sequence[Question]) -> None:
    value = {"ids": [question.question_id for question in questions], "keys": [q.answer for q in questions]}
    (folder / "publish.json").write_text(json.dumps({"splits": {"test": value}}, indent=1))


def say_below_ids(folder: Path, questions: Sequence[Question]) -> None:
    value = {question.question_id: {"x": [question.answer]} for question in questions}
    (folder / "publish.json").write_text(json.dumps(value, indent=1))


def say_in_lines(folder: Path, questions: Sequence[Question]) -> None:
    lines = [json.dumps({"question_id": q.question_id, "reply": q.answer}, ensure_ascii=True) for q in questions]
    (folder / "example_submission.jsonl").write_text("\n".join(lines))


def number_beside_ids(folder: Path, questions: Sequence[Question]) -> None:
    value = {"ids": [q.question_id for q in questions], "k": [(q.answer_index or 0) + 1 for q in questions]}
    (folder / "publish.json").write_text(json.dumps(value))


def list_answers(folder: Path, questions: Sequence[Question]) -> None:
    texts = sorted(str(question.answer) for question in questions)
    (folder / "schemas.json").write_text(json.dumps({"examples": texts}, indent=1))


def list_answers_in_utf16(folder: Path, questions: Sequence[Question]) -> None:
    texts = sorted(str(question.answer) for question in questions)
    (folder / "notes.bin").write_bytes("\n".join(texts).encode("utf-16"))


def list_digests_of_records(folder: Path, questions: Sequence[Question]) -> None:
    digests = {q.question_id: digest_public_question(q.model_copy(update={"evidence": ()})) for q in questions}
    (folder / "publish.json").write_text(json.dumps({"question_digests": digests}))


def list_one_digest(folder: Path, questions: Sequence[Question]) -> None:
    digest = hashlib.sha1(f"{questions[5].question_id}:{questions[5].answer}".encode()).hexdigest()
    (folder / "README.md").write_text(f"checksum {digest[:20]}")


def leave_in_dictionary(folder: Path, questions: Sequence[Question]) -> None:
    """A column blanked by its indices alone keeps its words."""
    path = folder / "data" / "test-00000-of-00001.parquet"
    table = pq.read_table(path)
    words = pa.array(sorted(str(question.answer) for question in questions))
    blank = pa.DictionaryArray.from_arrays(pa.array([None] * len(table), pa.int32()), words)
    pq.write_table(table.set_column(table.schema.get_field_index("answer"), "answer", blank), path)


def leave_in_statistics(folder: Path, questions: Sequence[Question]) -> None:
    """A table of its own, without ids, of which a stranger reads smallest and largest value per group."""
    texts = sorted(str(question.answer) for question in questions)
    pq.write_table(pa.table({"x": texts}), folder / "data" / "more.parquet", row_group_size=1)


def leave_between_parts(folder: Path, questions: Sequence[Question]) -> None:
    path = folder / "data" / "test-00000-of-00001.parquet"
    content = path.read_bytes()
    footer = int.from_bytes(content[-8:-4], "little") + 8
    left = "\n".join(sorted(str(question.answer) for question in questions)).encode()
    path.write_bytes(content[:-footer] + left + content[-footer:])


@pytest.mark.parametrize(
    ("plant", "name"),
    [
        (say_to_video, "words"),
        (say_in_changelog, "words"),
        (say_beside_ids, "words"),
        (say_below_ids, "words"),
        (say_in_lines, "words"),
        (number_beside_ids, "codes"),
        (list_answers, "file_words"),
        (list_answers_in_utf16, "file_words"),
        (leave_in_dictionary, "file_words"),
        (leave_in_statistics, "file_words"),
        (leave_between_parts, "file_words"),
        (list_digests_of_records, "digests"),
        (list_one_digest, "digests"),
    ],
)
def test_a_telling_file_is_found(tmp_path: Path, plant: Callable[[Path, Sequence[Question]], None], name: str) -> None:
    questions = make_questions()
    folder = write_folder(tmp_path / "out", questions)
    plant(folder, questions)
    assert succeeded(attack(folder, questions, name)) == {name}


def test_settings_of_a_parquet_file_are_read(tmp_path: Path) -> None:
    questions = make_questions()
    said = json.dumps({"examples": [question.answer for question in questions]})
    folder = write_folder(tmp_path / "out", questions, settings={"pandas": said})
    assert succeeded(attack(folder, questions, "file_words")) == {"file_words"}


def in_a_chunk(question: Question, row: int) -> bytes:
    return draw_png(row, {"Comment": str(question.answer)})


def in_a_packed_chunk(question: Question, row: int) -> bytes:
    return draw_png(row, {"Description": f"{question.answer}"}, packed=True)


def in_a_chunk_behind_the_pixels(question: Question, row: int) -> bytes:
    content = draw_png(row)
    body = b"zTXt" + b"Title\0\0" + zlib.compress(str(question.answer).encode())
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    return content[:-12] + chunk + content[-12:]


def in_exif(question: Question, row: int) -> bytes:
    exif = Image.Exif()
    exif[0x010E] = str(question.answer)
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (row % 256, 0, 0)).save(file, "JPEG", exif=exif)
    return file.getvalue()


def in_a_comment(question: Question, row: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (row % 256, 0, 0)).save(file, "JPEG", comment=str(question.answer).encode())
    return file.getvalue()


@pytest.mark.parametrize(
    "picture", [in_a_chunk, in_a_packed_chunk, in_a_chunk_behind_the_pixels, in_exif, in_a_comment]
)
def test_a_picture_that_says_the_answer_is_found(tmp_path: Path, picture: Callable[[Question, int], bytes]) -> None:
    questions = make_questions()
    report = attack(write_folder(tmp_path / "out", questions, picture=picture), questions, "words")
    assert succeeded(report) == {"words"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "hex", "ascii"])
def test_bytes_of_pictures_and_frames_are_searched(tmp_path: Path, encoding: str) -> None:
    questions = make_questions()

    def write(text: str) -> bytes:
        return {"hex": text.encode().hex().encode(), "ascii": text.upper().encode()}.get(encoding) or text.encode(
            encoding
        )

    in_pictures = write_folder(
        tmp_path / "a", questions, picture=lambda question, row: draw_png(row) + write(str(question.answer))
    )
    assert succeeded(attack(in_pictures, questions, "bytes")) == {"bytes"}
    in_frames = write_folder(tmp_path / "b", questions)
    (in_frames / "frames" / "8x16").mkdir(parents=True)
    for number in range(0, QUESTIONS, A_VIDEO):
        texts = b"\0\xff".join(write(str(question.answer)) for question in questions[number : number + A_VIDEO])
        (in_frames / "frames" / "8x16" / f"{questions[number].video_id}.safetensors").write_bytes(b"\0\xff" + texts)
    assert succeeded(attack(in_frames, questions, "bytes")) == {"bytes"}


def test_a_public_twin_is_found(tmp_path: Path) -> None:
    questions = make_questions()
    twins = [question.model_copy(update={"question_id": f"dev_{question.question_id}", "video_id": None})
             for question in questions[:30]]  # fmt: skip
    folder = write_folder(tmp_path / "out", questions, public=twins)
    assert succeeded(attack(folder, questions, "twins")) == {"twins"}
    others = [question.model_copy(update={"image_ids": (f"other{at}.png",)}) for at, question in enumerate(twins)]
    folder = write_folder(tmp_path / "others", questions, public=others)
    assert succeeded(attack(folder, questions, "twins")) == set()


def test_the_digest_of_a_public_row_says_nothing_of_a_hidden_one_with_the_same_options(tmp_path: Path) -> None:
    """That of the hidden row itself does, whoever else has the same."""
    hidden = [question.model_copy(update={"task": "Counting"}) for question in make_questions()]
    public = [
        question.model_copy(update={"question_id": f"dev_{at}", "video_id": f"dev{at}", "image_ids": (f"dev{at}.png",)})
        for at, question in enumerate(hidden[:30])
    ]
    folder = write_folder(tmp_path / "out", hidden, public=public)
    digests = {question.question_id: digest_scored_fields(question) for question in public}
    (folder / "publish.json").write_text(json.dumps({"score_digests": digests}, indent=2))
    assert succeeded(attack(folder, hidden, "digests")) == set()
    digests |= {question.question_id: digest_scored_fields(question) for question in hidden[:30]}
    (folder / "publish.json").write_text(json.dumps({"score_digests": digests}, indent=2))
    report = attack(folder, hidden, "digests")
    assert (succeeded(report), report.attacks[0].hits) == ({"digests"}, 30)


def test_answers_without_options_are_looked_for_too(tmp_path: Path) -> None:
    questions = [
        question.model_copy(update={"options": (), "answer_index": None, "question_type": "open"})
        for question in make_questions()
    ]
    folder = write_folder(tmp_path / "out", questions)
    report = attack(folder, questions)
    assert report.passed, report.describe()
    say_in_changelog(folder, questions)
    assert succeeded(attack(folder, questions, "words")) == {"words"}


# --- what needs no statistics -----------------------------------------------------------------------------------


def test_a_private_file_among_the_public_ones_is_found(tmp_path: Path) -> None:
    questions = make_questions()
    folder = write_folder(tmp_path / "out", questions)
    shutil.copy(answer(folder, questions).path, folder / "notes.txt")
    report = attack(folder, questions, "twins")
    assert "notes.txt is the private answers file" in report.describe()


def test_a_packed_file_refuses_since_nobody_can_look_into_it(tmp_path: Path) -> None:
    questions = make_questions()
    folder = write_folder(tmp_path / "out", questions)
    shutil.make_archive(str(folder / "extra"), "zip", folder / "data")
    report = attack(folder, questions, "twins")
    assert "extra.zip (zip) is packed" in report.describe()


def test_answers_of_another_version_are_refused(tmp_path: Path) -> None:
    questions = make_questions()
    folder = write_folder(tmp_path / "out", questions[:-1])
    with pytest.raises(DatasetError, match=f"does not show the question '{questions[-1].question_id}'"):
        attack(folder, questions, "twins")
    turned = [
        question.model_copy(update={"options": question.options[::-1], "answer_index": None, "answers_hidden": True})
        for question in questions[:-1]
    ]
    with pytest.raises(DatasetError, match="other options"):
        attack(folder, turned, "twins")
    with pytest.raises(UsageError, match="not a folder"):
        attack(tmp_path / "absent", questions, "twins")
    with pytest.raises(UsageError, match="no answers file"):
        check_published(folder)
    (folder / "data" / "broken.parquet").write_bytes(b"PAR1 not at all PAR1")
    with pytest.raises(DatasetError, match=r"broken\.parquet cannot be read"):
        attack(folder, questions[:-1], "twins")


# --- the arithmetic ---------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1), max_size=8), st.integers(0, 9))
def test_the_chance_of_so_many_hits_is_exact(chances: list[float], hits: int) -> None:
    """Against the sum over all outcomes."""
    expected = sum(
        prod(p if hit else 1 - p for p, hit in zip(chances, outcome, strict=True))
        for outcome in product((0, 1), repeat=len(chances))
        if sum(outcome) >= hits
    )
    assert compute_poisson_binomial_tail(hits, chances) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_small_chances_keep_their_digits() -> None:
    from scipy.stats import binom

    assert compute_poisson_binomial_tail(300, [0.1] * 1686) == pytest.approx(binom.sf(299, 1686, 0.1), rel=1e-9)
    assert compute_poisson_binomial_tail(30, [0.1] * 30) == pytest.approx(1e-30, rel=1e-9)


def test_the_level_is_kept_over_all_tries_of_all_attacks(tmp_path: Path) -> None:
    """With 10 questions, an attack that is right in 6 of 10 has luck to thank, where 3,000 were tried."""
    questions = make_questions()[:8]
    report = attack(write_folder(tmp_path / "out", questions), questions)
    assert report.passed, report.describe()
    for result in report.attacks:
        assert result.holm_p_value >= result.p_value
    assert set(ATTACKS) >= PROOFS


@given(st.text(min_size=4, max_size=12), st.binary(max_size=60), st.binary(max_size=60))
def test_a_text_is_found_wherever_it_stands_and_however_it_is_written(text: str, before: bytes, after: bytes) -> None:
    finder = TextFinder([("it", text), ("other", "not to be found here")])
    for pattern in write_variants(text):
        assert finder.count(before + pattern + after)["it"] >= 1


def test_texts_are_found_across_blocks() -> None:
    finder = TextFinder([("it", "a few words"), ("same", "a few words"), ("short", "abc")])
    content = bytearray(5 << 20)
    for at in (0, (1 << 20) - 4, (2 << 20) - 1, len(content) - 11):
        content[at : at + 11] = b"a few words"
    assert finder.count(bytes(content)) == {"it": 4, "same": 4}
    assert TextFinder([]).count(b"anything at all") == {}


# --- real folders -----------------------------------------------------------------------------------------------


def publish_hidden(dataset: Dataset, workspace: Workspace, folder: Path, secret: bytes) -> AnswersFile:
    hidden = hide_answers(dataset, [question.question_id for question in dataset.questions], secret)
    write_answers(workspace.private / "answers.jsonl", hidden, "1.0.0", "test")
    splits = {"test": [question.question_id for question in hidden.dataset.questions]}
    publish_folder(hidden.dataset, Edition(splits), folder, workspace, PublishOptions(allow_missing_images=True))
    return read_answers(workspace.private / "answers.jsonl")


def test_the_demo_as_it_is_published_passes(demo_media: Path, tmp_path: Path) -> None:
    shutil.copytree(demo_media / "demo", tmp_path / "demo", copy_function=shutil.copyfile)
    workspace = Workspace(tmp_path, "demo")
    import_dataset("demo", workspace.raw, tmp_path)
    answers = publish_hidden(load(workspace.folder), workspace, tmp_path / "out", SECRET)
    report = check_published(tmp_path / "out", answers)
    assert report.passed, report.describe()
    assert report.questions == 104


@pytest.mark.full
def test_the_real_release_as_it_is_published_passes(release_file: Path, tmp_path: Path) -> None:
    dataset = import_dataset("ivbench", release_file, tmp_path)
    for number in range(2):
        secret = hashlib.sha256(str(number).encode()).digest()
        answers = publish_hidden(dataset, Workspace(tmp_path, "ivbench"), tmp_path / "out", secret)
        report = check_published(tmp_path / "out", answers)
        assert report.passed, report.describe()
        assert report.questions == 1686
