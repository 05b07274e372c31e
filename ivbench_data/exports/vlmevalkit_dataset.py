"""The class that VLMEvalKit asks: the one module here that needs VLMEvalKit, and its pandas, to be imported."""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from vlmeval.dataset.video_base import VideoBaseDataset

from ivbench_data.dataset import Dataset
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.evaluate.evaluation import find_versions
from ivbench_data.evaluate.results import Header, Results
from ivbench_data.evaluate.scores import score_results
from ivbench_data.exports.harness import HarnessRow, HarnessSet, collect_results
from ivbench_data.exports.harness_folder import read_harness_folder
from ivbench_data.exports.vlmevalkit import (
    EXPORT_VARIABLE,
    index_rows,
    list_names,
    name_dataset,
    tabulate_row,
    write_message,
)
from ivbench_data.exports.vlmevalkit_tables import find_cut_replies, read_table
from ivbench_data.strict_json import write_jsonl

FAILED = "Failed to obtain answer"
"""What VLMEvalKit writes instead of a reply that it did not get; more may follow."""


@cache
def open_export(folder: Path) -> tuple[HarnessSet, dict[str, HarnessRow]]:
    """The export's rows, and those that can be asked by their index."""
    rows = read_harness_folder(folder)
    return rows, index_rows(rows, folder)


class ExportedDataset(VideoBaseDataset):
    """The questions of an export, asked and scored as `ivbench-data evaluate` does.

    `data` is VLMEvalKit's table: a line a question, found again by its `index`.
    """

    TYPE = "Video-MCQ"

    def __init__(self, dataset: str = "", pack: bool = False, nframe: int = 0, fps: float = -1) -> None:
        # The base class is not asked to prepare anything: it reads a table with pandas, and takes frames from films.
        self.folder = Path(os.environ[EXPORT_VARIABLE])
        self.export, self.rows = open_export(self.folder)
        if pack:
            raise UsageError("questions of one video are not packed into one here: say pack=False")
        if self.export.options.show == "frames" and (fps > 0 or nframe not in (0, self.export.options.grid.nframes)):
            raise UsageError(f"this export shows the frames of {self.export.options.grid.identity}, and no others")
        self.dataset_name = dataset or name_dataset(self.export)
        self.data_root = str(self.folder)
        self.pack, self.nframe, self.fps = False, nframe, fps
        self.data = pd.DataFrame(
            [{"index": index, **tabulate_row(row)} for index, row in self.rows.items()], dtype=object
        )
        self.videos = sorted({row.question.video_id or "" for row in self.rows.values()})

    @classmethod
    def supported_datasets(cls) -> list[str]:
        """Every name under which the export can be asked for."""
        return list(list_names(open_export(Path(os.environ[EXPORT_VARIABLE]))[0]))

    def prepare_dataset(self, dataset: str) -> None:
        """Nothing: the export is prepared."""

    def build_prompt(self, line: Any, video_llm: bool = False) -> list[dict[str, Any]]:
        """What a model is shown of a line of `data`, or of the line of that number."""
        index = (line if isinstance(line, pd.Series | dict) else self.data.iloc[int(line)])["index"]
        return write_message(self.rows[index], self.folder, video_llm)

    def evaluate(self, eval_file: str, **judge_kwargs: Any) -> dict[str, Any]:
        """The figures of VLMEvalKit's result file, as shares from 0 to 1; a judge is never asked.

        Every reply and verdict is written beside it, for `ivbench-data score`.

        Raises:
            DatasetError: the file lacks replies, or a reply was cut off in it.
        """
        path = Path(eval_file)
        results = self._judge(self._find_replies(path), path.stem.rpartition(f"_{self.dataset_name}")[0] or path.stem)
        header = Header(
            configuration=results.configuration,
            versions=find_versions(),
            started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        )
        write_jsonl(path.with_name(f"{path.stem}_ivbench-data.jsonl"), [header, *results.rows.values()])
        card = score_results(Dataset(self.export.dataset, questions=self.export.questions), results)
        scores = {
            "overall": card.overall,
            **{f"group {key}": score for key, score in card.groups.items() if score.evaluated},
            **{f"task {name}": score for name, score in card.tasks.items() if score.evaluated},
        }
        return {
            **{name: score.accuracy.value if score.accuracy else None for name, score in scores.items()},
            "overall_with_missing_as_wrong": card.overall_with_missing_as_wrong,
            "parse_rate": card.overall.parse_rate,
            "evaluated": card.overall.evaluated,
            "failed": card.overall.failed,
            "missing": card.overall.missing,
            "unscorable": card.denominators.unscorable,
        }

    def _find_replies(self, path: Path) -> dict[str, str]:
        """Replies by index: as the model gave them, where it was asked just now, else as the file has them."""
        if "prediction" in self.data:
            return dict(zip(self.data["index"], self.data["prediction"], strict=True))
        table = read_table(path)
        replies = dict(zip(table["index"].astype(str), table["prediction"].astype(str), strict=True))
        if lacking := len(self.rows.keys() - replies.keys()):
            raise DatasetError(
                f"{path} has no reply to {lacking:,} of {len(self.rows):,} questions as they are now: they, or what is "
                "shown with them, were others when it was written. Ask them again"
            )
        if cut := find_cut_replies(path, table):
            raise DatasetError(
                f"a spreadsheet cut off {cut:,} of the replies in {path}, and the answer may have stood at the end. "
                "Ask again with PRED_FORMAT=tsv"
            )
        return replies

    def _judge(self, replies: dict[str, str], model: str) -> Results:
        answered: dict[str, str | None] = {}
        failed = {row.question_id: row.reason for row in self.export.unasked if row.kind == "failed"}
        for index, row in self.rows.items():
            reply, question_id = replies[index], row.question.question_id
            if reply.startswith(FAILED):
                failed[question_id] = reply
            else:
                answered[question_id] = reply
        dataset = Dataset(self.export.dataset, questions=self.export.questions)
        return collect_results(dataset, answered, self.export.options, model, "VLMEvalKit", failed)
