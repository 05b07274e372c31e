"""Image-grounded video benchmarks, from a list of ids to numbers that anyone can reproduce.

Importing this package imports nothing heavy: each name below is loaded from its module when first used (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivbench_data.dataset import Dataset as Dataset
    from ivbench_data.dataset import load_dataset as load_dataset
    from ivbench_data.errors import CacheCorruptError as CacheCorruptError
    from ivbench_data.errors import CacheError as CacheError
    from ivbench_data.errors import CacheNotFoundError as CacheNotFoundError
    from ivbench_data.errors import DatasetError as DatasetError
    from ivbench_data.errors import DatasetNotFoundError as DatasetNotFoundError
    from ivbench_data.errors import EnvironmentProblemError as EnvironmentProblemError
    from ivbench_data.errors import IvbenchError as IvbenchError
    from ivbench_data.errors import MissingDependencyError as MissingDependencyError
    from ivbench_data.errors import NotAVideoError as NotAVideoError
    from ivbench_data.errors import PublicationConflictError as PublicationConflictError
    from ivbench_data.errors import RepositoryNotFoundError as RepositoryNotFoundError
    from ivbench_data.errors import StorageError as StorageError
    from ivbench_data.errors import UnreadableVideoError as UnreadableVideoError
    from ivbench_data.errors import UnsafeNameError as UnsafeNameError
    from ivbench_data.errors import UsageError as UsageError
    from ivbench_data.errors import VideoError as VideoError
    from ivbench_data.errors import VideoLimitError as VideoLimitError
    from ivbench_data.evaluate.evaluation import RunPlan as RunPlan
    from ivbench_data.evaluate.evaluation import evaluate_questions as evaluate_questions
    from ivbench_data.evaluate.import_results import ImportedRun as ImportedRun
    from ivbench_data.evaluate.import_results import import_results as import_results
    from ivbench_data.evaluate.llm_judge import JudgeReply as JudgeReply
    from ivbench_data.evaluate.llm_judge import ask_judge as ask_judge
    from ivbench_data.evaluate.llm_judge import open_judge as open_judge
    from ivbench_data.evaluate.metrics.units import JudgeReplies as JudgeReplies
    from ivbench_data.evaluate.models import ModelOptions as ModelOptions
    from ivbench_data.evaluate.outcome_counts import Readings as Readings
    from ivbench_data.evaluate.prompts.asking import AskOptions as AskOptions
    from ivbench_data.evaluate.prompts.requests import ImagePart as ImagePart
    from ivbench_data.evaluate.prompts.requests import Model as Model
    from ivbench_data.evaluate.prompts.requests import Reply as Reply
    from ivbench_data.evaluate.prompts.requests import Request as Request
    from ivbench_data.evaluate.prompts.requests import TextPart as TextPart
    from ivbench_data.evaluate.prompts.requests import VideoPart as VideoPart
    from ivbench_data.evaluate.reply_outcomes import Outcome as Outcome
    from ivbench_data.evaluate.reply_scores import ReplyScore as ReplyScore
    from ivbench_data.evaluate.reply_scores import score_reply as score_reply
    from ivbench_data.evaluate.results import Results as Results
    from ivbench_data.evaluate.results import ResultsHeader as ResultsHeader
    from ivbench_data.evaluate.results import RunConfiguration as RunConfiguration
    from ivbench_data.evaluate.results import read_results as read_results
    from ivbench_data.evaluate.sample_figures import SampledFigure as SampledFigure
    from ivbench_data.evaluate.scores import Denominators as Denominators
    from ivbench_data.evaluate.scores import GroupScore as GroupScore
    from ivbench_data.evaluate.scores import Scorecard as Scorecard
    from ivbench_data.evaluate.scores import score_results as score_results
    from ivbench_data.exports.submission import ExportedSubmission as ExportedSubmission
    from ivbench_data.exports.submission import export_submission as export_submission
    from ivbench_data.fetch.download_limits import FetchLimits as FetchLimits
    from ivbench_data.fetch.downloads import FetchClock as FetchClock
    from ivbench_data.fetch.downloads import fetch_videos as fetch_videos
    from ivbench_data.fetch.fetch_options import FetchOptions as FetchOptions
    from ivbench_data.frames.cache import CacheOptions as CacheOptions
    from ivbench_data.frames.cache import cache_frames as cache_frames
    from ivbench_data.frames.frame_file import Clip as Clip
    from ivbench_data.frames.reader import CacheReader as CacheReader
    from ivbench_data.frames.reader import Framework as Framework
    from ivbench_data.frames.reader import TensorClip as TensorClip
    from ivbench_data.frames.reader import open_torch_dataset as open_torch_dataset
    from ivbench_data.frames.reader import read_frames as read_frames
    from ivbench_data.manifests import HubRepository as HubRepository
    from ivbench_data.manifests import Manifest as Manifest
    from ivbench_data.manifests import ManifestCounts as ManifestCounts
    from ivbench_data.manifests import ManifestTask as ManifestTask
    from ivbench_data.manifests import PublishedResult as PublishedResult
    from ivbench_data.manifests import ReleaseFile as ReleaseFile
    from ivbench_data.manifests import load_manifest as load_manifest
    from ivbench_data.publish.build import PublishOptions as PublishOptions
    from ivbench_data.publish.changes import Bump as Bump
    from ivbench_data.publish.changes import EditionChanges as EditionChanges
    from ivbench_data.publish.changes import MovedQuestions as MovedQuestions
    from ivbench_data.publish.edition import EarlierEdition as EarlierEdition
    from ivbench_data.publish.edition import fetch_earlier as fetch_earlier
    from ivbench_data.publish.edition import read_earlier as read_earlier
    from ivbench_data.publish.hidden.hidden_answers import AnswersFile as AnswersFile
    from ivbench_data.publish.hidden.hidden_answers import AnswersHeader as AnswersHeader
    from ivbench_data.publish.hidden.hidden_answers import HiddenAnswers as HiddenAnswers
    from ivbench_data.publish.hidden.hidden_answers import hide_answers as hide_answers
    from ivbench_data.publish.hidden.hidden_answers import read_answers as read_answers
    from ivbench_data.publish.hidden.secret import HidingSecret as HidingSecret
    from ivbench_data.publish.hidden.submissions import Submission as Submission
    from ivbench_data.publish.hidden.submissions import read_submission as read_submission
    from ivbench_data.publish.hidden.submissions import score_submission as score_submission
    from ivbench_data.publish.publication_record import PublishedSplit as PublishedSplit
    from ivbench_data.publish.publication_record import PublishedVersion as PublishedVersion
    from ivbench_data.publish.publication_record import SplitRecipe as SplitRecipe
    from ivbench_data.publish.published_damage import PublishedDamage as PublishedDamage
    from ivbench_data.publish.published_damage import verify_published as verify_published
    from ivbench_data.publish.publishing import Publication as Publication
    from ivbench_data.publish.publishing import publish_dataset as publish_dataset
    from ivbench_data.publish.selfcheck.attack_input import Attack as Attack
    from ivbench_data.publish.selfcheck.attack_input import AttackInput as AttackInput
    from ivbench_data.publish.selfcheck.attack_input import Guess as Guess
    from ivbench_data.publish.selfcheck.published_answers import PublishedAnswers as PublishedAnswers
    from ivbench_data.publish.selfcheck.published_evidence import PublishedEvidence as PublishedEvidence
    from ivbench_data.publish.selfcheck.selfcheck import AttackResult as AttackResult
    from ivbench_data.publish.selfcheck.selfcheck import SelfCheckReport as SelfCheckReport
    from ivbench_data.publish.selfcheck.selfcheck import check_published as check_published
    from ivbench_data.publish.splits.split_plan import SplitPlan as SplitPlan
    from ivbench_data.publish.splits.split_plan import plan_splits as plan_splits
    from ivbench_data.publish.splits.split_requests import SplitRequest as SplitRequest
    from ivbench_data.publish.splits.split_requests import parse_splits as parse_splits
    from ivbench_data.publish.tables.parquet_columns import read_row as read_row
    from ivbench_data.publish.tables.published_media import GatheredImages as GatheredImages
    from ivbench_data.publish.tables.published_media import ImageFile as ImageFile
    from ivbench_data.schema import BadLine as BadLine
    from ivbench_data.schema import CacheResult as CacheResult
    from ivbench_data.schema import EvaluationResult as EvaluationResult
    from ivbench_data.schema import Evidence as Evidence
    from ivbench_data.schema import EvidenceBox as EvidenceBox
    from ivbench_data.schema import FetchResult as FetchResult
    from ivbench_data.schema import Finding as Finding
    from ivbench_data.schema import FrameGrid as FrameGrid
    from ivbench_data.schema import FrameSelection as FrameSelection
    from ivbench_data.schema import QueryImage as QueryImage
    from ivbench_data.schema import Question as Question
    from ivbench_data.schema import Repair as Repair
    from ivbench_data.schema import Subtitle as Subtitle
    from ivbench_data.schema import VerifyResult as VerifyResult
    from ivbench_data.schema import Video as Video
    from ivbench_data.sources import import_dataset as import_dataset
    from ivbench_data.statistics import Estimate as Estimate
    from ivbench_data.validate.checks import validate_questions as validate_questions
    from ivbench_data.validate.checks.context import CheckContext as CheckContext
    from ivbench_data.video.fingerprint import Fingerprint as Fingerprint
    from ivbench_data.video.fingerprint import write_fingerprints as write_fingerprints
    from ivbench_data.video.verify import Depth as Depth
    from ivbench_data.video.verify import VerifyOptions as VerifyOptions
    from ivbench_data.video.verify import verify_videos as verify_videos
    from ivbench_data.withdrawals import Withdrawal as Withdrawal
    from ivbench_data.workspace import Workspace as Workspace

__version__ = "0.1.0"

_NAMES_IN = {
    "dataset": "Dataset load_dataset",
    "errors": (
        "CacheCorruptError CacheError CacheNotFoundError DatasetError DatasetNotFoundError "
        "EnvironmentProblemError IvbenchError MissingDependencyError NotAVideoError "
        "PublicationConflictError RepositoryNotFoundError StorageError UnreadableVideoError UnsafeNameError "
        "UsageError VideoError VideoLimitError"
    ),
    "evaluate.evaluation": "RunPlan evaluate_questions",
    "evaluate.import_results": "ImportedRun import_results",
    "evaluate.llm_judge": "JudgeReply ask_judge open_judge",
    "evaluate.metrics.units": "JudgeReplies",
    "evaluate.models": "ModelOptions",
    "evaluate.outcome_counts": "Readings",
    "evaluate.prompts.asking": "AskOptions",
    "evaluate.prompts.requests": "ImagePart Model Reply Request TextPart VideoPart",
    "evaluate.reply_outcomes": "Outcome",
    "evaluate.reply_scores": "ReplyScore score_reply",
    "evaluate.results": "Results ResultsHeader RunConfiguration read_results",
    "evaluate.sample_figures": "SampledFigure",
    "evaluate.scores": "Denominators GroupScore Scorecard score_results",
    "exports.submission": "ExportedSubmission export_submission",
    "fetch.download_limits": "FetchLimits",
    "fetch.downloads": "FetchClock fetch_videos",
    "fetch.fetch_options": "FetchOptions",
    "frames.cache": "CacheOptions cache_frames",
    "frames.frame_file": "Clip",
    "frames.reader": "CacheReader Framework TensorClip open_torch_dataset read_frames",
    "manifests": "HubRepository Manifest ManifestCounts ManifestTask PublishedResult ReleaseFile load_manifest",
    "publish.build": "PublishOptions",
    "publish.changes": "Bump EditionChanges MovedQuestions",
    "publish.edition": "EarlierEdition fetch_earlier read_earlier",
    "publish.hidden.hidden_answers": "AnswersFile AnswersHeader HiddenAnswers hide_answers read_answers",
    "publish.hidden.secret": "HidingSecret",
    "publish.hidden.submissions": "Submission read_submission score_submission",
    "publish.publication_record": "PublishedSplit PublishedVersion SplitRecipe",
    "publish.published_damage": "PublishedDamage verify_published",
    "publish.publishing": "Publication publish_dataset",
    "publish.selfcheck.attack_input": "Attack AttackInput Guess",
    "publish.selfcheck.published_answers": "PublishedAnswers",
    "publish.selfcheck.published_evidence": "PublishedEvidence",
    "publish.selfcheck.selfcheck": "AttackResult SelfCheckReport check_published",
    "publish.splits.split_plan": "SplitPlan plan_splits",
    "publish.splits.split_requests": "SplitRequest parse_splits",
    "publish.tables.parquet_columns": "read_row",
    "publish.tables.published_media": "GatheredImages ImageFile",
    "schema": (
        "BadLine CacheResult EvaluationResult Evidence EvidenceBox FetchResult Finding FrameGrid FrameSelection "
        "QueryImage Question Repair Subtitle VerifyResult Video"
    ),
    "sources": "import_dataset",
    "statistics": "Estimate",
    "validate.checks": "validate_questions",
    "validate.checks.context": "CheckContext",
    "video.fingerprint": "Fingerprint write_fingerprints",
    "video.verify": "Depth VerifyOptions verify_videos",
    "withdrawals": "Withdrawal",
    "workspace": "Workspace",
}
"""Public names by module, in strings that are split at the spaces."""

_HOME_OF = {name: home for home, names in _NAMES_IN.items() for name in names.split()}

_DEPRECATED = {
    "Verdicts": ("evaluate.metrics.units", "JudgeReplies", "JudgeReplies"),
    "judge_reply": ("evaluate.reply_scores", "score_reply", "score_reply"),
    "load": ("dataset", "load", "load_dataset(name, root)"),
}
"""Old names: module, name in it, and what to say instead."""

__all__ = [  # noqa: PLE0604  (the names come from the dict above, all of them strings)
    "__version__",
    *sorted(_HOME_OF),
]


def __getattr__(name: str) -> Any:
    if name in _DEPRECATED:
        import warnings

        home, current, instead = _DEPRECATED[name]
        warnings.warn(f"ivbench_data.{name} is deprecated: use {instead}", DeprecationWarning, stacklevel=2)
        return getattr(import_module(f"{__name__}.{home}"), current)
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
