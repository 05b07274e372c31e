"""Image-grounded video benchmarks, from a list of ids to numbers that anyone can reproduce.

Importing this package imports nothing heavy: each name below is loaded from its module when first used (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivbench_data.cache import cache_frames as cache_frames
    from ivbench_data.dataset import Dataset as Dataset
    from ivbench_data.dataset import load as load
    from ivbench_data.evaluate.evaluation import evaluate_questions as evaluate_questions
    from ivbench_data.evaluate.judging import judge_reply as judge_reply
    from ivbench_data.evaluate.scores import score_results as score_results
    from ivbench_data.fetch.options import FetchOptions as FetchOptions
    from ivbench_data.fetch.videos import fetch_videos as fetch_videos
    from ivbench_data.fingerprint import write_fingerprints as write_fingerprints
    from ivbench_data.manifests import load_manifest as load_manifest
    from ivbench_data.publish.damage import verify_published as verify_published
    from ivbench_data.publish.hidden import hide_answers as hide_answers
    from ivbench_data.publish.hidden import read_answers as read_answers
    from ivbench_data.publish.publishing import publish_dataset as publish_dataset
    from ivbench_data.publish.rows import read_row as read_row
    from ivbench_data.publish.selfcheck import check_published as check_published
    from ivbench_data.publish.submissions import read_submission as read_submission
    from ivbench_data.publish.submissions import score_submission as score_submission
    from ivbench_data.reader import CacheReader as CacheReader
    from ivbench_data.reader import read_frames as read_frames
    from ivbench_data.schema import FrameGrid as FrameGrid
    from ivbench_data.schema import FrameSelection as FrameSelection
    from ivbench_data.schema import QueryImage as QueryImage
    from ivbench_data.schema import Question as Question
    from ivbench_data.schema import Video as Video
    from ivbench_data.sources import import_dataset as import_dataset
    from ivbench_data.validate import validate_questions as validate_questions
    from ivbench_data.verify import verify_videos as verify_videos
    from ivbench_data.workspace import Workspace as Workspace

__version__ = "0.1.0"

_HOME_OF = {
    "CacheReader": "reader",
    "Dataset": "dataset",
    "FetchOptions": "fetch.options",
    "FrameGrid": "schema",
    "FrameSelection": "schema",
    "QueryImage": "schema",
    "Question": "schema",
    "Video": "schema",
    "Workspace": "workspace",
    "cache_frames": "cache",
    "check_published": "publish.selfcheck",
    "evaluate_questions": "evaluate.evaluation",
    "fetch_videos": "fetch.videos",
    "hide_answers": "publish.hidden",
    "import_dataset": "sources",
    "judge_reply": "evaluate.judging",
    "load": "dataset",
    "load_manifest": "manifests",
    "publish_dataset": "publish.publishing",
    "read_answers": "publish.hidden",
    "read_frames": "reader",
    "read_row": "publish.rows",
    "read_submission": "publish.submissions",
    "score_results": "evaluate.scores",
    "score_submission": "publish.submissions",
    "validate_questions": "validate",
    "verify_published": "publish.damage",
    "verify_videos": "verify",
    "write_fingerprints": "fingerprint",
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
