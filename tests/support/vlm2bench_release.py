"""Small releases in VLM2-Bench's layout: every subtask, with the quirks of the real one, over the demo's own media."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from ivbench_data.dataset import Dataset
from ivbench_data.workspace import Workspace

Records = dict[str, list[dict[str, Any]]]

IMAGES = 3
"""Images that a record of these shows."""


def make_records(count: int = 2) -> Records:
    """Records of all nine subtasks, by file: `count` pairs, counts, groups and videos of each."""

    def images(folder: str, number: int) -> list[str]:
        return [f"{folder}/{number}/{at}.png" for at in range(IMAGES)]

    records: Records = {}
    for stem, task in (("gc_mat", "mat"), ("gc_trk", "trk")):
        # the two halves of a pair share an id, and are told apart by their answers
        records[f"gc/vanilla/{stem}"] = [
            {
                "q_id": number, "task": task, "question": f"Is “{claim}” right, image {number}? Answer T or F.",
                "edited_prompt": "put a hat on", "gt_answer": answer, "images": images(stem, number)[:2],
            }
            for number in range(count)
            for claim, answer in (("a hat came", "T"), ("a hat went", "F"))
        ]  # fmt: skip
    for cue, prefix, kind in (("oc", "", "bag"), ("pc", "tf_", "person")):
        folder = f"{cue}/vanilla/{cue}"
        records[f"{folder}_cpr"] = [
            {
                "q_id": f"{prefix}{number}_{side}", "type": kind, "gt_answer": answer, "images": images(cue, number),
                "question": f"These {kind}s {verb} the same. True or false, T or F?",
            }
            for number in range(count)
            for side, verb, answer in (("p", "are", "F"), ("n", "are not", "T"))
        ]  # fmt: skip
        records[f"{folder}_cnt"] = [
            {
                "q_id": f"cnt_{number}", "type": kind, "question": f"How many different {kind}s are there?",
                "gt_answer": number % IMAGES + 1, "images": images(cue, number), "image_seq_len": IMAGES,
            }
            for number in range(count)
        ]  # fmt: skip
        records[f"{folder}_grp"] = [
            {
                "q_id": f"grp_{number}", "type": kind, "gt_answer": "(B)", "images": images(cue, number),
                "question": f"Which show the same {kind}? (A) 1 and 2 (B) None (C) 1, 2 and 3. Say the letter only.",
            }
            for number in range(count)
        ]  # fmt: skip
    records["pc/vanilla/pc_vid"] = [
        {"vid": f"{'ABA' if number % 2 else 'AB'}_{number}", "question": "Describe who is seen.", "gt_answer": ""}
        for number in range(count)
    ]
    return records


def write_release(folder: Path, records: Records) -> Path:
    """The release's folder, its lines as Python's own `json` writes them."""
    for name, lines in records.items():
        path = folder / "jsonl" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return folder


def bring_media(dataset: Dataset, root: Path, demo_media: Path) -> None:
    """Put the demo's pictures and videos where the dataset's belong."""
    own, demo = Workspace(root, dataset.name), Workspace(demo_media, "demo")
    for wanted, folder, there, name_of in (
        ([image.image_id for image in dataset.images], own.images, sorted(demo.images.iterdir()), str),
        ([video.video_id for video in dataset.videos], own.videos, sorted(demo.videos.glob("*.mp4")), "{}.mp4".format),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        for name, path in zip(wanted, there * (1 + len(wanted) // len(there)), strict=False):
            shutil.copyfile(path, folder / name_of(name))
