"""The dataset class for VLMEvalKit; importing this module imports VLMEvalKit and pandas."""

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
from ivbench_data.evaluate.results import Results, ResultsHeader
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
"""The beginning of what VLMEvalKit stores instead of a missing reply."""


@cache
def open_export(folder: Path) -> tuple[HarnessSet, dict[str, HarnessRow]]:
    """The export's rows, and its askable rows by index."""
    rows = read_harness_folder(folder)
    return rows, index_rows(rows, folder)


class ExportedDataset(VideoBaseDataset):
    """The questions of an export, worded and scored as by `ivbench-data evaluate`.

    `data` is VLMEvalKit's table: one line per question, identified by its `index`.
    """

    TYPE = "Video-MCQ"

    def __init__(self, dataset: str = "", pack: bool = False, nframe: int = 0, fps: float = -1) -> None:
        # super().__init__ is not called: it would read a table with pandas, and sample frames from videos
        self.folder = Path(os.environ[EXPORT_VARIABLE])
        self.export, self.rows = open_export(self.folder)
        if pack:
            raise UsageError("packing the questions of one video into one is not supported: use pack=False")
        if self.export.options.show == "frames" and (fps > 0 or nframe not in (0, self.export.options.grid.nframes)):
            raise UsageError(f"this export holds the frames of {self.export.options.grid.identity} only")
        self.dataset_name = dataset or name_dataset(self.export)
        self.data_root = str(self.folder)
        self.pack, self.nframe, self.fps = False, nframe, fps
        self.data = pd.DataFrame(
            [{"index": index, **tabulate_row(row)} for index, row in self.rows.items()], dtype=object
        )
        self.videos = sorted({row.question.video_id or "" for row in self.rows.values()})

    @classmethod
    def supported_datasets(cls) -> list[str]:
        """Every name of the export's dataset."""
        return list(list_names(open_export(Path(os.environ[EXPORT_VARIABLE]))[0]))

    def prepare_dataset(self, dataset: str) -> None:
        """Does nothing: an export needs no preparation."""

    def build_prompt(self, line: Any, video_llm: bool = False) -> list[dict[str, Any]]:
        """The message to a model for a line of `data`, or for the line of that number."""
        index = (line if isinstance(line, pd.Series | dict) else self.data.iloc[int(line)])["index"]
        return write_message(self.rows[index], self.folder, video_llm)

    def evaluate(self, eval_file: str, **judge_kwargs: Any) -> dict[str, Any]:
        """The figures of VLMEvalKit's result file, as shares from 0 to 1; no LLM judge is used.

        Every reply with its score is written to a file beside it, for `ivbench-data score`.

        Raises:
            DatasetError: the file lacks replies, or a reply was cut off in it.
        """
        path = Path(eval_file)
        results = self._collect(self._find_replies(path), path.stem.rpartition(f"_{self.dataset_name}")[0] or path.stem)
        header = ResultsHeader(
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
        """Replies by index: from memory if the model was just asked, else from the file."""
        if "prediction" in self.data:
            return dict(zip(self.data["index"], self.data["prediction"], strict=True))
        table = read_table(path)
        replies = dict(zip(table["index"].astype(str), table["prediction"].astype(str), strict=True))
        if lacking := len(self.rows.keys() - replies.keys()):
            raise DatasetError(
                f"{path} has no reply to {lacking:,} of {len(self.rows):,} questions: the questions or their media "
                "have changed since. Ask them again"
            )
        if cut := find_cut_replies(path, table):
            raise DatasetError(
                f"a spreadsheet cut off {cut:,} of the replies in {path}, possibly with the answer. "
                "Ask again with PRED_FORMAT=tsv"
            )
        return replies

    def _collect(self, replies: dict[str, str], model: str) -> Results:
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
