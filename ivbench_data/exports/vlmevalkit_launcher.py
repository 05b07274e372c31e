"""Launcher of VLMEvalKit's `run.py` with an exported dataset added; the export's `run_vlmevalkit.py` calls `main`."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import runpy
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import ModuleType

from ivbench_data.errors import EnvironmentProblemError, IvbenchError, UsageError
from ivbench_data.exports.harness_folder import read_harness_folder
from ivbench_data.exports.vlmevalkit import EXPORT_VARIABLE, index_rows, list_names
from ivbench_data.exports.vlmevalkit_tables import keep_replies_exact

DATA_VARIABLE = "LMUData"
"""Environment variable with VLMEvalKit's data folder; if missing, it uses one in the home folder."""

TABLES = ("VIDEO_DATASET", "DATASET_CLASSES", "SUPPORTED_DATASETS")
"""The registries of `vlmeval.dataset` that a dataset must be in, besides that of shortcuts."""


def main(folder: Path, arguments: Sequence[str]) -> int:
    """Run VLMEvalKit; returns 0 at its end, or the exit code of an error before its start."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--vlmevalkit", type=Path)
    known, rest = parser.parse_known_args(arguments)
    try:
        run = prepare(folder, known.vlmevalkit)
        names = list_names(read_harness_folder(folder))
    except IvbenchError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    hand_over(run, rest if _names_data(rest) else [*rest, "--data", next(iter(names))])
    return 0


def prepare(folder: Path, checkout: Path | None = None) -> Path:
    """Register the export's dataset in VLMEvalKit; returns the path of its `run.py`.

    Raises:
        DatasetError: the folder holds no export, or lacks media of it.
        UsageError: `checkout` is not a checkout of VLMEvalKit.
        EnvironmentProblemError: VLMEvalKit is not found, or cannot be imported.
    """
    folder = folder.absolute()
    index_rows(read_harness_folder(folder), folder)  # checked here: run.py continues after an error, and exits with 0
    run = find_run(checkout)
    if str(run.parent) not in sys.path:
        sys.path.insert(0, str(run.parent))
    os.environ[EXPORT_VARIABLE] = str(folder)
    os.environ.setdefault(DATA_VARIABLE, str(folder / "LMUData"))
    os.environ.setdefault("PRED_FORMAT", "tsv")
    _make_data_folder()
    try:
        importlib.import_module("vlmeval")  # reads a .env file, which may set another folder
        _make_data_folder()
        datasets = importlib.import_module("vlmeval.dataset")  # needs the folder
    except ImportError as error:
        raise EnvironmentProblemError(
            f"VLMEvalKit in {run.parent} cannot be imported: {error}. Install all that it needs: pip install -e "
            f"{run.parent}"
        ) from error
    _register(datasets, folder)
    return run


def find_run(checkout: Path | None = None) -> Path:
    """Path of VLMEvalKit's `run.py`: in the checkout, beside the installed package, or in the working folder.

    Raises:
        UsageError: `checkout` is not a checkout of VLMEvalKit.
        EnvironmentProblemError: no `run.py` is found.
    """
    if checkout is not None:
        if not (checkout / "run.py").is_file() or not (checkout / "vlmeval").is_dir():
            raise UsageError(f"{checkout} is not a checkout of VLMEvalKit: it lacks run.py or vlmeval/")
        return (checkout / "run.py").absolute()
    found = importlib.util.find_spec("vlmeval")
    packages = [Path(place) for place in found.submodule_search_locations or ()] if found is not None else []
    for place in (*packages, Path("vlmeval").absolute()):
        for run in (place.parent / "run.py", place / "run.py"):
            if place.is_dir() and run.is_file():
                return run
    reason = "is installed without its run.py" if packages else "is not installed"
    raise EnvironmentProblemError(
        f"VLMEvalKit {reason}. Get it with: git clone https://github.com/open-compass/VLMEvalKit, then pip install -e "
        "VLMEvalKit, or use --vlmevalkit /path/to/VLMEvalKit"
    )


def hand_over(run: Path, arguments: Sequence[str]) -> None:
    """Run VLMEvalKit's `run.py` with the arguments, as a script."""
    sys.argv = [str(run), *arguments]
    runpy.run_path(str(run), run_name="__main__")


def _make_data_folder() -> None:
    Path(os.environ[DATA_VARIABLE]).mkdir(parents=True, exist_ok=True)


def _names_data(arguments: Sequence[str]) -> bool:
    return any(argument.partition("=")[0] in ("--data", "--config", "-h", "--help") for argument in arguments)


def _register(datasets: ModuleType, folder: Path) -> None:
    from ivbench_data.exports import vlmevalkit_dataset

    shortcuts = importlib.import_module("vlmeval.dataset.video_dataset_config").supported_video_datasets
    if lacking := [table for table in TABLES if not hasattr(datasets, table)]:
        raise EnvironmentProblemError(
            f"this VLMEvalKit has no {lacking[0]} in vlmeval/dataset: ivbench-data supports that of August 2026"
        )
    kind, names = vlmevalkit_dataset.ExportedDataset, list_names(read_harness_folder(folder))
    datasets.VIDEO_DATASET.append(kind)
    datasets.DATASET_CLASSES.append(kind)
    datasets.SUPPORTED_DATASETS.extend(names)
    setattr(datasets, kind.__name__, kind)  # for --config and --data-config, which look up classes by name
    for name, sampling in names.items():
        shortcuts[name] = partial(kind, nframe=sampling.nframe, fps=sampling.fps)
    keep_replies_exact()
