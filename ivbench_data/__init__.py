"""Image-grounded video benchmarks, from a list of ids to numbers that anyone can reproduce.

Importing this package imports nothing heavy: each name below is loaded from its module when first used (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivbench_data.dataset import Dataset as Dataset
    from ivbench_data.dataset import load as load
    from ivbench_data.evaluate.evaluation import evaluate_questions as evaluate_questions
    from ivbench_data.evaluate.llm_judge import ask_judge as ask_judge
    from ivbench_data.evaluate.llm_judge import open_judge as open_judge
    from ivbench_data.evaluate.metrics.units import JudgeReplies as JudgeReplies
    from ivbench_data.evaluate.reply_scores import score_reply as score_reply
    from ivbench_data.evaluate.scores import score_results as score_results
    from ivbench_data.fetch.downloads import fetch_videos as fetch_videos
    from ivbench_data.fetch.fetch_options import FetchOptions as FetchOptions
    from ivbench_data.frames.cache import cache_frames as cache_frames
    from ivbench_data.frames.reader import CacheReader as CacheReader
    from ivbench_data.frames.reader import read_frames as read_frames
    from ivbench_data.manifests import load_manifest as load_manifest
    from ivbench_data.publish.hidden.hidden_answers import hide_answers as hide_answers
    from ivbench_data.publish.hidden.hidden_answers import read_answers as read_answers
    from ivbench_data.publish.hidden.submissions import read_submission as read_submission
    from ivbench_data.publish.hidden.submissions import score_submission as score_submission
    from ivbench_data.publish.published_damage import verify_published as verify_published
    from ivbench_data.publish.publishing import publish_dataset as publish_dataset
    from ivbench_data.publish.selfcheck.selfcheck import check_published as check_published
    from ivbench_data.publish.tables.parquet_columns import read_row as read_row
    from ivbench_data.schema import FrameGrid as FrameGrid
    from ivbench_data.schema import FrameSelection as FrameSelection
    from ivbench_data.schema import QueryImage as QueryImage
    from ivbench_data.schema import Question as Question
    from ivbench_data.schema import Video as Video
    from ivbench_data.sources import import_dataset as import_dataset
    from ivbench_data.validate.checks import validate_questions as validate_questions
    from ivbench_data.video.fingerprint import write_fingerprints as write_fingerprints
    from ivbench_data.video.verify import verify_videos as verify_videos
    from ivbench_data.workspace import Workspace as Workspace

__version__ = "0.1.0"

_HOME_OF = {
    "CacheReader": "frames.reader",
    "Dataset": "dataset",
    "FetchOptions": "fetch.fetch_options",
    "FrameGrid": "schema",
    "FrameSelection": "schema",
    "QueryImage": "schema",
    "Question": "schema",
    "JudgeReplies": "evaluate.metrics.units",
    "Video": "schema",
    "Workspace": "workspace",
    "ask_judge": "evaluate.llm_judge",
    "cache_frames": "frames.cache",
    "check_published": "publish.selfcheck.selfcheck",
    "evaluate_questions": "evaluate.evaluation",
    "fetch_videos": "fetch.downloads",
    "hide_answers": "publish.hidden.hidden_answers",
    "import_dataset": "sources",
    "score_reply": "evaluate.reply_scores",
    "load": "dataset",
    "load_manifest": "manifests",
    "open_judge": "evaluate.llm_judge",
    "publish_dataset": "publish.publishing",
    "read_answers": "publish.hidden.hidden_answers",
    "read_frames": "frames.reader",
    "read_row": "publish.tables.parquet_columns",
    "read_submission": "publish.hidden.submissions",
    "score_results": "evaluate.scores",
    "score_submission": "publish.hidden.submissions",
    "validate_questions": "validate.checks",
    "verify_published": "publish.published_damage",
    "verify_videos": "video.verify",
    "write_fingerprints": "video.fingerprint",
}

__all__ = [  # noqa: PLE0604  (the names come from the dict above, all of them strings)
    "__version__",
    *sorted(_HOME_OF),
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})
