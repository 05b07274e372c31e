"""The demo: made the same everywhere, in the formats it promises, with answers that follow from what is drawn."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import av
import imagehash
import numpy as np
import pytest
from PIL import Image

from ivbench_data.atomic_files import digest_file
from ivbench_data.errors import EnvironmentProblemError, StorageError
from ivbench_data.manifests import load_manifest
from ivbench_data.schema import Question, check_safe_name
from ivbench_data.sources import import_dataset
from ivbench_data.sources.demo import encoding, make_demo, read, script
from ivbench_data.sources.demo.dice import Dice
from ivbench_data.sources.demo.encoding import encode_video
from ivbench_data.sources.demo.image_drawing import draw_picture
from ivbench_data.sources.demo.question_writing import draft_questions, image_name
from ivbench_data.sources.demo.scene import HOST_WIDTH, draw_frame
from ivbench_data.sources.demo.shapes import COLOR_VALUES
from ivbench_data.sources.ivbench import rebuild_release
from ivbench_data.timecodes import parse_clock
from ivbench_data.workspace import Workspace

SCRIPTS = {each.video_id: each for each in script.write_scripts()}


@pytest.fixture(scope="module")
def questions(demo_media):
    return read(Workspace(demo_media, "demo").raw).questions


@pytest.fixture(scope="module")
def seen(demo_media):
    """Of each video, the frames shown at 0.5, 1.0, 1.5 … seconds, upright: what a player would show."""
    frames: dict[str, list[Image.Image]] = {}
    for video_id in SCRIPTS:
        kept = frames[video_id] = []
        last = None
        with av.open(str(Workspace(demo_media, "demo").find_video(video_id))) as container:
            for frame in container.decode(video=0):
                while last is not None and frame.time > 0.5 * (len(kept) + 1) + 1e-6:
                    kept.append(last.to_image().rotate(last.rotation, expand=True))
                last = frame
        kept.append(last.to_image().rotate(last.rotation, expand=True))
    return frames


def frame_at(seen, video_id: str, seconds: float) -> Image.Image:
    return seen[video_id][round(seconds / 0.5) - 1]


def of_task(questions, task: str) -> list[Question]:
    found = [question for question in questions if question.task == task]
    assert len(found) >= 6
    return found


# --- what is there --------------------------------------------------------------------------------------------------


def test_it_holds_what_its_manifest_says(demo_media):
    raw = Workspace(demo_media, "demo").raw
    dataset, manifest = read(raw), load_manifest("demo")
    assert dataset.name == manifest.name == "demo"
    assert not dataset.bad_lines
    assert len(dataset.videos) == manifest.released.videos >= 6
    assert len(dataset.images) == manifest.released.images
    assert len(dataset.questions) == manifest.released.questions >= 78
    assert Counter(q.task for q in dataset.questions) == {task.name: task.released for task in manifest.tasks}
    assert {task.name: task.group for task in manifest.tasks} == {
        task.name: task.group for task in load_manifest("ivbench").tasks
    }
    assert {video.category for video in dataset.videos} == set(manifest.video_categories)
    assert all(video.duration_seconds >= 20 and video.license == "Apache-2.0" for video in dataset.videos)
    assert digest_file(raw / "demo.jsonl") == manifest.release.sha256
    assert rebuild_release(dataset.questions) == (raw / "demo.jsonl").read_bytes()


def test_it_can_be_imported_in_place_and_has_every_file(demo_media, tmp_path):
    dataset = import_dataset("demo", Workspace(demo_media, "demo").raw, tmp_path)
    workspace = Workspace(demo_media, "demo")
    assert Workspace(tmp_path, "demo").folder.joinpath("questions.jsonl").is_file()
    for video in dataset.videos:
        assert check_safe_name(video.video_id)
        assert workspace.find_video(video.video_id) is not None
    for image in dataset.images:
        with Image.open(workspace.image_path(image.image_id)) as picture:
            assert min(picture.size) >= 240
            picture.load()
    assert any(video.video_id.startswith("-") for video in dataset.videos)


def test_the_annotations_alone_can_be_read(demo_media):
    dataset = read(Workspace(demo_media, "demo").raw / "demo.jsonl")
    assert len(dataset.videos) == len(SCRIPTS)


def test_all_media_are_small(demo_media):
    files = [path for path in Workspace(demo_media, "demo").folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 6_000_000


@pytest.mark.parametrize("video_id", SCRIPTS)
def test_every_video_is_stored_as_it_says(demo_media, video_id):
    footage = SCRIPTS[video_id].footage
    with av.open(str(Workspace(demo_media, "demo").videos / footage.file_name)) as container:
        stream = container.streams.video[0]
        assert {".mp4": "mp4", ".webm": "webm", ".mkv": "matroska"}[footage.suffix] in container.format.name
        assert stream.codec_context.name == {"libx264": "h264", "libvpx-vp9": "vp9"}[footage.codec]
        frames = list(container.decode(stream))
    shown = [frame.time for frame in frames]
    assert shown == sorted(set(shown))
    assert shown[0] == 0
    assert 29.8 < shown[-1] < 30
    assert sum(frame.key_frame for frame in frames) >= 5
    kinds = {frame.pict_type.name if hasattr(frame.pict_type, "name") else str(frame.pict_type) for frame in frames}
    assert ("B" in kinds or "3" in kinds) == (footage.codec == "libx264")
    assert {frame.rotation for frame in frames} == {footage.rotation}
    size = (footage.width, footage.height)
    assert (frames[0].width, frames[0].height) == (size[::-1] if footage.rotation else size)
    steps = {round(float(b - a), 3) for a, b in pairwise(shown)}
    assert len(steps) > 20 if footage.variable_rate else max(steps) - min(steps) < 0.0021


def test_the_promised_variety_is_there():
    footage = [each.footage for each in SCRIPTS.values()]
    assert {(each.codec, each.suffix) for each in footage} == {
        ("libx264", ".mp4"), ("libx264", ".mkv"), ("libvpx-vp9", ".webm"),
    }  # fmt: skip
    assert sum(each.rotation != 0 for each in footage) == 1
    assert sum(each.variable_rate for each in footage) == 1


# --- the same everywhere, and resumable -----------------------------------------------------------------------------


@pytest.mark.full
def test_the_same_bytes_come_out_on_one_core_with_another_hash_seed_and_other_memory(demo_media):
    program = (
        "import hashlib, os\n"
        "hasattr(os, 'sched_setaffinity') and os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
        "from ivbench_data.sources.demo.encoding import encode_video\n"
        "from ivbench_data.sources.demo.script import write_scripts\n"
        "for each in write_scripts():\n"
        "    if each.video_id in ('-harbour', 'quarry', 'tide'):\n"
        "        print(each.footage.file_name, hashlib.sha256(encode_video(each)).hexdigest())\n"
    )
    # glibc fills new memory with this byte's complement: an encoder that reads what it never wrote shows itself
    environment = {**os.environ, "PYTHONHASHSEED": "7", "MALLOC_PERTURB_": "1"}
    output = subprocess.run(
        [sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True
    ).stdout
    videos = Workspace(demo_media, "demo").videos
    again = dict(line.rsplit(" ", 1) for line in output.splitlines())
    assert again == {name: digest_file(videos / name) for name in again}
    assert {Path(name).suffix for name in again} == {".mp4", ".webm", ".mkv"}


def test_query_images_come_out_the_same(demo_media):
    for each in SCRIPTS.values():
        for data_id, draft in list(enumerate(draft_questions(each)))[:4]:
            name = image_name(each.video_id, data_id)
            assert draw_picture(draft.picture, name) == Workspace(demo_media, "demo").image_path(name).read_bytes()


def test_only_what_is_missing_is_made_again(demo_media, tmp_path):
    copy = copy_demo(demo_media, tmp_path)
    lost = copy.image_path(image_name("tide", 3))
    lost.unlink()
    temporary = leave_half_a_file(copy.videos / "tide.mp4")
    before = {path: path.stat().st_mtime_ns for path in copy.folder.rglob("*.*") if path.is_file()}
    rows = list(make_demo(tmp_path))
    assert [row.path for row in rows if row.made] == [lost]
    assert [row.position for row in rows] == list(range(1, rows[0].total + 1))
    assert not temporary.exists()
    after = {path: path.stat().st_mtime_ns for path in copy.folder.rglob("*.*") if path.is_file()}
    assert after == {path: stamp for path, stamp in before.items() if path != temporary} | {lost: after[lost]}
    assert lost.read_bytes() == Workspace(demo_media, "demo").image_path(lost.name).read_bytes()


def test_another_versions_media_are_made_anew(tmp_path):
    workspace = Workspace(tmp_path, "demo")
    for path in (workspace.raw / "demo.jsonl", workspace.videos / "meadow.mp4", workspace.videos / "mine.mp4"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"of another version")
    assert next(make_demo(tmp_path)).made
    assert not (workspace.videos / "meadow.mp4").exists()
    assert (workspace.videos / "mine.mp4").exists()


@pytest.mark.full
def test_a_killed_run_leaves_whole_files_only_and_is_taken_up_where_it_stopped(demo_media, tmp_path):
    made, copy = Workspace(demo_media, "demo"), Workspace(tmp_path, "demo")
    program = (
        "import pathlib, sys\n"
        "from ivbench_data.sources.demo import make_demo\n"
        "for _ in make_demo(pathlib.Path(sys.argv[1])): pass\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)]) as process:
        deadline = time.monotonic() + 60
        while not (copy.videos / "meadow.mp4").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.35)
        process.send_signal(signal.SIGKILL)
    visible = [path for path in copy.folder.rglob("*") if path.is_file() and not path.name.startswith(".tmp-")]
    assert copy.videos / "meadow.mp4" in visible
    assert len(visible) < 100
    for path in visible:
        assert path.read_bytes() == (made.folder / path.relative_to(copy.folder)).read_bytes()
    kept = []
    for row in make_demo(tmp_path):
        if row.made:
            break
        kept.append(row.path)
    assert sorted(kept) == sorted(visible)
    assert not list(copy.folder.rglob(".tmp-*"))


def test_a_missing_encoder_is_an_environment_problem(monkeypatch):
    monkeypatch.setitem(encoding._CODEC_OPTIONS, "libnowhere", {})
    unusual = replace(SCRIPTS["meadow"], footage=replace(SCRIPTS["meadow"].footage, codec="libnowhere"))
    with pytest.raises(EnvironmentProblemError, match="libnowhere"):
        encode_video(unusual)


def test_a_root_that_cannot_be_written_is_a_storage_error(tmp_path):
    (tmp_path / "demo").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="demo"):
        next(make_demo(tmp_path))


def test_dice_never_change():
    dice = Dice("a key", 1)
    assert [dice.below(100) for _ in range(6)] == [23, 62, 95, 77, 64, 51]
    assert sorted(dice.shuffle(range(20))) == list(range(20))
    assert len(set(dice.sample(range(20), 7))) == 7
    faces = Counter(dice.choose(range(6)) for _ in range(6000))
    assert all(850 < faces[face] < 1150 for face in range(6))  # 1000 each, five standard deviations


def copy_demo(demo_media: Path, root: Path) -> Workspace:
    """Links stand in for copies: the files are replaced by renaming, never written in place."""
    original, copy = Workspace(demo_media, "demo"), Workspace(root, "demo")
    for path in original.folder.rglob("*"):
        target = copy.folder / path.relative_to(original.folder)
        if path.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)
    return copy


def leave_half_a_file(path: Path) -> Path:
    """The temporary that a writer leaves behind when it dies while it writes `path`."""
    program = (
        "import os, sys, pathlib\n"
        "from ivbench_data.atomic_files import write_atomically\n"
        "with write_atomically(pathlib.Path(sys.argv[1])) as file:\n"
        "    file.write(b'half a video')\n"
        "    file.flush()\n"
        "    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == 9
    (temporary,) = path.parent.glob(".tmp-*")
    return temporary


# --- answers follow from what the videos show -----------------------------------------------------------------------

VALUE_OF_OPTION = {
    "Constrained OCR": lambda option: {"word": option},
    "Counting": lambda option: {"count": int(option)},
    "Attribute Change": lambda option: {"new_color": option},
    "Detailed Events": lambda option: {"move": option},
    "Spatial Relationship": lambda option: {"relation": option},
    "Space-Time Computing": lambda option: {"marks": round(2 * float(option.split()[0]))},
    "Instruction Understanding": lambda option: {"recipe": tuple(option.split(" then "))},
}
"""What an option says of the guest in question."""


@pytest.mark.parametrize("task", VALUE_OF_OPTION)
def test_the_answer_is_the_option_that_looks_most_like_the_decoded_video(questions, seen, task):
    for question in of_task(questions, task):
        of_video = SCRIPTS[question.video_id]
        data_id = int(question.question_id.rsplit("_", 1)[1])
        figure = list(draft_questions(of_video))[data_id].picture.figures[0]
        where = question.evidence[0]
        scene = of_video.scene_at(where.start_seconds)
        assert where.start_seconds >= scene.start_seconds
        assert (where.end_seconds or where.start_seconds) < scene.start_seconds + script.SCENE_SECONDS
        (guest,) = [guest for guest in scene.guests if guest.figure == figure]
        # a point is looked at in that moment, a range at its end and in its middle
        times = [where.start_seconds] if where.end_seconds is None else [where.start_seconds + 1.5, where.end_seconds]
        unlike = {}
        for option in question.options:
            guests = tuple(
                replace(each, **VALUE_OF_OPTION[task](option)) if each is guest else each for each in scene.guests
            )
            told = replace(scene, guests=guests)
            scenes = tuple(told if each is scene else each for each in of_video.scenes)
            unlike[option] = sum(
                difference(frame_at(seen, question.video_id, at), draw_frame(replace(of_video, scenes=scenes), at))
                for at in times
            )
        assert min(unlike, key=unlike.get) == question.answer, (question.question_id, unlike)


def difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).mean())


def colors_beside_the_stage(seen, of_video: script.Script, seconds: float) -> Counter[str]:
    """How many pixels of each colour the decoded frame has where the host stands."""
    frame = np.asarray(frame_at(seen, of_video.video_id, seconds), np.int16)
    height, width = frame.shape[:2]
    side = frame[40 : height - 40, :HOST_WIDTH]
    if not of_video.scene_at(seconds).host_on_left:
        side = frame[40 : height - 40, width - HOST_WIDTH :]
    return Counter(
        {name: int((np.abs(side - np.array(value)).max(axis=-1) < 24).sum()) for name, value in COLOR_VALUES.items()}
    )


def test_existence_and_keyframes_name_the_host_that_the_decoded_video_shows(questions, seen):
    for question in (*of_task(questions, "Existence"), *of_task(questions, "Keyframe Extraction")):
        of_video = SCRIPTS[question.video_id]
        (evidence,) = question.evidence
        if question.task == "Existence":
            color = question.answer.removeprefix("the ").removesuffix(" one")
            at = evidence.start_seconds + 1
        else:
            at = parse_clock(question.answer)
            assert evidence.start_seconds < at < evidence.end_seconds
            color = of_video.scene_at(at).host.color
        # the backdrop, rims and windows are no telling colours: compare with the same place in other scenes
        here = colors_beside_the_stage(seen, of_video, at)
        assert here[color] > 250, (question.question_id, here)


def test_reverse_existence_names_the_one_object_that_is_pictured_in_another_colour(questions):
    for question in of_task(questions, "Reverse Existence"):
        of_video = SCRIPTS[question.video_id]
        pictured = list(draft_questions(of_video))[1].picture.figures
        hosts = {scene.host for scene in of_video.scenes}
        assert [figure.name for figure in pictured if figure not in hosts] == [question.answer]


def test_temporal_questions_name_the_next_host_within_their_span(questions):
    for question in of_task(questions, "Temporal Reasoning"):
        of_video = SCRIPTS[question.video_id]
        (evidence,) = question.evidence
        first, second = of_video.scene_at(evidence.start_seconds), of_video.scene_at(evidence.end_seconds)
        assert second.index == first.index + 1
        assert question.answer == f"the {second.host.name}"


def test_paths_are_those_that_the_faces_walk(questions, seen):
    for question in of_task(questions, "Summary"):
        of_video = SCRIPTS[question.video_id]
        color = list(draft_questions(of_video))[12].picture.face_color
        walked = []
        for at in (4.0, 12.0, 19.0, 27.0):  # late in each quarter, when everyone has arrived
            frame = np.asarray(frame_at(seen, question.video_id, at), np.int16)
            edge = frame[:36] if of_video.faces_on_top else frame[-36:]
            near = np.abs(edge - np.array(COLOR_VALUES[color])).max(axis=-1) < 30
            thirds = [part.sum() for part in np.array_split(near, 3, axis=1)]
            walked.append(script.ZONES[int(np.argmax(thirds))])
        assert " to ".join(walked) == question.answer, question.question_id


def test_the_matching_panel_is_the_one_in_the_videos_style(questions):
    for question in of_task(questions, "NLI"):
        of_video = SCRIPTS[question.video_id]
        styles = list(draft_questions(of_video))[2].picture.styles
        ordinal, row = question.answer.split()[0], question.answer.split()[-2]
        place = ("first", "second", "third", "fourth", "fifth").index(ordinal) + 5 * (row == "bottom")
        assert styles[place] == of_video.footage.style


def test_the_image_decides(questions):
    """Another object of the same video would have another answer: without the image nobody knows which is meant."""
    for of_video in SCRIPTS.values():
        for act in script.ACTS:
            values = [
                (guest.word, guest.move, guest.relation, guest.count, guest.new_color, guest.marks, guest.recipe)
                for scene in of_video.scenes
                if scene.act == act
                for guest in scene.guests
            ]
            assert len(set(values)) >= 3
        assert len({face.path for face in of_video.faces}) == len(of_video.faces)
        assert len({scene.host.name for scene in of_video.scenes}) == script.SCENES


# --- nothing for the checks to find ---------------------------------------------------------------------------------


def test_questions_are_well_formed(questions):
    for question in questions:
        folded = {"".join(option.casefold().split()) for option in question.options}
        assert len(folded) == 10
        assert not any("," in option or option != option.strip() for option in question.options)
        assert "image" in question.question
        assert "video" in question.question
        (evidence,) = question.evidence
        assert question.granularity == {"point": "frame", "range": "clip", "whole": "whole"}[evidence.kind]
        assert evidence.text != question.answer
        if evidence.kind == "range":
            assert 0 <= evidence.start_seconds < evidence.end_seconds < script.VIDEO_SECONDS
    for video_id in SCRIPTS:
        siblings = [question for question in questions if question.video_id == video_id]
        assert len({question.question for question in siblings}) == len(siblings)
        for one, other in combinations(siblings, 2):
            assert not set(one.options) & set(other.options)


def test_texts_give_no_answer_away(questions):
    """Named heuristics and the training folds' most and least frequent answers stay near chance, 10%."""
    limits = range(3, 21)  # of 104 questions at chance: 99.7% of all draws lie within
    hits = Counter()
    for question in questions:
        ordered = sorted(question.options, key=lambda option: (len(option), option))
        elsewhere = [q.answer for q in questions if q.task == question.task and q.video_id != question.video_id]
        ranked = sorted(question.options, key=lambda option: (elsewhere.count(option), option))
        guesses = {
            "shortest": ordered[0],
            "longest": ordered[-1],
            "first": question.options[0],
            "last": question.options[-1],
            "alphabetically first": min(question.options),
            "alphabetically last": max(question.options),
            "rarest answer elsewhere": ranked[0],
            "commonest answer elsewhere": ranked[-1],
        }
        hits.update({name: int(guess == question.answer) for name, guess in guesses.items()})
    assert {name: count for name, count in hits.items() if count not in limits} == {}
    positions = Counter(question.answer_index for question in questions)
    assert set(positions) == set(range(10))
    assert max(positions.values()) <= 20
    for task in {question.task for question in questions}:
        answers = [question.answer for question in questions if question.task == task]
        assert len(set(answers)) >= 4
    sizes = [len(question.answer) - np.mean([len(option) for option in question.options]) for question in questions]
    assert abs(np.mean(sizes)) < 0.8


# --- perceptual hashes ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hashes(seen):
    return {video_id: np.array([phash(frame) for frame in frames]) for video_id, frames in seen.items()}


def phash(picture: Image.Image) -> np.ndarray:
    return imagehash.phash(picture).hash.ravel()


def test_videos_differ_from_each_other(hashes):
    for one, other in combinations(hashes, 2):
        distances = (hashes[one][1::2] != hashes[other][1::2]).sum(axis=1)
        assert np.median(distances) >= 24, (one, other)


def test_no_query_image_is_a_frame_of_its_video_or_like_another_image(demo_media, hashes, questions):
    of_images = []
    for question in questions:
        with Image.open(Workspace(demo_media, "demo").image_path(question.image_ids[0])) as picture:
            of_images.append(phash(picture))
        assert (hashes[question.video_id] != of_images[-1]).sum(axis=1).min() > 12, question.image_ids
    for one, other in combinations(of_images, 2):
        assert (one != other).sum() > 12
