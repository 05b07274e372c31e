from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from made_releases import VIDEO, make_dataset, make_record
from PIL import Image

from ivbench_data.cli import run
from ivbench_data.dataset import Dataset, load
from ivbench_data.frames.cache import cache_frames
from ivbench_data.schema import Evidence, Finding, FrameGrid
from ivbench_data.sources import import_dataset
from ivbench_data.statistics import Estimate
from ivbench_data.validate.checks import CHECKS, CheckContext, validate_questions
from ivbench_data.validate.probe.probe_report import HardSubset, ProbeOptions, ProbeReport, QuestionLeakage, TaskLeakage
from ivbench_data.validate.probe.probe_tables import find_leaks
from ivbench_data.validate.report.findings_page import SAFE_WITHOUT_ANSWERS, ReportPart, write_report
from ivbench_data.validate.report.report_parts import show_probe
from ivbench_data.workspace import Workspace

ATTACK = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"><!--"


class Reader(HTMLParser):
    """What a browser would make of the page: its elements, the policy, and the data blocks."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.blocks: dict[str, Any] = {}
        self.scripts: list[str] = []
        self._block: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.elements.append((tag, told))
        if tag == "script":
            self._block = told.get("id") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._block = None

    def handle_data(self, data: str) -> None:
        if self._block:
            self.blocks[self._block] = json.loads(data)
        elif self._block == "":
            self.scripts.append(data)


def read(path: Path) -> Reader:
    return Reader(path.read_text(encoding="utf-8"))


@pytest.fixture
def attacked(tmp_path: Path) -> tuple[Dataset, Workspace]:
    """A dataset in which everything that can hold text holds markup."""
    image = "an &amp; image.png"
    records = [
        make_record(0, answer=ATTACK, distractors=[ATTACK, *"abcdefgh"], question=ATTACK, answer_location=ATTACK),
        make_record(1, answer="red", distractors=["red", "\x1b[31m", "\u202egnp", *"abcdef"]),
    ]
    dataset = make_dataset(tmp_path, *records)
    questions = tuple(
        question.model_copy(
            update={
                "task": f"{question.task} {ATTACK}",
                "question_id": f"{question.question_id} {ATTACK}",
                "image_ids": (image,),
            }
        )
        for question in dataset.questions
    )
    workspace = Workspace(tmp_path, "made")
    workspace.images.mkdir(parents=True)
    return replace(dataset, name="made", questions=questions), workspace


def test_no_text_is_markup(attacked: tuple[Dataset, Workspace]) -> None:
    dataset, workspace = attacked
    findings = list(validate_questions(dataset))
    part = ReportPart(
        title=ATTACK, text=ATTACK, columns=(ATTACK,), rows=((ATTACK,), (3,)), figure=b"<svg/>",
        notes={dataset.questions[0].question_id: ATTACK},
    )  # fmt: skip
    page = read(write_report(dataset, findings, workspace, parts=[part]))
    assert len(page.scripts) == 1
    assert not [told for _, told in page.elements if any(name.startswith("on") or name == "style" for name in told)]
    assert all(str(told["src"]).startswith("data:") for tag, told in page.elements if tag == "img")
    (policy,) = (told["content"] for tag, told in page.elements if tag == "meta" and "http-equiv" in told)
    digest = base64.b64encode(hashlib.sha256(page.scripts[0].encode()).digest()).decode()
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert f"script-src 'sha256-{digest}'" in policy
    card = next(card for card in page.blocks["data"]["cards"] if card["id"] == dataset.questions[0].question_id)
    assert (card["question"], card["notes"]) == (ATTACK, [ATTACK])
    assert card["options"] == list(dataset.questions[0].options)


def test_a_card_says_all_that_was_found(attacked: tuple[Dataset, Workspace]) -> None:
    dataset, workspace = attacked
    findings = list(validate_questions(dataset))
    cards = read(write_report(dataset, findings, workspace)).blocks["data"]["cards"]
    told = [
        (card["id"], finding["check"], finding["severity"], finding["message"])
        for card in cards
        for finding in card["findings"]
    ]
    assert sorted(told) == sorted(
        (finding.question_id, finding.check, finding.severity, finding.message)
        for finding in findings
        if finding.question_id is not None
    )
    severities = [[finding["severity"] for finding in card["findings"]] for card in cards]
    assert severities[0][0] == "error"
    assert all(row == sorted(row, key=["error", "warning", "info"].index) for row in severities)
    for card, question in ((card, q) for card in cards for q in dataset.questions if q.question_id == card["id"]):
        assert card["right"] == list(question.correct_indices)


def test_hidden_answers_stay_hidden(attacked: tuple[Dataset, Workspace]) -> None:
    dataset, workspace = attacked
    questions = tuple(
        question.model_copy(update={"evidence": (Evidence(kind="point", start_seconds=7, text="0:07"),)})
        for question in dataset.questions
    )
    dataset = replace(dataset, questions=questions)
    findings = [
        Finding(check=name, severity="error", message="seen", question_id=dataset.questions[0].question_id)
        for name in CHECKS
    ]
    part = ReportPart(title="Probe", notes={dataset.questions[0].question_id: "picked right"})
    shown = read(write_report(dataset, findings, workspace, parts=[part])).blocks["data"]["cards"][0]
    assert shown["right"]
    assert shown["spans"] == [[7, 7]]
    assert {finding["check"] for finding in shown["findings"]} == set(CHECKS)
    hidden = read(write_report(dataset, findings, workspace, parts=[part], hide_answers=True)).blocks["data"]["cards"][
        0
    ]
    assert (hidden["right"], hidden["spans"], hidden["location"], hidden["notes"]) == ([], [], None, [])
    assert {finding["check"] for finding in hidden["findings"]} == SAFE_WITHOUT_ANSWERS
    split = tuple(
        question.model_copy(update={"answer": None, "answer_index": None, "answers_hidden": True, "raw": None})
        for question in dataset.questions[:1]
    )
    by_split = read(write_report(replace(dataset, questions=split), findings, workspace, parts=[part]))
    assert by_split.blocks["data"]["cards"][0] == hidden | {"options": list(split[0].options)}


@pytest.fixture(scope="module")
def demo(demo_media: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Workspace]:
    """The demo with cached frames, and one question's image replaced by a frame of its video."""
    root = tmp_path_factory.mktemp("report")
    made = Workspace(demo_media, "demo")
    import_dataset("demo", made.raw, root)
    workspace = Workspace(root, "demo")
    workspace.videos.symlink_to(made.videos)
    shutil.copytree(made.images, workspace.images)
    dataset = load(workspace.folder)
    assert {row.status for row in cache_frames(dataset, root, [FrameGrid(nframes=12, res=72)])} == {"done"}
    return dataset, workspace


def finding_on(dataset: Dataset, number: int) -> Finding:
    question = dataset.questions[number]
    return Finding(
        check="image_from_own_video", severity="warning", message="look", question_id=question.question_id,
        video_id=question.video_id, evidence={"time_seconds": 1.5},
    )  # fmt: skip


def test_pictures_are_small_and_shared(demo: tuple[Dataset, Workspace]) -> None:
    dataset, workspace = demo
    findings = [finding_on(dataset, number) for number in range(len(dataset.questions))]
    path = write_report(dataset, findings, workspace)
    page = read(path)
    data = page.blocks["data"]
    assert set(data["videos"]) == {video.video_id for video in dataset.videos}
    for video in data["videos"].values():
        assert video["times"] == sorted(video["times"])
        assert 0 <= video["times"][0] <= video["times"][-1] < video["duration"]
        assert page.blocks[video["picture"]].startswith("data:image/jpeg;base64,")
    for card in data["cards"]:
        assert all(image["picture"] in page.blocks for image in card["images"])
        assert card["findings"][0]["picture"] in page.blocks
    assert path.stat().st_size < 40_000 * len(dataset.questions)


def test_the_report_keeps_to_its_budget_and_says_so(demo: tuple[Dataset, Workspace]) -> None:
    dataset, workspace = demo
    findings = [finding_on(dataset, number) for number in range(len(dataset.questions))]
    path = write_report(dataset, findings, workspace, max_picture_bytes=200_000)
    page = read(path)
    blocks = [block for key, block in page.blocks.items() if key != "data"]
    assert 100_000 < sum(map(len, blocks)) < 200_000
    assert "left out to keep the file small" in path.read_text(encoding="utf-8")


def test_broken_media_leave_gaps(attacked: tuple[Dataset, Workspace]) -> None:
    dataset, workspace = attacked
    workspace.videos.mkdir()
    (workspace.videos / f"{VIDEO}.mp4").write_bytes(b"<html>")
    (workspace.images / dataset.questions[0].image_ids[0]).write_bytes(b"GIF89a")
    folder = workspace.cache_path(FrameGrid(nframes=4, res=72), VIDEO)
    folder.parent.mkdir(parents=True)
    folder.write_bytes(b"torn")
    page = read(write_report(dataset, [finding_on(dataset, 0)], workspace))
    (card,) = page.blocks["data"]["cards"]
    assert [image["picture"] for image in card["images"]] == [None]
    assert card["findings"][0]["picture"] is None
    assert page.blocks["data"]["videos"] == {}


def test_the_command_writes_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_dataset(tmp_path, make_record(0, answer="red"))
    import_dataset("ivbench", tmp_path / "test_data.jsonl", tmp_path / "data")
    assert run(["validate", "--root", str(tmp_path / "data"), "--report", "--hide-answers", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert "answer_among_distractors" not in Path(told["report_file"]).read_text(encoding="utf-8")
    assert run(["validate", "--root", str(tmp_path / "data"), "--report", "--fail-on", "never"]) == 0
    assert "answer_among_distractors" in Path(told["report_file"]).read_text(encoding="utf-8")


def test_coverage_has_its_place(demo: tuple[Dataset, Workspace], capsys: pytest.CaptureFixture[str]) -> None:
    _, workspace = demo
    assert run(["validate", "--root", str(workspace.root), "--dataset", "demo", "--report", "--fail-on", "never"]) == 0
    written = (workspace.reports / "validate.html").read_text(encoding="utf-8")
    assert "What frames show of the evidence" in written
    assert "12x72" in written
    assert "data:image/svg+xml;base64," in written
    capsys.readouterr()


def test_the_probe_has_its_place(attacked: tuple[Dataset, Workspace]) -> None:
    dataset, workspace = attacked
    estimate = Estimate(value=0.4, low=0.3, high=0.5, n=2, clusters=2, method="made")
    question_id = dataset.questions[0].question_id
    row = TaskLeakage(
        task="<b>Counting</b>", chance=0.1, accuracy=estimate, excess=estimate, null=estimate, null_chance=0.1,
        by_family={}, p_value=0.01, is_claimed=True,
    )  # fmt: skip
    verdict = QuestionLeakage(
        question_id=question_id,
        task="<b>Counting</b>",
        chance=0.1,
        probability=0.7,
        picked_index=0,
        answered=1,
        is_hard=True,
    )
    hard = HardSubset(
        rule="made", question_ids=(), chance=0.1, by_selection=None, certificates=(), status="uncertified"
    )
    probed = ProbeReport(
        dataset="made", options=ProbeOptions(), skipped=0, tasks=(row,), questions=(verdict,), heuristics=(), hard=hard
    )
    page_path = write_report(dataset, list(find_leaks(probed)), workspace, parts=[show_probe(probed)])
    page = read(page_path)
    (card,) = page.blocks["data"]["cards"]
    assert card["notes"] == ["Text-only probe: probability 70% of the answer, chance 10%; in the hard subset"]
    assert [finding["check"] for finding in card["findings"]] == ["answered_from_text"]
    assert any(told.get("value") == "answered_from_text" for tag, told in page.elements if tag == "option")
    assert "What the text alone gives away" in page_path.read_text(encoding="utf-8")


# --- in a real browser ----------------------------------------------------------------------------------------------

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def open_in_browser(address: str, profile: Path) -> str:
    """The page's elements after its script has run."""
    command = [
        str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update", "--disable-sync", f"--user-data-dir={profile}", "--window-size=1280,2000",
        "--dump-dom", address,
    ]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True, timeout=120)
    return done.stdout.decode()


@pytest.mark.full
@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_a_browser_draws_and_filters_and_runs_nothing_else(
    attacked: tuple[Dataset, Workspace], demo: tuple[Dataset, Workspace], tmp_path: Path
) -> None:
    dataset, workspace = attacked
    path = write_report(dataset, list(validate_questions(dataset)), workspace)
    drawn = open_in_browser(path.as_uri(), tmp_path / "first")
    assert "<title>Findings in made</title>" in drawn
    assert not re.search(r"<img[^>]* src=\"x\"", drawn)
    assert "2 of 2 questions" in drawn
    assert drawn.count('<article class="card">') == 2
    filtered = open_in_browser(f"{path.as_uri()}#check=location_unparsable", tmp_path / "second")
    assert "1 of 2 questions" in filtered
    none = open_in_browser(f"{path.as_uri()}#search=no+such+text", tmp_path / "third")
    assert "0 of 2 questions" in none

    dataset, workspace = demo
    findings = [finding_on(dataset, number) for number in range(len(dataset.questions))]
    drawn = open_in_browser(write_report(dataset, findings, workspace).as_uri(), tmp_path / "fourth")
    assert "104 of 104 questions" in drawn
    made = drawn.count('<article class="card">')
    assert 20 <= made < 104  # cards are made when they come near the screen
    assert drawn.count('class="strip"') == made
    assert 'class="in"' in drawn


@pytest.mark.full
@pytest.mark.skipif("IVBENCH_TEST_RELEASE" not in os.environ, reason="IVBENCH_TEST_RELEASE names no released file")
def test_the_release_makes_a_report_of_bounded_size(tmp_path: Path) -> None:
    dataset = import_dataset("ivbench", Path(os.environ["IVBENCH_TEST_RELEASE"]), tmp_path)
    workspace = Workspace(tmp_path, "ivbench")
    workspace.images.mkdir()
    for number, image in enumerate(dataset.images):
        Image.effect_noise((320, 240), 10 + number % 90).save(workspace.images / image.image_id, "JPEG")
    findings = list(validate_questions(dataset, CheckContext(workspace), ["non_contiguous_ids", "image_missing"]))
    findings += [finding_on(dataset, number) for number in range(len(dataset.questions))]
    path = write_report(dataset, findings, workspace)
    assert path.stat().st_size < 50_000_000
    if BROWSER is not None:
        assert "1,686 of 1,686 questions" in open_in_browser(path.as_uri(), tmp_path / "profile")
