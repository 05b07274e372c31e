"""Ask a vLLM server about cached frames, losslessly and with their times, in a loop of one's own.

vllm serve Qwen/Qwen2.5-VL-7B-Instruct
python examples/vllm_client.py Qwen/Qwen2.5-VL-7B-Instruct http://localhost:8000/v1 data ivbench 32x240

`ivbench-data evaluate` does the same with retries, many requests at once, and results that a killed run goes on from.
"""

from __future__ import annotations

import base64
import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ImageOps

import ivbench_data as iv
from ivbench_data.evaluate.prompts.patterns import PATTERNS
from ivbench_data.evaluate.prompts.wording import word_by_default
from ivbench_data.exports.frame_pictures import encode_picture
from ivbench_data.query_images import open_image

Parts = list[dict[str, Any]]


def show_video(clip: iv.Clip) -> tuple[Parts, dict[str, Any]]:
    """The frames as PNG in one `video_url`, and when each is shown: in milliseconds, as frames of 1,000 a second."""
    frames = ",".join(base64.b64encode(encode_picture(frame)).decode() for frame in clip.frames)
    timing = {
        "num_frames": -1,  # all of them: vLLM would take 32
        "fps": 1000,
        "total_num_frames": round(1000 * float(clip.metadata["source_duration_seconds"])),
        "frames_indices": [round(1000 * pts) for pts in clip.pts_seconds],
    }
    return [{"type": "video_url", "video_url": {"url": f"data:video/jpeg;base64,{frames}"}}], {"video": timing}


def show_image(path: Path) -> Parts:
    """A query image, upright."""
    with open_image(path) as image:
        picture = encode_picture(np.asarray(ImageOps.exif_transpose(image).convert("RGB")).transpose(2, 0, 1))
    return [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(picture).decode()}"}}]


def main(model: str, base_url: str, root: str = "data", name: str = "ivbench", grid: str = "32x240") -> None:
    """Ask every question about a video, and print the scored reply."""
    dataset, workspace = iv.load_dataset(name, root), iv.Workspace(Path(root), name)
    right = 0
    for question in dataset.questions:
        if question.video_id is None:
            continue
        content, timing = show_video(iv.read_frames(name, question.video_id, grid, root))
        for image_id in question.image_ids:
            content += show_image(workspace.image_path(image_id))
        text = word_by_default(question, question.options, PATTERNS["video_first"], None)
        content.append({"type": "text", "text": text})
        body = {"model": model, "messages": [{"role": "user", "content": content}], "temperature": 0}
        body |= {"max_tokens": 1024, "media_io_kwargs": timing}
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{base_url}/chat/completions", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request) as response:
            reply = json.load(response)["choices"][0]["message"]["content"]
        score = iv.score_reply(question, reply)
        right += score.correct
        print(question.question_id, "right" if score.correct else "wrong", repr(reply))
    print(f"{right} right of {len(dataset.questions)} in the dataset")


if __name__ == "__main__":
    main(*sys.argv[1:])
