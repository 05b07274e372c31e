from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Outcome

from ivbench_data.dataset import load
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.evaluate.evaluation import evaluate_questions
from ivbench_data.evaluate.prompts.asking import AskOptions
from ivbench_data.evaluate.results import find_results, read_results
from ivbench_data.evaluate.scores import score_results
from ivbench_data.fetch.downloads import fetch_videos
from ivbench_data.publish.splits.split_plan import plan_splits
from ivbench_data.sources import import_dataset
from ivbench_data.strict_json import write_jsonl
from ivbench_data.takedown import plan_withdrawal, withdraw_video
from ivbench_data.validate.repair import Change, apply_patch, read_versions, undo_patch, write_patch
from ivbench_data.video.fingerprint import Fingerprint
from ivbench_data.workspace import Workspace

WHY = "the owner's request"


def make_workspace(root: Path, *videos: str) -> Workspace:
    """A dataset of made-up questions and files: as a release, imported, with all that collects beside it."""
    root.mkdir(parents=True, exist_ok=True)
    release = root / "release"
    release.mkdir()
    lines = []
    for video_id in videos:
        for number in range(3):
            image = "shared.png" if number == 2 else f"{video_id}_{number}.png"
            lines.append(
                {
                    "question_id": f"{video_id}_{number}",
                    "video_id": video_id,
                    "image_ids": [image],
                    "question": f"What of {video_id}?",
                    "options": ["this", "that"],
                    "answer": "that",
                    "answer_index": 1,
                    "task": "Counting",
                    "source": "native",
                }
            )
    (release / "questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    import_dataset("native", release, root / "data", "made")
    workspace = Workspace(root / "data", "made")
    content = [f"{number:016x}" for number in range(1, 20)]
    write_jsonl(
        workspace.folder / "fingerprints.jsonl",
        [
            Fingerprint(
                video_id=video_id,
                method="phash64-1",
                duration_seconds=100,
                times_seconds=tuple(map(float, range(19))),
                hashes=tuple(content),
            )
            for video_id in videos
        ],
    )
    files = [workspace.images / "shared.png"]
    for video_id in videos:
        files += [workspace.videos / f"{video_id}{ending}" for ending in (".mp4", ".webm", ".en.vtt")]
        files += [workspace.images / f"{video_id}_{number}.png" for number in range(2)]
        files += [workspace.cache / grid / f"{video_id}.safetensors" for grid in ("32x240", "8x72-span1_2")]
        files += [workspace.folder / ".fetching" / f"{video_id}.0123abcd" / "a part" / "of it"]
    files += [
        workspace.reports / "validate.html",
        workspace.ledger / "fetch-1.jsonl",
        workspace.folder / "results" / "x.jsonl",
    ]
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    findings = [{"check": "c", "question_id": f"{video_id}_0", "video_id": video_id} for video_id in videos]
    (workspace.reports / "findings.jsonl").write_text("".join(json.dumps(row) + "\n" for row in findings))
    return workspace


def patch(workspace: Workspace, path: Path, *question_ids: str, before: str | None = None) -> None:
    changes = [
        Change(
            question_id=question_id,
            field="question",
            before=before or f"What of {question_id.rpartition('_')[0]}?",
            after=f"after {path.name}",
            check="manual",
        )
        for question_id in question_ids
    ]
    write_patch(path, changes)
    apply_patch(workspace, path)


def read_folder(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def without_times(files: dict[str, bytes]) -> dict[str, object]:
    """The files' contents; in headers, the time of the withdrawal is not compared."""

    def forget(content: bytes) -> object:
        header = json.loads(content)
        for row in header["provenance"].get("withdrawn", []):
            row["when"] = None
        return header

    return {name: forget(content) if name.endswith("dataset.json") else content for name, content in files.items()}


def names_it(files: dict[str, bytes], video_id: str) -> set[str]:
    return {name for name, content in files.items() if video_id in name or video_id.encode() in content}


def test_all_of_the_video_goes_and_nothing_else(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, "-gone", "-gone.too", "stays")
    before = read_folder(workspace.folder)
    plan = plan_withdrawal(workspace, "-gone", WHY)
    assert read_folder(workspace.folder) == before
    done = withdraw_video(workspace, "-gone", WHY)
    after = read_folder(workspace.folder)
    assert done.model_copy(update={"withdrawal": plan.withdrawal}) == plan
    own = {
        "videos/-gone.mp4", "videos/-gone.webm", "videos/-gone.en.vtt", "images/-gone_0.png", "images/-gone_1.png",
        "cache/32x240/-gone.safetensors", "cache/8x72-span1_2/-gone.safetensors", "reports/validate.html",
    }  # fmt: skip
    assert before.keys() - after.keys() == own | {".fetching/-gone.0123abcd/a part/of it"}
    assert set(plan.deleted) == own | {".fetching/-gone.0123abcd"}
    assert plan.deleted_bytes == sum(len(before[name]) for name in before.keys() - after.keys())
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {*plan.rewritten, "dataset.json"}
    assert set(plan.rewritten) == {
        "reports/findings.jsonl", "images.jsonl", "videos.jsonl", "fingerprints.jsonl", "questions.jsonl",
    }  # fmt: skip
    for name in plan.rewritten:  # line by line what it was, but for the video's own
        kept = [line for line in before[name].splitlines() if b"-gone" not in line or b"-gone.too" in line]
        assert after[name].splitlines() == kept
    dataset = load(workspace.folder)
    assert [video.video_id for video in dataset.videos] == ["-gone.too", "stays"]
    assert "shared.png" in {image.image_id for image in dataset.images}
    assert len(dataset.questions) == 6
    assert dataset.bad_lines == ()
    (withdrawal,) = dataset.withdrawals
    assert (withdrawal.video_id, withdrawal.why) == ("-gone", WHY)
    assert withdrawal.question_ids == ("-gone_0", "-gone_1", "-gone_2")
    assert withdrawal.image_ids == ("-gone_0.png", "-gone_1.png")
    assert any("raw/questions.jsonl" in told for told in plan.kept)
    assert any("-gone.too, which shows much the same" in told for told in plan.kept)


def test_doing_it_again_changes_nothing(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, "gone", "stays")
    withdraw_video(workspace, "gone", WHY)
    after = read_folder(workspace.folder)
    assert withdraw_video(workspace, "gone", "another reason").is_done
    assert withdraw_video(workspace, "gone").withdrawal.why == WHY
    assert read_folder(workspace.folder) == after
    (workspace.videos / "gone.mp4").write_text("put back by hand, or by a fetch that was under way")
    assert plan_withdrawal(workspace, "gone").deleted == ("videos/gone.mp4",)
    withdraw_video(workspace, "gone")
    assert read_folder(workspace.folder) == after


def test_a_second_withdrawal_takes_the_images_that_both_showed(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, "one", "two", "stays")
    (workspace.images / "shared.png").write_text("x")
    for video_id in ("one", "two", "stays"):
        withdraw_video(workspace, video_id, WHY)
    dataset = load(workspace.folder)
    assert (dataset.videos, dataset.images, dataset.questions) == ((), (), ())
    assert [one.video_id for one in dataset.withdrawals] == ["one", "two", "stays"]
    assert not (workspace.images / "shared.png").exists()


@pytest.mark.parametrize(
    ("video_id", "why", "told"),
    [
        ("elsewhere", WHY, "holds no video 'elsewhere'"),
        ("gone", None, "needs its reason"),
        ("gone", " \n", "needs its reason"),
        ("gone", "\udcff", "not text"),
        ("../raw", WHY, "cannot be a file name"),
    ],
)
def test_what_cannot_be_meant_changes_nothing(tmp_path: Path, video_id: str, why: str | None, told: str) -> None:
    workspace = make_workspace(tmp_path, "gone", "stays")
    before = read_folder(workspace.folder)
    with pytest.raises(UsageError, match=told):
        withdraw_video(workspace, video_id, why)
    assert read_folder(workspace.folder) == before


# --- what was repaired ----------------------------------------------------------------------------------------------


def test_patches_can_be_undone_as_if_the_video_had_never_been_there(tmp_path: Path) -> None:
    """A dataset that is patched twice and loses a video is one that never had it, to the byte of its questions."""
    never = make_workspace(tmp_path / "never", "other", "stays")
    workspace = make_workspace(tmp_path / "was", "gone", "other", "stays")
    shutil.copy(never.folder / "images.jsonl", tmp_path / "images.jsonl")
    patch(never, tmp_path / "first", "stays_0")
    patch(never, tmp_path / "second", "other_1", "stays_1")
    patch(workspace, tmp_path / "first", "gone_0", "stays_0")
    patch(workspace, tmp_path / "second", "gone_1", "other_1", "stays_1")
    plan = withdraw_video(workspace, "gone", WHY)
    assert {"versions/1/questions.jsonl", "versions/2/patch.jsonl", "versions/1/dataset.json"} <= set(plan.rewritten)
    files = read_folder(workspace.folder)
    assert {name for name in names_it(files, "gone") if not name.startswith("raw/")} == {
        "dataset.json", "versions/1/dataset.json", "versions/2/dataset.json",  # where it is on record
    }  # fmt: skip
    assert read_versions(load(workspace.folder)) == read_versions(load(never.folder))
    for _ in range(2):
        assert (workspace.folder / "questions.jsonl").read_bytes() == (never.folder / "questions.jsonl").read_bytes()
        assert undo_patch(workspace) == undo_patch(never)
    assert (workspace.folder / "questions.jsonl").read_bytes() == (never.folder / "questions.jsonl").read_bytes()
    dataset = load(workspace.folder)
    assert [one.video_id for one in dataset.withdrawals] == ["gone"]
    assert dataset.bad_lines == ()
    patch(workspace, tmp_path / "third", "stays_0")
    assert read_versions(load(workspace.folder))[-1].version == 1


def test_a_dataset_that_was_changed_by_hand_is_left_alone(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, "gone", "stays")
    original = (workspace.folder / "questions.jsonl").read_bytes()
    patch(workspace, tmp_path / "patch", "stays_0")
    path = workspace.folder / "questions.jsonl"
    patched = path.read_bytes()
    path.write_bytes(patched.replace(b"this", b"thus"))
    with pytest.raises(DatasetError, match="changed by hand after version 1"):
        withdraw_video(workspace, "gone", WHY)
    path.write_bytes(original)
    with pytest.raises(UsageError, match="begun and not finished"):
        withdraw_video(workspace, "gone", WHY)
    path.write_bytes(patched)
    withdraw_video(workspace, "gone", WHY)


# --- what counts without it -------------------------------------------------------------------------------------------


@pytest.fixture
def demo(demo_media: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(demo_media, tmp_path / "data")
    import_dataset("demo", tmp_path / "data" / "demo" / "raw", tmp_path / "data")
    return Workspace(tmp_path / "data", "demo")


def test_scores_info_and_splits_count_without_it_and_say_so(demo: Workspace, run_cli: Callable[..., Outcome]) -> None:
    before = load(demo.folder)
    options = AskOptions(pattern="text_only")
    assert len(list(evaluate_questions(before, demo.root, model="baseline:random", options=options))) == 104
    gone = before.videos[2].video_id
    own = [question for question in before.questions if question.video_id == gone]
    at = ("--root", demo.root, "--dataset", "demo")
    outcome = run_cli("repair", f"--withdraw={gone}", "--why", WHY, "--yes", *at)
    assert outcome.code == 0, outcome.err
    dataset = load(demo.folder)
    (path,) = find_results(demo.folder / "results")
    counts = score_results(dataset, read_results(path), demo).denominators
    assert (counts.released, counts.in_dataset, counts.evaluated) == (104, 104 - len(own), 104 - len(own))
    assert (counts.withdrawn, counts.unscorable) == (len(own), 0)
    assert len(read_results(path).rows) == 104
    scored = run_cli("score", *at)
    assert scored.code == 0
    assert f"{len(own)} withdrawn" in scored.err
    assert "missing" not in scored.err
    assert "failed 0" in scored.err
    info = json.loads(run_cli("info", "--json", *at).out)
    assert [row["video_id"] for row in info["withdrawn"]] == [gone]
    assert info["parts"]["videos"]["imported"] == info["parts"]["videos"]["on_disk"] == 7
    assert f"withdrawn, and not counted: {gone}" in run_cli("info", *at).err
    assert len(plan_splits(dataset, workspace=demo).splits["test"]) == 104 - len(own)
    with pytest.raises(UsageError, match=WHY):
        fetch_videos(dataset, demo.root, video_ids=[gone])


def test_importing_again_does_not_bring_it_back_unless_told(demo: Workspace, run_cli: Callable[..., Outcome]) -> None:
    whole = load(demo.folder)
    gone = whole.videos[0].video_id
    withdraw_video(demo, gone, WHY)
    after = load(demo.folder)
    assert after.provenance["rebuilds_byte_for_byte"] is False
    command = ("import", "demo", demo.raw, "--root", demo.root)
    outcome = run_cli(*command)
    assert outcome.code == 0
    assert f"Still withdrawn: {gone}, with 13 questions" in outcome.err
    assert load(demo.folder) == after
    outcome = run_cli(*command, "--restore-withdrawn")
    assert "withdrawn" not in outcome.err
    assert load(demo.folder) == whole


def test_a_later_release_s_questions_on_it_stay_out_too(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, "gone", "stays")
    withdraw_video(workspace, "gone", WHY)
    release = tmp_path / "release" / "questions.jsonl"
    new = release.read_text().splitlines()[0].replace("gone_0", "gone_9")
    with release.open("a") as file:
        file.write(f"{new}\n")
    dataset = import_dataset("native", tmp_path / "release", workspace.root, "made")
    assert {question.video_id for question in dataset.questions} == {"stays"}
    assert dataset.withdrawals[0].question_ids == ("gone_0", "gone_1", "gone_2", "gone_9")
    assert "gone_9.png" in dataset.withdrawals[0].image_ids
    assert load(workspace.folder) == dataset
    # and it travels with the folder of our own form
    copied = import_dataset("native", workspace.folder, tmp_path / "elsewhere", "copied")
    assert copied.withdrawals == dataset.withdrawals


def test_a_damaged_header_is_not_taken_for_one_without_withdrawals(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, "gone", "stays")
    withdraw_video(workspace, "gone", WHY)
    (workspace.folder / "dataset.json").write_text("{")
    with pytest.raises(DatasetError, match="not known which videos were withdrawn"):
        import_dataset("native", tmp_path / "release", workspace.root, "made")
    import_dataset("native", tmp_path / "release", workspace.root, "made", restores_withdrawn=True)
    assert len(load(workspace.folder).videos) == 2


# --- the command line -------------------------------------------------------------------------------------------------


def test_the_plan_is_shown_first_and_yes_does_it(tmp_path: Path, run_cli: Callable[..., Outcome]) -> None:
    workspace = make_workspace(tmp_path, "-gone", "stays")
    before = read_folder(workspace.folder)
    at = ("--root", workspace.root, "--dataset", "made")
    shown = run_cli("repair", "--withdraw", "-gone", "--why", WHY, *at)
    assert shown.code == 0
    assert "videos/-gone.mp4" in shown.out
    assert "Nothing was changed" in shown.err
    told = json.loads(run_cli("repair", "--withdraw", "-gone", "--why", WHY, "--json", *at).out)
    assert told["done"] is False
    assert "videos/-gone.mp4" in told["plan"]["deleted"]
    assert read_folder(workspace.folder) == before
    done = run_cli("repair", "--withdraw", "-gone", "--why", WHY, "--yes", *at)
    assert done.code == 0
    assert "Withdrawn: -gone, with 3 questions" in done.err
    again = run_cli("repair", "--withdraw", "-gone", "--yes", *at)
    assert again.code == 0
    assert "Withdrawn already" in again.err
    told = json.loads(run_cli("repair", "--withdraw", "stays", "--why", WHY, "--yes", "--json", *at).out)
    assert told["done"] is True
    assert load(workspace.folder).questions == ()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--withdraw", "gone"),
        ("--why", "x"),
        ("--yes",),
        ("--withdraw", "gone", "--why", "x", "--undo"),
        ("--withdraw", ""),
    ],
)
def test_bad_calls_are_usage_errors(
    tmp_path: Path, run_cli: Callable[..., Outcome], arguments: tuple[str, ...]
) -> None:
    workspace = make_workspace(tmp_path, "gone", "stays")
    outcome = run_cli("repair", *arguments, "--root", workspace.root, "--dataset", "made")
    assert outcome.code == 2
    assert outcome.err


# --- killed -----------------------------------------------------------------------------------------------------------

KILLED_AT = """
import os, signal, sys
from pathlib import Path
from ivbench_data import atomic_files
from ivbench_data import takedown
from ivbench_data.workspace import Workspace

steps = int(sys.argv[2])
def count():
    global steps
    steps -= 1
    if steps < 0:
        os.kill(os.getpid(), signal.SIGKILL)

for module, name in ((atomic_files, "_sync"),):  # called after every rename and every deletion
    def counted(path, inner=getattr(module, name)):
        inner(path)
        count()
    setattr(module, name, counted)
replace = Path.replace
def counted_replace(self, target):  # and before every rename
    count()
    return replace(self, target)
Path.replace = counted_replace
unlink = Path.unlink
def counted_unlink(self, missing_ok=False):
    count()
    return unlink(self, missing_ok)
Path.unlink = counted_unlink
takedown.withdraw_video(Workspace(Path(sys.argv[1]), "made"), "gone", "the owner's request")
"""


def kill_after(root: Path, steps: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT, root, str(steps)], capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


@pytest.mark.full
def test_killed_at_any_step_it_is_out_of_sight_and_is_finished_by_the_next_run(tmp_path: Path) -> None:
    template = make_workspace(tmp_path / "template", "gone", "stays")
    patch(template, tmp_path / "first", "gone_0", "stays_0")
    patch(template, tmp_path / "second", "stays_1")
    finished = tmp_path / "finished"
    shutil.copytree(template.root, finished)
    assert kill_after(finished, 10_000) == 0
    expected = without_times(read_folder(finished / "made"))
    whole = load(template.folder)
    kills = 0
    for steps in range(200):
        root = tmp_path / f"killed-{steps}"
        shutil.copytree(template.root, root)
        if kill_after(root, steps) == 0:
            break
        kills += 1
        workspace = Workspace(root, "made")
        dataset = load(workspace.folder)
        assert dataset.bad_lines == ()
        if dataset.withdrawals:
            # on record, so out of sight, whatever lies about
            assert {question.video_id for question in dataset.questions} == {"stays"}
            assert [video.video_id for video in dataset.videos] == ["stays"]
            assert {image.image_id for image in dataset.images} == {"stays_0.png", "stays_1.png", "shared.png"}
            if "withdrawing" in dataset.provenance:
                with pytest.raises(UsageError, match="begun and not finished"):
                    undo_patch(workspace)
                with pytest.raises(UsageError, match="begun and not finished"):
                    withdraw_video(workspace, "stays", WHY)
        else:
            assert dataset == whole
            assert read_folder(workspace.folder).keys() - read_folder(template.folder).keys() <= {
                name for name in read_folder(workspace.folder) if ".tmp-" in name
            }
        withdraw_video(workspace, "gone", WHY)
        assert without_times(read_folder(workspace.folder)) == expected
        shutil.rmtree(root)
    assert kills > 30


def test_killed_in_the_middle_it_is_finished_through_the_command_line(
    tmp_path: Path, run_cli: Callable[..., Outcome]
) -> None:
    workspace = make_workspace(tmp_path, "gone", "stays")
    kill_after(workspace.root, 14)
    assert load(workspace.folder).provenance["withdrawing"] == "gone"
    at = ("--root", workspace.root, "--dataset", "made")
    assert "--withdraw=gone --yes" in run_cli("info", *at).err
    outcome = run_cli("repair", "--undo", *at)
    assert outcome.code == 2
    assert "--withdraw=gone --yes" in outcome.err
    import_dataset("native", tmp_path / "release", workspace.root, "made")
    assert load(workspace.folder).provenance["withdrawing"] == "gone"
    assert run_cli("repair", "--withdraw=gone", "--yes", *at).code == 0
    assert "withdrawing" not in load(workspace.folder).provenance
    assert {name for name in names_it(read_folder(workspace.folder), "gone") if not name.startswith("raw/")} == {
        "dataset.json"
    }
