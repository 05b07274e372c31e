"""Runs VLMEvalKit's `run.py` with an exported dataset among its own; `run_vlmevalkit.py` of the export calls `main`."""

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
"""Names VLMEvalKit's own folder; where that does not exist, it takes one in the home folder instead."""

TABLES = ("VIDEO_DATASET", "DATASET_CLASSES", "SUPPORTED_DATASETS")
"""The tables of `vlmeval.dataset` that a dataset has to stand in; shortcuts have one of their own."""


def main(folder: Path, arguments: Sequence[str]) -> int:
    """The exit code of a run: 0 when VLMEvalKit came to its end, else what went wrong before it began."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--vlmevalkit", type=Path)
    told, rest = parser.parse_known_args(arguments)
    try:
        run = prepare(folder, told.vlmevalkit)
        names = list_names(read_harness_folder(folder))
    except IvbenchError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    hand_over(run, rest if _says_what_to_run(rest) else [*rest, "--data", next(iter(names))])
    return 0


def prepare(folder: Path, checkout: Path | None = None) -> Path:
    """Make the export's dataset known to VLMEvalKit; where its `run.py` is.

    Raises:
        DatasetError: the folder holds no export, or has lost media of it.
        UsageError: the checkout is none.
        EnvironmentProblemError: there is no VLMEvalKit, or it cannot be imported.
    """
    folder = folder.absolute()
    index_rows(read_harness_folder(folder), folder)  # run.py would go on after an error, and end well
    run = find_run(checkout)
    if str(run.parent) not in sys.path:
        sys.path.insert(0, str(run.parent))
    os.environ[EXPORT_VARIABLE] = str(folder)
    os.environ.setdefault(DATA_VARIABLE, str(folder / "LMUData"))
    os.environ.setdefault("PRED_FORMAT", "tsv")
    _make_data_folder()
    try:
        importlib.import_module("vlmeval")  # which reads a .env file, that may name another folder
        _make_data_folder()
        datasets = importlib.import_module("vlmeval.dataset")  # which asks for it
    except ImportError as error:
        raise EnvironmentProblemError(
            f"VLMEvalKit in {run.parent} cannot be imported: {error}. Install all that it needs: pip install -e "
            f"{run.parent}"
        ) from error
    _register(datasets, folder)
    return run


def find_run(checkout: Path | None = None) -> Path:
    """VLMEvalKit's `run.py`: of a checkout, or beside the installed package, or in the working folder.

    Raises:
        UsageError: the checkout is none.
        EnvironmentProblemError: there is none to be found.
    """
    if checkout is not None:
        if not (checkout / "run.py").is_file() or not (checkout / "vlmeval").is_dir():
            raise UsageError(f"{checkout} is no checkout of VLMEvalKit: it has no run.py and vlmeval/")
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
        "VLMEvalKit, or say --vlmevalkit /path/to/VLMEvalKit"
    )


def hand_over(run: Path, arguments: Sequence[str]) -> None:
    """Run VLMEvalKit as if its `run.py` had been called with the arguments."""
    sys.argv = [str(run), *arguments]
    runpy.run_path(str(run), run_name="__main__")


def _make_data_folder() -> None:
    Path(os.environ[DATA_VARIABLE]).mkdir(parents=True, exist_ok=True)


def _says_what_to_run(arguments: Sequence[str]) -> bool:
    return any(argument.partition("=")[0] in ("--data", "--config", "-h", "--help") for argument in arguments)


def _register(datasets: ModuleType, folder: Path) -> None:
    from ivbench_data.exports import vlmevalkit_dataset

    shortcuts = importlib.import_module("vlmeval.dataset.video_dataset_config").supported_video_datasets
    if lacking := [table for table in TABLES if not hasattr(datasets, table)]:
        raise EnvironmentProblemError(
            f"this VLMEvalKit has no {lacking[0]} in vlmeval/dataset: ivbench-data knows that of August 2026"
        )
    kind, names = vlmevalkit_dataset.ExportedDataset, list_names(read_harness_folder(folder))
    datasets.VIDEO_DATASET.append(kind)
    datasets.DATASET_CLASSES.append(kind)
    datasets.SUPPORTED_DATASETS.extend(names)
    setattr(datasets, kind.__name__, kind)  # for --config and --data-config, which look classes up by their names
    for name, sampling in names.items():
        shortcuts[name] = partial(kind, nframe=sampling.nframe, fps=sampling.fps)
    keep_replies_exact()
