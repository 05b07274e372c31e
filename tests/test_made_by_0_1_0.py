"""What version 0.1.0 wrote is read: a dataset, its ledger, caches, results, hidden answers, and published folders.

`made_by_0_1_0/make.py` made the files, run with that version's code; they are never made anew.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Outcome

import ivbench_data as iv
from ivbench_data.atomic_files import digest_file

MADE = Path(__file__).parent / "made_by_0_1_0"
ANSWERS = {"alpha_0": "right", "alpha_1": "one", "-beta_0": "neither"}

RunCli = Callable[..., Outcome]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the files, which a test may write to."""
    copied = shutil.copytree(MADE, tmp_path / "root")
    (copied / "tiny/private/secret").chmod(0o600)
    return copied


def contents(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): digest_file(path) for path in folder.rglob("*") if path.is_file()}


def test_its_dataset_is_read() -> None:
    dataset = iv.load_dataset("tiny", MADE)
    assert (dataset.name, dataset.bad_lines) == ("tiny", ())
    assert [video.video_id for video in dataset.videos] == ["alpha", "-beta"]
    assert (dataset.videos[0].duration_seconds, dataset.videos[0].language) == (4.0, "en")
    assert [image.image_id for image in dataset.images] == ["red.png", "stripes.png"]
    assert {question.question_id: question.answer for question in dataset.questions} == ANSWERS
    last = dataset.questions[-1]
    assert (last.image_ids, last.answer_index, last.task) == (("red.png", "stripes.png"), 2, "Colour")
    assert (last.evidence[0].kind, last.evidence[0].start_seconds) == ("point", 3.5)
    assert last.metadata == {"note": "größe"}
    assert dataset.provenance == {"source": "made for a test"}


def test_its_dataset_is_written_to_the_same_bytes(tmp_path: Path) -> None:
    iv.load_dataset("tiny", MADE).save(tmp_path)
    for name in ("dataset.json", "questions.jsonl", "images.jsonl", "videos.jsonl"):
        assert (tmp_path / "tiny" / name).read_bytes() == (MADE / "tiny" / name).read_bytes()


def test_its_frames_are_read() -> None:
    clip = iv.read_frames("tiny", "alpha", "4x16", MADE, check=True)
    assert (clip.frames.shape, str(clip.frames.dtype)) == ((4, 3, 16, 24), "uint8")
    assert clip.indices.tolist() == [0, 2, 5, 7]
    assert clip.pts_seconds.tolist() == [0.0, 1.0, 2.5, 3.5]
    assert clip.frames_digest == "2327f87882fcb50e9fe76e6b8d0f547e1f0003f993cd74621b7ca86f2e1a8990"
    # the backgrounds' red grows by 20 a frame, below a white square
    assert [round(float(frame[0, 12:].mean())) for frame in clip.frames] == [0, 39, 101, 140]


def test_its_frames_are_not_cached_again(root: Path) -> None:
    before = contents(root / "tiny/cache")
    rows = list(iv.cache_frames(iv.load_dataset("tiny", root), root, [iv.FrameGrid.parse("4x16")]))
    assert [(row.video_id, row.status) for row in rows] == [("alpha", "skipped"), ("-beta", "skipped")]
    assert contents(root / "tiny/cache") == before


def test_its_fetches_and_fingerprints_are_read(root: Path, run_cli: RunCli) -> None:
    fetched = list(iv.fetch_videos(iv.load_dataset("tiny", root), root))
    assert [(row.video_id, row.status) for row in fetched] == [("alpha", "ok"), ("-beta", "ok")]
    against = MADE / "tiny/fingerprints.jsonl"
    done = run_cli("verify", "--dataset", "tiny", "--root", root, "--against", against, "--json")
    assert done.code == 0, done.err
    rows = json.loads(done.out)["rows"]
    assert {row["video_id"]: (row["status"], row["content"]) for row in rows} == dict.fromkeys(
        ("alpha", "-beta"), ("ok", "same")
    )


def test_its_results_are_scored(run_cli: RunCli) -> None:
    done = run_cli("score", "--dataset", "tiny", "--root", MADE, "--json")
    assert done.code == 0, done.err
    (card,) = json.loads(done.out)["scores"]
    assert card["name"] == "baseline:random · video_first · 4x16"
    assert (card["overall"]["accuracy"]["value"], card["overall"]["accuracy"]["n"]) == (2 / 3, 3)
    values = {name: score["accuracy"]["value"] for name, score in card["tasks"].items()}
    assert values == {"Motion": 0, "Counting": 1, "Colour": 1}


def test_its_results_are_gone_on_with(root: Path) -> None:
    """The same prompts and frames are not asked about again."""
    (path,) = (root / "tiny/results").iterdir()
    before = path.read_bytes()
    rows = iv.evaluate_questions(
        iv.load_dataset("tiny", root),
        root,
        model="baseline:random",
        options=iv.AskOptions(grid=iv.FrameGrid.parse("4x16")),
    )
    assert {row.question_id: (row.reply, row.correct) for row in rows} == {
        "alpha_0": ("D", False), "alpha_1": ("A", True), "-beta_0": ("C", True),
    }  # fmt: skip
    after = path.read_bytes()
    assert after.startswith(before)
    assert after[len(before) :].startswith(b'{"configuration":')
    assert after[len(before) :].count(b"\n") == 1


@pytest.mark.parametrize("folder", ["published", "published_hidden"])
def test_its_publications_are_whole_and_read(folder: str) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    assert list(iv.verify_published(MADE / folder)) == []
    rows = parquet.read_table(MADE / folder / "data/test-00000-of-00001.parquet").to_pylist()
    questions = {row["question_id"]: iv.read_row(row) for row in rows}
    if folder == "published":
        assert list(questions.values()) == list(iv.load_dataset("tiny", MADE).questions)
    else:
        assert {question.answer for question in questions.values()} == {None}
        assert questions["alpha_0"].options == ("left", "down", "right", "up")


def test_its_hidden_answers_score_a_submission(tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="datasets is not installed")
    answers = iv.read_answers(MADE / "tiny/private/answers-test-1.0.0.jsonl")
    assert {question.question_id: question.answer for question in answers.questions} == ANSWERS
    report = iv.check_published(MADE / "published_hidden", answers)
    assert report.passed
    lines = [{"question_id": "alpha_0", "answer_index": 2}, {"question_id": "alpha_1", "reply": "The answer is A."}]
    (tmp_path / "submission.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    card = iv.score_submission(iv.read_submission(tmp_path / "submission.jsonl", answers), answers)
    accuracy = card.overall.accuracy
    assert accuracy is not None
    assert (accuracy.value, accuracy.n) == (1 / 3, 3)


@pytest.mark.parametrize("folder", ["published", "published_hidden"])
def test_its_publications_are_gone_on_with(folder: str, root: Path, run_cli: RunCli) -> None:
    """Nothing has changed since: no new version, and the hidden options stay in the order of that version's secret."""
    pytest.importorskip("datasets", reason="datasets is not installed")
    hide = ["--hide-answers", "test"] if folder == "published_hidden" else []
    at = ["--dataset", "tiny", "--root", root]
    done = run_cli("publish", "--to", root / folder, *hide, "--license", "cc0-1.0", *at)
    assert done.code == 0, done.err
    assert list(iv.verify_published(root / folder)) == []
    for part in ("version", "splits", "question_digests", "score_digests"):
        old, new = (json.loads((each / folder / "publish.json").read_text())[part] for each in (MADE, root))
        if part == "splits":
            old, new = ({name: split["questions"] for name, split in each.items()} for each in (old, new))
        assert new == old
