"""Python code in a model's repository is never run, whatever somebody answers on the terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="these models need torch: pip install 'ivbench-data[eval]'")
pytest.importorskip("transformers", reason="these models need transformers: pip install 'ivbench-data[eval]'")

import tiny_models
from evaluation_dataset import make_dataset, make_media

from ivbench_data.errors import UsageError
from ivbench_data.evaluate.models import ModelOptions, open_model

tiny_models.prepare_torchvision()

pytestmark = [
    pytest.mark.full,
    pytest.mark.filterwarnings("ignore:transformers .* counts positions otherwise:UserWarning"),
]

CODE = """
from pathlib import Path

import transformers

Path({marker!r}).touch()


class Config(transformers.Qwen2_5_VLConfig):
    model_type = "custom"


class Model(transformers.Qwen2_5_VLForConditionalGeneration):
    config_class = Config


class Tokenizer(transformers.PreTrainedTokenizerFast):
    pass


class ImageProcessor(transformers.Qwen2VLImageProcessor):
    pass
"""

FILES = {
    "AutoConfig": "config.json",
    "AutoModelForImageTextToText": "config.json",
    "AutoTokenizer": "tokenizer_config.json",
    "AutoImageProcessor": "preprocessor_config.json",
}
CLASSES = {
    "AutoConfig": "Config",
    "AutoModelForImageTextToText": "Model",
    "AutoTokenizer": "Tokenizer",
    "AutoImageProcessor": "ImageProcessor",
}
NAMES_OF_CLASSES = ("tokenizer_class", "image_processor_type", "processor_class")


@pytest.fixture(autouse=True)
def modules_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where transformers would copy the code to."""
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))


def make_custom(folder: Path, *parts: str) -> tuple[Path, Path]:
    """A checkpoint whose parts are classes of its own, and the marker that its code leaves when it is run."""
    marker = folder.parent / "was_run"
    tiny_models.make_qwen(folder)
    (folder / "custom.py").write_text(CODE.format(marker=str(marker)))
    for part in parts:
        path = folder / FILES[part]
        settings = json.loads(path.read_text())
        settings.setdefault("auto_map", {})[part] = f"custom.{CLASSES[part]}"
        if part == "AutoTokenizer":
            settings["auto_map"][part] = [None, "custom.Tokenizer"]
        if part == "AutoConfig":
            settings["model_type"] = "custom"
        for name in NAMES_OF_CLASSES:
            if name in settings:
                settings[name] = f"Custom{settings[name]}"
        path.write_text(json.dumps(settings))
    return folder, marker


@pytest.mark.parametrize(
    "parts", [("AutoConfig", "AutoModelForImageTextToText"), ("AutoTokenizer",), ("AutoImageProcessor",)]
)
def test_no_part_of_a_checkpoint_runs_code(
    parts: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, marker = make_custom(tmp_path / "custom", *parts)
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda prompt="": asked.append(prompt) or "y")
    options = ModelOptions(dtype="float32", device="cpu")
    if "AutoConfig" in parts:
        with pytest.raises(UsageError, match=r"needs Python code from its own repository.*openai:NAME"):
            open_model(str(checkpoint), options)
    else:
        # some releases of transformers take classes of their own instead, others refuse; none runs the repository's
        refusals: list[str] = []
        try:
            open_model(str(checkpoint), options)
        except UsageError as error:
            refusals.append(str(error))
        assert all("needs Python code from its own repository" in refusal for refusal in refusals)
    assert asked == []
    assert not marker.exists()


@pytest.mark.parametrize("has_terminal", [True, False])
def test_yes_on_the_terminal_runs_nothing(has_terminal: bool, tmp_path: Path) -> None:
    checkpoint, marker = make_custom(tmp_path / "custom", "AutoConfig", "AutoModelForImageTextToText")
    make_media(tmp_path, make_dataset())
    arguments = ["evaluate", "--dataset", "tiny", "--root", str(tmp_path), "--nframes", "8", "--res", "16"]
    command = [sys.executable, "-m", "ivbench_data", *arguments, "--model", str(checkpoint), "--device", "cpu"]
    near, far = os.openpty() if has_terminal else os.pipe()[::-1]
    try:
        os.write(near, b"y\n" * 100)
        done = subprocess.run(
            command, stdin=far, capture_output=True, text=True, timeout=120, start_new_session=True, check=False
        )
    finally:
        os.close(near)
        os.close(far)
    assert done.returncode == 2, done.stderr
    assert "needs Python code from its own repository" in done.stderr
    assert "[y/N]" not in done.stdout + done.stderr
    assert not marker.exists()
