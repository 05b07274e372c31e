"""Checks of this machine: what the commands need, what is missing, and what to do about it.

Each check is a function of the dataset's folder and the wanted grids; `CHECKS` lists them in the order of the journey.
Only what every command needs is a fault; what single commands need is advice.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, JsonValue

from ivbench_data.errors import DatasetError, UsageError, write_install_command
from ivbench_data.schema import FrameGrid, NonEmpty, Record
from ivbench_data.video.whole_decode import describe_ffmpeg, find_ffmpeg
from ivbench_data.workers import available_cores
from ivbench_data.workspace import DEFAULT_DATASET, Workspace, default_root, list_folder

MIN_PYTHON: Final = (3, 11)
MIN_DENO: Final = (2, 3)
MAX_YT_DLP_AGE_DAYS: Final = 90
"""YouTube changes every few weeks; a yt-dlp older than this fails on more and more videos."""

_CORE = ("av", "click", "huggingface_hub", "imagehash", "jinja2", "numpy", "pillow", "pydantic", "rich")
EXTRAS: Final[dict[str, tuple[str, ...]]] = {
    "fetch": ("yt-dlp", "deno", "imageio-ffmpeg", "ffmpeg-python"),
    "score": ("httpx2", "scipy", "matplotlib", "zstandard"),
    "validate": ("httpx2", "scipy", "matplotlib", "zstandard", "scikit-learn"),
    "eval": ("httpx2", "scipy", "matplotlib", "zstandard", "scikit-learn", "torch", "transformers", "accelerate"),
    "publish": ("datasets",),
}
"""Packages that each extra installs, by their names in the package index."""

EXTRAS_OF: Final[dict[str, tuple[str, ...]]] = {
    "fetch": ("fetch",),
    "verify": ("fetch",),
    "validate": ("validate",),
    "coverage": ("score",),
    "review": ("validate",),
    "evaluate": ("eval",),
    "import": ("score", "publish"),
    "score": ("score",),
    "publish": ("publish",),
    "demo": ("validate", "publish"),
}
"""Extras that a command needs for all of its options; commands that are not listed need none."""

_COMMAND_SECONDS = 20
_USUAL_ASPECT = 16 / 9
_DEFAULT_GRIDS = (FrameGrid(nframes=32, res=240),)


class CheckResult(Record):
    """Result of one check."""

    name: NonEmpty
    """Name of what was checked."""
    status: Literal["ok", "advice", "fault"]
    """`ok`; `advice` where single commands lack something; `fault` where no command works."""
    message: NonEmpty
    """What was found."""
    advice: str | None = None
    """What to do; None where the status is `ok`."""
    facts: dict[str, JsonValue] = Field(default_factory=dict)
    """Versions and sizes."""


@dataclass(frozen=True)
class DoctorContext:
    """What the checks are given: a dataset's folder, and the grids to be built in it."""

    workspace: Workspace
    grids: tuple[FrameGrid, ...]


def examine_environment(
    dataset: str = DEFAULT_DATASET, root: Path | str | None = None, grids: Sequence[FrameGrid] = _DEFAULT_GRIDS
) -> Iterator[CheckResult]:
    """Results of all checks; nothing is changed, and no secret is in them.

    Args:
        dataset: name of the dataset.
        root: folder that holds the datasets; `$IVBENCH_ROOT` or `./data` by default.
        grids: the grids to be built.
    """
    context = DoctorContext(Workspace(Path(root) if root is not None else default_root(), dataset), tuple(grids))
    for check in CHECKS.values():
        yield check(context)


# --- the checks -------------------------------------------------------------------------------------------------


def check_python(_: DoctorContext) -> CheckResult:
    """Whether Python is new enough."""
    found = platform.python_version()
    message = f"Python {found} on {platform.system()} {platform.machine()}"
    facts: dict[str, JsonValue] = {"version": found, "executable": sys.executable}
    if sys.version_info < MIN_PYTHON:
        needed = ".".join(map(str, MIN_PYTHON))
        return CheckResult(
            name="Python", status="fault", message=message, advice=f"Use {needed} or later.", facts=facts
        )
    return CheckResult(name="Python", status="ok", message=message, facts=facts)


def check_packages(_: DoctorContext) -> CheckResult:
    """Whether the packages that every stage needs are installed."""
    versions = {name: _find_version(name) for name in _CORE}
    missing = [name for name, found in versions.items() if found is None]
    if missing:
        return CheckResult(
            name="packages",
            status="fault",
            message=f"not installed: {', '.join(missing)}",
            advice=write_install_command(),
            facts=dict(versions),
        )
    message = f"all {len(_CORE)} there; PyAV {versions['av']}"
    return CheckResult(name="packages", status="ok", message=message, facts=dict(versions))


def check_commands(_: DoctorContext) -> CheckResult:
    """Which commands lack packages that only some of their options need."""
    missing_in = {
        extra: [name for name in packages if _find_version(name) is None] for extra, packages in EXTRAS.items()
    }
    lacking = {
        command: [name for extra in extras for name in missing_in[extra]] for command, extras in EXTRAS_OF.items()
    }
    facts: dict[str, JsonValue] = {command: list(dict.fromkeys(names)) for command, names in lacking.items()}
    incomplete = [f"{command} lacks {', '.join(dict.fromkeys(names))}" for command, names in lacking.items() if names]
    if not incomplete:
        return CheckResult(name="commands", status="ok", message="every command has all packages", facts=facts)
    extras = [extra for extra, names in missing_in.items() if names]
    return CheckResult(
        name="commands",
        status="advice",
        message="; ".join(incomplete),
        advice=f"For all options of these commands: {write_install_command(','.join(extras))}",
        facts=facts,
    )


def check_yt_dlp(_: DoctorContext, today: date | None = None) -> CheckResult:
    """Whether yt-dlp is there, with the scripts that YouTube needs, and how old it is."""
    found, scripts = _find_version("yt-dlp"), _find_version("yt-dlp-ejs")
    if found is None:
        return _advise_fetch("yt-dlp", "not installed; only fetching videos needs it")
    age = _count_days(found, today or date.today())
    facts: dict[str, JsonValue] = {"version": found, "age_days": age, "yt_dlp_ejs": scripts}
    message = f"yt-dlp {found}" + (f", {age} days old" if age is not None else "")
    if scripts is None:
        message += "; yt-dlp-ejs is not installed, and many videos of YouTube need it"
        advice = "pip install 'yt-dlp[default]'"
        return CheckResult(name="yt-dlp", status="advice", message=message, advice=advice, facts=facts)
    if age is not None and age > MAX_YT_DLP_AGE_DAYS:
        advice = "YouTube changes often: pip install --upgrade 'yt-dlp[default]'"
        return CheckResult(name="yt-dlp", status="advice", message=message, advice=advice, facts=facts)
    return CheckResult(name="yt-dlp", status="ok", message=message, facts=facts)


def check_javascript(_: DoctorContext) -> CheckResult:
    """Whether there is a deno that yt-dlp can run YouTube's scripts with."""
    path = _find_deno()
    output = _run([str(path), "--version"]) if path is not None else None
    if path is None or output is None:
        return _advise_fetch("JavaScript", "no deno; YouTube needs a JavaScript runtime")
    found = output.split()[1] if len(output.split()) > 1 else "of unknown version"
    facts: dict[str, JsonValue] = {"path": str(path), "version": found}
    if _number(found) < MIN_DENO:
        needed = ".".join(map(str, MIN_DENO))
        advice = f"yt-dlp wants {needed} or later: pip install --upgrade deno"
        return CheckResult(name="JavaScript", status="advice", message=f"deno {found}", advice=advice, facts=facts)
    return CheckResult(name="JavaScript", status="ok", message=f"deno {found}", facts=facts)


def check_ffmpeg(_: DoctorContext) -> CheckResult:
    """Whether there is an ffmpeg to merge sound, and to decode whole files."""
    path = find_ffmpeg()
    found = describe_ffmpeg(path) if path is not None else None
    if path is None or found is None:
        return _advise_fetch("ffmpeg", "no ffmpeg; verify --deep and fetch --with-audio need it, frames do not")
    if find_spec("ffmpeg") is None:
        return _advise_fetch("ffmpeg", f"{found}, but no ffmpeg-python, which verify --deep needs")
    return CheckResult(name="ffmpeg", status="ok", message=found, facts={"path": str(path)})


def check_hub_token(_: DoctorContext) -> CheckResult:
    """Whether there is a token for the Hugging Face Hub; the token itself is never shown."""
    from huggingface_hub import constants

    places = [name for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN") if os.environ.get(name, "").strip()]
    path = Path(constants.HF_TOKEN_PATH)
    if not places and path.is_file() and path.stat().st_size:
        places.append("the token file")
    if places:
        return CheckResult(name="Hub token", status="ok", message=f"there, in {places[0]}")
    advice = "Public data needs none. To publish, or for gated data: hf auth login"
    return CheckResult(name="Hub token", status="advice", message="none", advice=advice)


def check_disk(context: DoctorContext) -> CheckResult:
    """Whether the disk has room for the grids that are not built yet, and can be written."""
    folder = context.workspace.folder
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(existing).free
    videos = _count_videos(context.workspace)
    needed = sum(_estimate_bytes(context.workspace, grid, videos) for grid in context.grids)
    names = ", ".join(grid.identity for grid in context.grids)
    facts: dict[str, JsonValue] = {"path": str(existing), "free_bytes": free, "needed_bytes": needed, "videos": videos}
    message = (
        f"{free / 1e9:.1f} GB free at {existing}; {names} of {videos} videos take about {needed / 1e9:.1f} GB more"
    )
    if not os.access(existing, os.W_OK):
        advice = "No permission to write there: choose another folder with --root."
        return CheckResult(name="disk", status="fault", message=message, advice=advice, facts=facts)
    if needed > free:
        advice = "Free some space, choose another folder with --root, or a smaller grid."
        return CheckResult(name="disk", status="fault", message=message, advice=advice, facts=facts)
    return CheckResult(name="disk", status="ok", message=message, facts=facts)


def check_cpu(_: DoctorContext) -> CheckResult:
    """How many cores this process may use."""
    cores = available_cores()
    message = f"{cores} cores; caching runs one worker on each"
    return CheckResult(name="CPU", status="ok", message=message, facts={"cores": cores})


def check_gpu(_: DoctorContext) -> CheckResult:
    """Whether there is a GPU, and whether torch can use it."""
    output = _run(["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"])
    cards = [line.strip() for line in output.splitlines() if line.strip()] if output else []
    torch_version = _find_version("torch")
    facts: dict[str, JsonValue] = {"cards": list(cards), "torch": torch_version}
    if torch_version is None:
        message = "; ".join(cards) or "none found"
        return CheckResult(
            name="GPU",
            status="advice",
            message=f"{message}; torch is not installed",
            advice=f"Only running models on this machine needs it: {write_install_command('eval')}",
            facts=facts,
        )
    usable = _ask_torch()
    facts["usable"] = usable
    if usable is not None:
        return CheckResult(name="GPU", status="ok", message=f"{usable}, torch {torch_version}", facts=facts)
    if cards:
        message, advice = (
            f"{'; '.join(cards)}, which torch {torch_version} cannot use",
            "Install a torch built for CUDA.",
        )
    else:
        message = f"none; torch {torch_version} runs on the CPU"
        advice = "Only running models here needs one: fetching, verifying and caching do not."
    return CheckResult(name="GPU", status="advice", message=message, advice=advice, facts=facts)


CHECKS: dict[str, Callable[[DoctorContext], CheckResult]] = {
    "python": check_python,
    "packages": check_packages,
    "commands": check_commands,
    "yt_dlp": check_yt_dlp,
    "javascript": check_javascript,
    "ffmpeg": check_ffmpeg,
    "hub_token": check_hub_token,
    "disk": check_disk,
    "cpu": check_cpu,
    "gpu": check_gpu,
}
"""Every check, in the order of the journey."""


# --- helpers -----------------------------------------------------------------------------------------------------


def _advise_fetch(name: str, message: str) -> CheckResult:
    return CheckResult(name=name, status="advice", message=message, advice=write_install_command("fetch"))


def _find_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _count_days(version_text: str, today: date) -> int | None:
    """The age of a version that is a date, as yt-dlp's are; None when it is none."""
    try:
        year, month, day = (int(part) for part in version_text.split(".")[:3])
        return (today - date(year, month, day)).days
    except ValueError:
        return None


def _number(version_text: str) -> tuple[int, ...]:
    parts = version_text.split("+")[0].split("-")[0].split(".")
    return tuple(int(part) for part in parts if part.isdecimal())


def _find_deno() -> Path | None:
    try:
        import deno  # type: ignore[import-untyped]  # the package is a binary and this one function
    except ImportError:
        found = shutil.which("deno")
        return Path(found) if found else None
    try:
        return Path(deno.find_deno_bin())
    except FileNotFoundError:
        return None


def _run(command: list[str]) -> str | None:
    """The command's output; None if it is absent, fails or hangs."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_COMMAND_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace")


def _ask_torch() -> str | None:
    """The name of the GPU that torch can use, or None."""
    try:
        import torch
    except (ImportError, OSError):  # a build for another driver fails while its libraries load
        return None
    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name(0))
    return "Apple GPU" if torch.backends.mps.is_available() else None


def _count_videos(workspace: Workspace) -> int:
    """Videos of the dataset, or, before it is imported, of its benchmark's release; 0 when neither is known."""
    from ivbench_data.dataset import load_dataset
    from ivbench_data.manifests import load_manifest

    try:
        return len(load_dataset(workspace.dataset, workspace.root).videos)
    except DatasetError:
        pass
    try:
        return load_manifest(workspace.dataset).released.videos or 0
    except (DatasetError, UsageError):
        return 0


def _estimate_bytes(workspace: Workspace, grid: FrameGrid, videos: int) -> int:
    """Bytes of the grid's files that are not there yet, if their videos are 16:9."""
    done = len(list_folder(workspace.cache / grid.identity, "*.safetensors"))
    width, height = grid.size_of(round(1000 * _USUAL_ASPECT), 1000)
    return max(0, videos - done) * grid.nframes * 3 * width * height
