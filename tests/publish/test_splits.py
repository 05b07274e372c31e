from __future__ import annotations

import hashlib
import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ivbench_data import write_fingerprints
from ivbench_data.dataset import Dataset, load
from ivbench_data.errors import UsageError
from ivbench_data.publish.publication_record import PublishedSplit, PublishedVersion, SplitRecipe
from ivbench_data.publish.splits.split_clusters import find_clusters
from ivbench_data.publish.splits.split_plan import SplitPlan, SplitRequest, parse_splits, plan_splits
from ivbench_data.publish.splits.split_table import describe_splits, make_split_table
from ivbench_data.schema import QueryImage, Question, Video
from ivbench_data.sources import import_dataset, ivbench
from ivbench_data.strict_json import write_jsonl
from ivbench_data.video.fingerprint import Fingerprint
from ivbench_data.workspace import Workspace

TASKS = ("Counting", "Existence", "NLI", "Summary", "Temporal Reasoning")


def make_question(question_id: str, video_id: str | None, *image_ids: str, task: str = "Counting") -> Question:
    return Question(
        question_id=question_id,
        video_id=video_id,
        image_ids=image_ids,
        question="Which?",
        options=("this", "that"),
        answer="that",
        answer_index=1,
        task=task,
        source="test",
    )


def make_dataset(questions: Iterable[Question], images: Iterable[QueryImage] = ()) -> Dataset:
    questions = tuple(questions)
    videos = dict.fromkeys(question.video_id for question in questions if question.video_id is not None)
    return Dataset("made", tuple(Video(video_id=name) for name in videos), tuple(images), questions)


def make_random(videos: int, seed: int = 0, first: int = 0) -> Dataset:
    """A dataset of videos with one to five questions each, over tasks that are not equally frequent."""
    made = []
    for number in range(first, first + videos):
        dice = random.Random(f"{seed} {number}")
        for at in range(dice.choice((1, 1, 2, 2, 3, 5))):
            task = dice.choices(TASKS, (30, 25, 20, 10, 3))[0]
            made.append(make_question(f"v{number}_{at}", f"v{number}", f"v{number}_{at}.png", task=task))
    return make_dataset(made)


def sides_of(plan: SplitPlan) -> dict[str, str]:
    """The split of each question; `-` for those that are in none."""
    return {question_id: name for name, ids in {**plan.splits, "-": plan.left_out}.items() for question_id in ids}


def publish(dataset: Dataset, plan: SplitPlan) -> PublishedVersion:
    return PublishedVersion(
        dataset=dataset.name,
        version="1.0.0",
        canary="a canary",
        splits={name: PublishedSplit(questions=ids) for name, ids in plan.splits.items()},
        question_digests={question_id: "0" * 64 for ids in plan.splits.values() for question_id in ids},
        split_recipe=plan.recipe,
    )


# --- what is asked for ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["test=0.8,mini=200q", "test=rest", "a_1.b=1/3,B=2/3", "test=1", "x=0.000000001"])
def test_what_is_asked_for_is_written_as_it_was_read(text: str) -> None:
    requests = parse_splits(text)
    assert ",".join(map(str, requests)) == text
    assert parse_splits(f" {text.replace(',', ' , ').replace('=', ' = ')} ") == requests


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "write NAME=SIZE"),
        ("test", "write NAME=SIZE"),
        ("test=", "is no size"),
        ("test=0", "is no size"),
        ("test=0.0", "is no size"),
        ("test=1.5", "is no size"),
        ("test=200", "is no size"),
        ("test=-0.5", "is no size"),
        ("test=1/0", "is no size"),
        ("test=nan", "is no size"),
        ("test=1e-3", "is no size"),
        ("test=0q", "is no size"),
        ("test=٣q", "is no size"),
        ("test=0.8,mini=0.3", "add up to 1.1"),
        ("test=0.5,test=0.2", "given twice"),
        ("test=0.5,Test=0.2", "given twice"),
        ("a=rest,b=rest", "two splits take the rest"),
        ("te-st=0.5", "on the Hub"),
        ("a..b=0.5", "on the Hub"),
        ("tést=0.5", "on the Hub"),
        ("all=0.5", "on the Hub"),
        ("../up=0.5", "cannot be a file name"),
        ("con=0.5", "cannot be a file name"),
        (f"{'a' * 101}=0.5", "on the Hub"),
        ("=0.5", "cannot be a file name"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        parse_splits(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("mini=21q", "ask for 21 questions, and there are 20"),
        ("test=0.8,mini=5q", "ask for 21 questions, and there are 20"),
        ("test=1,dev=rest", "dev=rest is not one question"),
        ("test=0.01", "not one question"),
    ],
)
def test_more_than_there_is_cannot_be_had(text: str, told: str) -> None:
    dataset = make_dataset(make_question(f"q{at}", f"v{at}") for at in range(20))
    with pytest.raises(UsageError, match=told):
        plan_splits(dataset, parse_splits(text))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=5), st.integers(0, 30), st.integers(1, 400))
def test_shares_are_rounded_so_that_no_question_is_counted_twice(parts: list[int], spare: int, total: int) -> None:
    requests = [SplitRequest(name=f"s{at}", share=Fraction(part, sum(parts) + spare)) for at, part in enumerate(parts)]
    dataset = make_dataset(make_question(f"q{at}", f"v{at}") for at in range(total))
    try:
        plan = plan_splits(dataset, requests)
    except UsageError:
        assert any(request.share is not None and request.share * total < 1 for request in requests)
        return
    for request in requests:
        assert request.share is not None
        assert abs(plan.targets[request.name] - request.share * total) < 1
    assert sum(plan.targets.values()) + len(plan.left_out) == total


def test_without_a_word_everything_is_the_test_split() -> None:
    dataset = make_random(10)
    plan = plan_splits(dataset)
    assert plan.splits == {"test": tuple(question.question_id for question in dataset.questions)}
    assert plan.left_out == ()


# --- what stays together --------------------------------------------------------------------------------------------


def test_a_video_a_shared_image_and_a_group_hold_questions_together() -> None:
    dataset = make_dataset(
        [
            make_question("a1", "a", "x.png"),
            make_question("a2", "a"),
            make_question("b1", "b", "x.png"),
            make_question("c1", None, "y.png", "z.png"),
            make_question("c2", None, "z.png"),
            make_question("d1", "d").model_copy(update={"group_id": "pair"}),
            make_question("e1", "e").model_copy(update={"group_id": "pair"}),
            make_question("f1", "f"),
            make_question("alone", None),
            make_question("x.png", "a video of its own"),  # an id that is another thing's name joins nothing
        ]
    )
    clusters = [{question.question_id for question in cluster.questions} for cluster in find_clusters(dataset).clusters]
    assert sorted(map(sorted, clusters)) == [
        ["a1", "a2", "b1"],
        ["alone"],
        ["c1", "c2"],
        ["d1", "e1"],
        ["f1"],
        ["x.png"],
    ]


def test_images_of_the_same_bytes_hold_questions_together(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "made")
    workspace.images.mkdir(parents=True)
    picture = Image.effect_noise((64, 64), 90)
    picture.save(workspace.image_path("two.png"))
    shutil.copy(workspace.image_path("two.png"), workspace.image_path("three.png"))
    picture.convert("RGB").save(workspace.image_path("near.jpg"), quality=80)
    Image.effect_noise((64, 64), 90).transpose(Image.Transpose.ROTATE_90).save(workspace.image_path("other.png"))
    names = ("two.png", "three.png", "near.jpg", "other.png", "five.png", "six.png")
    dataset = make_dataset(
        (make_question(name, f"video of {name}", name) for name in names),
        [QueryImage(image_id=name, sha256="5" * 64 if name in ("five.png", "six.png") else None) for name in names],
    )
    found = find_clusters(dataset, workspace)
    clusters = sorted(sorted(question.question_id for question in cluster.questions) for cluster in found.clusters)
    assert clusters == [["five.png", "six.png"], ["near.jpg", "three.png", "two.png"], ["other.png"]]
    assert {(link.first, link.second) for link in found.links} >= {("five.png", "six.png"), ("three.png", "two.png")}
    assert any("2 of 6 images are not here" in told for told in found.unknown)


def make_fingerprint(video_id: str, hashes: Sequence[int], sha256: str | None = None) -> Fingerprint:
    return Fingerprint(
        video_id=video_id,
        method="phash64-1",
        duration_seconds=5.0 * len(hashes),
        times_seconds=tuple(5.0 * at + 2.5 for at in range(len(hashes))),
        hashes=tuple(f"{value:016x}" for value in hashes),
        sha256=sha256,
    )


def test_near_duplicate_videos_stay_on_one_side_and_are_named(tmp_path: Path) -> None:
    dice = random.Random(4)
    content = [dice.getrandbits(64) for _ in range(20)]
    re_encoded = [value ^ (1 << dice.randrange(64)) for value in content]
    copies = {f"copy{at}": make_fingerprint(f"copy{at}", content) for at in range(70)}
    prints = {
        "original": make_fingerprint("original", content, "a" * 64),
        "again": make_fingerprint("again", re_encoded),
        "same file": make_fingerprint("same file", [dice.getrandbits(64) for _ in range(20)], "a" * 64),
        "other": make_fingerprint("other", [dice.getrandbits(64) for _ in range(20)]),
        **copies,
    }
    dataset = make_dataset(make_question(f"q of {name}", name) for name in prints)
    workspace = Workspace(tmp_path, "made")
    write_jsonl(workspace.folder / "fingerprints.jsonl", prints.values())
    found = find_clusters(dataset, workspace)
    assert [len(cluster.questions) for cluster in found.clusters] == [73, 1]
    plan = plan_splits(dataset, parse_splits("test=0.5,dev=rest"), workspace=workspace)
    sides = sides_of(plan)
    assert len({sides[f"q of {name}"] for name in prints if name != "other"}) == 1
    assert any("again" in told and "original" in told for told in plan.links)
    assert any("73 questions of 73 videos hang together" in told for told in plan.warnings)
    parted = plan_splits(dataset, parse_splits("a=1q,b=1q,c=rest"), workspace=workspace)
    assert any("holds no question" in told for told in parted.warnings)


@pytest.mark.full
def test_the_demo_s_videos_are_all_different_and_a_copy_is_found(demo_media: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    shutil.copytree(demo_media, root)
    import_dataset("demo", root / "demo" / "raw", root)
    workspace = Workspace(root, "demo")
    dataset = load(workspace.folder)
    list(write_fingerprints(dataset, root, workers=0))
    assert len(find_clusters(dataset, workspace).clusters) == len(dataset.videos) == 8
    assert find_clusters(dataset, workspace).unknown == ()
    original = dataset.videos[0].video_id
    path = workspace.find_video(original)
    assert path is not None
    shutil.copy(path, path.with_name(f"copied{path.suffix}"))
    question = dataset.questions[0].model_copy(
        update={"question_id": "copied_0", "video_id": "copied", "image_ids": ()}
    )
    dataset = replace(
        dataset, videos=(*dataset.videos, Video(video_id="copied")), questions=(*dataset.questions, question)
    )
    list(write_fingerprints(dataset, root, workers=0))
    sides = sides_of(plan_splits(dataset, parse_splits("a=0.5,b=rest"), workspace=workspace))
    assert sides["copied_0"] == sides[dataset.questions[0].question_id]
    assert len(find_clusters(dataset, workspace).clusters) == 8


# --- what comes out -------------------------------------------------------------------------------------------------

REQUESTS = st.sampled_from(["test=0.5,mini=14q", "mini=15q", "a=0.5,b=0.25,c=rest", "a=1/3,b=1/3", "test=rest"])


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    """Questions of videos or of none, with images of which some are shared."""
    count = draw(st.integers(30, 90))
    dice = random.Random(draw(st.integers(0, 10_000)))
    few = draw(st.integers(3, 60))
    return make_dataset(
        make_question(
            f"q{at}",
            dice.choice([None, *[f"v{dice.randrange(few)}"] * 9]),
            *{f"{dice.randrange(400)}.png" for _ in range(dice.choice((0, 1, 1, 1)))},
            task=dice.choices(TASKS, (30, 25, 20, 10, 3))[0],
        )
        for at in range(count)
    )


@given(datasets(), REQUESTS, st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_every_question_has_one_place_whatever_the_order_of_the_lines(
    dataset: Dataset, text: str, dice: random.Random
) -> None:
    plan = plan_splits(dataset, parse_splits(text))
    placed = [question_id for ids in (*plan.splits.values(), plan.left_out) for question_id in ids]
    assert sorted(placed) == sorted(question.question_id for question in dataset.questions)
    sides = sides_of(plan)
    for cluster in find_clusters(dataset).clusters:
        assert len({sides[question.question_id] for question in cluster.questions}) == 1
    for name, ids in plan.splits.items():
        assert list(ids) == [
            question.question_id for question in dataset.questions if sides[question.question_id] == name
        ]
    shuffled = list(dataset.questions)
    dice.shuffle(shuffled)
    again = plan_splits(make_dataset(shuffled), parse_splits(text))
    assert sides_of(again) == sides
    assert again.warnings == plan.warnings


@given(st.integers(40, 200), st.integers(0, 1000), st.sampled_from(["a=0.6,b=20q", "a=0.5,b=0.3,c=rest", "b=30q"]))
@settings(max_examples=40)
def test_sizes_are_met_and_tasks_in_proportion(videos: int, seed: int, text: str) -> None:
    dataset = make_random(videos, seed)
    for row in describe_splits(dataset, plan_splits(dataset, parse_splits(text))):
        if row.target is not None:
            assert row.off_by is not None
            assert abs(row.off_by) <= 1
            # a task is off by no more than a question and a half, clusters being as large as five
            assert row.largest_deviation is not None
            assert row.largest_deviation * row.questions <= 1.5


@given(st.integers(150, 400), st.integers(1, 30), st.integers(0, 1000), st.booleans())
@settings(max_examples=40)
def test_few_videos_move_when_some_are_added(videos: int, added: int, seed: int, is_small: bool) -> None:
    """The bound: as many as were added, and three for each task in each split, however many videos there are."""
    text, splits = ("a=0.6,b=40q", 3) if is_small else ("a=0.5,b=rest", 2)
    before = make_random(videos, seed)
    after = make_dataset((*before.questions, *make_random(added, seed, first=videos).questions))
    earlier, later = (sides_of(plan_splits(dataset, parse_splits(text))) for dataset in (before, after))
    moved = {question_id.partition("_")[0] for question_id, side in earlier.items() if later[question_id] != side}
    assert len(moved) <= added + 3 * len(TASKS) * splits


def test_another_salt_gives_another_split_of_the_same_sizes() -> None:
    dataset = make_random(200)
    one, other = (plan_splits(dataset, parse_splits("a=0.5,b=rest"), salt=salt) for salt in ("one", "other"))
    moved = sum(sides_of(one)[question_id] != side for question_id, side in sides_of(other).items())
    assert moved > len(dataset.questions) / 3
    assert len(one.splits["a"]) == len(other.splits["a"])
    assert one.recipe.salt == "one"


def test_the_plan_is_the_same_on_every_machine() -> None:
    """A change of this digest is a change of everybody's splits: it needs a new default salt, and a word about it."""
    sides = sides_of(plan_splits(make_random(300), parse_splits("test=0.7,mini=50q,dev=rest")))
    written = json.dumps(sides, sort_keys=True, separators=(",", ":")).encode()
    assert hashlib.sha256(written).hexdigest()[:16] == "99b946dbf06a3576"


def test_categories_and_durations_are_in_proportion_where_they_are_known() -> None:
    dataset = make_random(300)
    videos = tuple(
        video.model_copy(update={"category": "AB"[at % 2], "duration_seconds": (30.0, 300.0, 3000.0)[at % 3]})
        for at, video in enumerate(dataset.videos)
    )
    plan = plan_splits(replace(dataset, videos=videos), parse_splits("mini=60q"))
    labels = {video.video_id: (video.category, video.duration_seconds) for video in videos}
    mini = Counter(label for question_id in plan.splits["mini"] for label in labels[question_id.partition("_")[0]])
    whole = Counter(label for question in dataset.questions for label in labels[question.video_id or ""])
    for label, count in whole.items():
        assert abs(mini[label] - 60 * count / len(dataset.questions)) <= 2


# --- the next version -----------------------------------------------------------------------------------------------


@given(datasets(), st.integers(0, 60), st.integers(0, 20), st.integers(0, 1000))
@settings(max_examples=60)
def test_what_was_published_stays_where_it_was(dataset: Dataset, added: int, removed: int, seed: int) -> None:
    previous = publish(dataset, plan_splits(dataset, parse_splits("test=0.6,mini=10q"), salt="the first"))
    dice = random.Random(seed)
    kept = dice.sample(dataset.questions, max(12, len(dataset.questions) - removed))
    new = [
        make_question(f"new{at}", f"v{dice.randrange(80)}", f"{dice.randrange(400)}.png", task=dice.choice(TASKS))
        for at in range(added)
    ]
    grown = make_dataset([*kept, *new])
    plan = plan_splits(grown, previous=previous)
    assert (plan.salt, plan.requests) == ("the first", parse_splits("test=0.6,mini=10q"))
    sides = sides_of(plan)
    assert {question_id: sides[question_id] for question_id in previous.split_of.keys() & sides.keys()} == {
        question_id: side for question_id, side in previous.split_of.items() if question_id in sides
    }
    # and a video that was on one side has no new question on another
    by_video: dict[str, set[str]] = {}
    for question in kept:
        if question.video_id is not None and (side := previous.split_of.get(question.question_id)):
            by_video.setdefault(question.video_id, set()).add(side)
    for question in new:
        if len(published := by_video.get(question.video_id or "", set())) == 1:
            assert sides[question.question_id] in published


def test_what_is_left_can_be_published_where_the_sizes_no_longer_fit() -> None:
    dataset = make_dataset(make_question(f"q{at}", f"v{at}") for at in range(20))
    previous = publish(dataset, plan_splits(dataset, parse_splits("test=0.5,mini=10q")))
    less = make_dataset(dataset.questions[1:])
    plan = plan_splits(less, previous=previous)
    assert sides_of(plan) == {at: side for at, side in previous.split_of.items() if at != "q0"}
    assert any("no longer fit" in told for told in plan.warnings)
    with pytest.raises(UsageError, match=r"ask for 19\.5 questions, and there are 19"):
        plan_splits(less, plan.requests, previous=previous)


def test_videos_that_turn_out_alike_stay_where_they_were_published_and_it_is_told(tmp_path: Path) -> None:
    dataset = make_random(20)
    previous = publish(dataset, plan_splits(dataset, parse_splits("test=0.5,dev=rest")))
    one, other = (next(iter(previous.splits[name].questions)).partition("_")[0] for name in ("test", "dev"))
    workspace = Workspace(tmp_path, "made")
    content = [random.Random(at).getrandbits(64) for at in range(20)]
    write_jsonl(workspace.folder / "fingerprints.jsonl", [make_fingerprint(name, content) for name in (one, other)])
    grown = make_dataset((*dataset.questions, make_question("new one", one), make_question("new other", other)))
    plan = plan_splits(grown, workspace=workspace, previous=previous)
    sides = sides_of(plan)
    assert all(sides[question_id] == side for question_id, side in previous.split_of.items())
    assert (sides["new one"], sides["new other"]) == ("test", "dev")
    assert any("were published apart" in told and "stay where they were" in told for told in plan.warnings)


def test_a_published_split_is_not_forgotten_and_other_versions_are_refused() -> None:
    dataset = make_random(20)
    previous = publish(dataset, plan_splits(dataset, parse_splits("test=0.5,dev=rest")))
    with pytest.raises(UsageError, match=r"has a split dev with .* ask for it too"):
        plan_splits(dataset, parse_splits("test=rest"), previous=previous)
    with pytest.raises(UsageError, match="is of 'other'"):
        plan_splits(dataset, previous=previous.model_copy(update={"dataset": "other"}))
    with pytest.raises(UsageError, match="does not say how"):
        plan_splits(dataset, previous=previous.model_copy(update={"split_recipe": None}))
    moved = SplitRecipe(salt="x", requests=("test=0.9", "dev=rest"))
    plan = plan_splits(dataset, previous=previous.model_copy(update={"split_recipe": moved}))
    row = describe_splits(dataset, plan)[1]
    assert (row.name, row.off_by) == ("dev", len(previous.splits["dev"].questions) - plan.targets["dev"])


# --- showing --------------------------------------------------------------------------------------------------------


def test_the_table_adds_up_and_names_what_is_left_out() -> None:
    dataset = make_random(100)
    plan = plan_splits(dataset, parse_splits("test=0.6,mini=20q"))
    *parts, whole = describe_splits(dataset, plan)
    assert [row.name for row in parts] == ["test", "mini", "left out"]
    assert parts[2].questions == len(plan.left_out) > 0
    assert sum((Counter(row.tasks) for row in parts), Counter()) == Counter(whole.tasks)
    assert sum(row.videos for row in parts) == whole.videos == 100
    for row in parts:
        assert row.largest_deviation == pytest.approx(max(abs(row.shares[task] - whole.shares[task]) for task in TASKS))
    table = make_split_table([*parts, whole])
    assert table.columns == ("", "test", "mini", "left out", "all")
    assert table.to_markdown().count("\n") == 2 + len(table.rows)


def test_a_plan_survives_json() -> None:
    plan = plan_splits(make_random(30), parse_splits("a=1/3,b=rest"))
    assert SplitPlan.model_validate_json(plan.model_dump_json()) == plan


# --- the real thing, and much -----------------------------------------------------------------------------------------


def test_the_real_release_is_split_to_the_question(release_file: Path) -> None:
    dataset = ivbench.read(release_file)
    plan = plan_splits(dataset, parse_splits("test=0.8,mini=200q"))
    test, mini, left, _ = describe_splits(dataset, plan)
    assert (test.questions, mini.questions, left.questions) == (1349, 200, 137)
    assert mini.largest_deviation is not None
    assert mini.largest_deviation < 0.0035  # 0.25 % is half a question of 200
    assert test.largest_deviation is not None
    assert test.largest_deviation < 0.002


@pytest.mark.full
def test_a_hundred_thousand_questions_take_seconds() -> None:
    dataset = make_random(43_000)
    assert len(dataset.questions) > 95_000
    before = time.process_time()
    plan = plan_splits(dataset, parse_splits("test=0.8,mini=200q,dev=0.1"))
    assert time.process_time() - before < 20
    for row in describe_splits(dataset, plan)[:3]:
        assert row.off_by == 0
