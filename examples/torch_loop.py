"""A plain PyTorch loop over cached clips and their questions: the reader, the records and the parser, nothing else.

ivbench-data cache --nframes 32 --res 240
python examples/torch_loop.py data ivbench 32x240
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import torch
from torch.utils.data import DataLoader

import ivbench_data as iv


def answer(frames: torch.Tensor, question: iv.Question) -> str:
    """Your model: frames uint8 `[T, 3, H, W]` and a question in, a reply out. This one goes by the light."""
    brightness = frames.float().mean().item()
    return "ABCDEFGHIJ"[int(brightness) % max(1, len(question.options))]


def main(root: str = "data", name: str = "ivbench", grid: str = "32x240") -> None:
    """Ask about every cached clip, and print how many replies are right, out of how many."""
    dataset = iv.load_dataset(name, root)
    workspace = iv.Workspace(Path(root), name)
    questions_of: dict[str, list[iv.Question]] = defaultdict(list)
    for question in dataset.questions:
        if question.video_id is not None:
            questions_of[question.video_id].append(question)
    cached = [
        video_id for video_id in questions_of if workspace.cache_path(iv.FrameGrid.parse(grid), video_id).is_file()
    ]
    clips = iv.open_torch_dataset(name, cached, grid, root)
    asked = right = 0
    # clips differ in size, so each is a batch of its own; the workers read the next ones meanwhile
    for clip in DataLoader(clips, batch_size=None, num_workers=2):
        for question in questions_of[clip["video_id"]]:
            asked += 1
            right += iv.score_reply(question, answer(clip["frames"], question)).correct
    print(f"{right} right of {asked} asked, of {len(dataset.questions)} in the dataset")


if __name__ == "__main__":
    main(*sys.argv[1:])
