"""A stand-in for VLMEvalKit's checkout: its tables, and a `run.py` that goes the way of the real one, in little.

It keeps replies in a table of its own, and has them scored by another object than asked for them.
"""

from __future__ import annotations

from pathlib import Path

FILES = {
    "vlmeval/__init__.py": """
import os
if os.path.exists(".env"):
    os.environ["LMUData"] = open(".env").read()
""",
    "vlmeval/dataset/__init__.py": """
import os
assert os.path.isdir(os.environ["LMUData"]), "the home folder would be taken"
VIDEO_DATASET, DATASET_CLASSES, SUPPORTED_DATASETS = [], [], []
""",
    "vlmeval/dataset/video_base.py": "class VideoBaseDataset:\n    pass\n",
    "vlmeval/dataset/video_dataset_config.py": "supported_video_datasets = {}\n",
    "vlmeval/inference_video.py": """
import pandas as pd
def load(path):
    return pd.read_csv(path, sep="\\t")
""",
    "run.py": """
import argparse, csv, json, os, sys
import vlmeval.dataset, vlmeval.inference_video
from vlmeval.dataset.video_dataset_config import supported_video_datasets

parser = argparse.ArgumentParser()
for option in ("--data", "--model", "--replies", "--out", "--takes-videos"):
    parser.add_argument(option)
args = parser.parse_args()
(kind,) = vlmeval.dataset.VIDEO_DATASET
assert args.data in kind.supported_datasets() and args.data in vlmeval.dataset.SUPPORTED_DATASETS
assert os.path.isdir(os.environ["LMUData"])
asked = supported_video_datasets[args.data]()
shown = [asked.build_prompt(number, video_llm=bool(args.takes_videos)) for number in range(len(asked.data))]
table = asked.data.copy()
replies = json.load(open(args.replies))
table["prediction"] = [replies[line["question_id"]] for _, line in table.iterrows()]
path = f"{args.out}.{os.environ['PRED_FORMAT']}"
table.to_csv(path, sep="\\t", index=False, encoding="utf-8", quoting=csv.QUOTE_ALL)
again = vlmeval.inference_video.load(path)
figures = supported_video_datasets[args.data]().evaluate(path, model="a judge", nproc=4)
told = {"argv": sys.argv, "figures": figures, "shown": shown, "nframe": asked.nframe, "fps": asked.fps,
        "type": kind.TYPE, "kept": [str(reply) for reply in again["prediction"]], "LMUData": os.environ["LMUData"]}
json.dump(told, open(args.out + ".json", "w"))
""",
}


def make_standin(folder: Path) -> Path:
    """A folder that looks like a checkout of VLMEvalKit."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder
