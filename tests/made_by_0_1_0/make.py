"""Made the files beside it, with the code of version 0.1.0 on PYTHONPATH; not to be run with a later one."""

import shutil
import sys
from pathlib import Path

import av
import numpy as np
from PIL import Image

import ivbench_data as iv
from ivbench_data import cli
from ivbench_data.schema import Evidence

root = Path(sys.argv[1])
workspace = iv.Workspace(root, "tiny")


def draw_video(path: Path, colours: list[tuple[int, int, int]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=2)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        stream.options = {"bf": "0", "x264-params": "log-level=none"}
        for number, colour in enumerate(colours):
            picture = np.full((32, 48, 3), colour, np.uint8)
            picture[8:16, 4 * number : 4 * number + 8] = 255
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        out.mux(stream.encode(None))


def ask(name: str, images: str, question: str, options: str, at: int, task: str, evidence: Evidence) -> iv.Question:
    return iv.Question(
        question_id=name,
        video_id=name.partition("_")[0],
        image_ids=tuple(images.split()),
        question=question,
        options=tuple(options.split(", ")),
        answer=options.split(", ")[at],
        answer_index=at,
        task=task,
        granularity="whole" if evidence.kind == "whole" else "clip",
        evidence=(evidence,),
        source="tiny",
        metadata={"note": "größe"},
    )


def run(*arguments: object) -> None:
    assert cli.run([*map(str, arguments), "--root", str(root), "--dataset", "tiny"]) == 0, arguments


draw_video(workspace.videos / "alpha.mp4", [(20 * number, 40, 90) for number in range(8)])
draw_video(workspace.videos / "-beta.mp4", [(120, 25 * number, 30) for number in range(8)])
workspace.images.mkdir(parents=True)
for number, image_id in enumerate(("red.png", "stripes.png")):
    picture = np.zeros((12, 16, 3), np.uint8)
    picture[..., 0] = 200
    picture[:, :: 2 + number, 1] = 180 * number
    Image.fromarray(picture).save(workspace.images / image_id)

way = "Which way does the white square of the video move in front of what the image shows?"
count = "How many squares like the image's are in the video?"
colour = "Which of the images is nearer to the video's last colour?"
middle, end = Evidence(kind="range", start_seconds=0.5, end_seconds=3), Evidence(kind="point", start_seconds=3.5)
iv.Dataset(
    "tiny",
    videos=(iv.Video(video_id="alpha", duration_seconds=4.0, language="en"), iv.Video(video_id="-beta")),
    images=(iv.QueryImage(image_id="red.png"), iv.QueryImage(image_id="stripes.png")),
    questions=(
        ask("alpha_0", "red.png", way, "left, right, up, down", 1, "Motion", Evidence(kind="whole")),
        ask("alpha_1", "stripes.png", count, "one, two, three, four", 0, "Counting", middle),
        ask("-beta_0", "red.png stripes.png", colour, "the first, the second, neither, both alike", 2, "Colour", end),
    ),
    provenance={"source": "made for a test"},
).save(root)

run("cache", "--grid", "4x16", "--workers", "0")
run("verify", "--write-fingerprints")
run("evaluate", "--model", "baseline:random", "--nframes", "4", "--res", "16")
run("validate", "--fail-on", "never")
shutil.move(workspace.videos, "elsewhere")
run("fetch", "--only", "videos", "--source", "elsewhere", "--sleep", "0")
run("publish", "--to", root / "published", "--license", "cc0-1.0")
hidden = ("--split", "test=1.0", "--hide-answers", "test")
run("publish", "--to", root / "published_hidden", *hidden, "--license", "cc0-1.0")
