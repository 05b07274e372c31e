"""A package that an extra brings and that is not installed: each command says how to install it, and no traceback."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Outcome

import ivbench_data as iv

MADE = Path(__file__).parent / "made_by_0_1_0"
SUBMISSION = '{"question_id": "alpha_0", "answer_index": 1}\n'

# what cannot be imported, the extra that brings it, a command that needs it
CASES = [
    ("yt_dlp", "fetch", "fetch --only videos --retry all"),
    ("imageio_ffmpeg", "fetch", "verify --deep"),
    ("scipy", "score", "score"),
    (
        "httpx2",
        "score",
        "evaluate --model openai:small --base-url http://127.0.0.1:9/v1 --pattern text_only --nframes 4 --res 16",
    ),
    ("scipy", "score", "score --answers data/tiny/private/answers-test-1.0.0.jsonl submission.jsonl"),
    ("matplotlib", "score", "score --figure tasks.png"),
    ("matplotlib", "score", "coverage --grid 4x16 --figure"),
    ("sklearn", "validate", "validate --probe"),
    ("datasets", "publish", "publish --to out"),
    ("pyarrow", "publish", "publish --to out"),
    ("transformers", "eval", "evaluate --model Qwen/Qwen2.5-VL-7B-Instruct --nframes 4 --res 16"),
]


@pytest.fixture
def without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a package impossible to import; the small dataset lies in `data/`."""
    shutil.copytree(MADE, tmp_path / "data")
    (tmp_path / "submission.jsonl").write_text(SUBMISSION)
    (tmp_path / "data/tiny/videos/alpha.mp4").unlink()
    (results,) = (tmp_path / "data/tiny/results").iterdir()
    other = results.read_text().replace('"reply":"D","answer_index":3', '"reply":"B","answer_index":1,"correct":true')
    results.with_name("other.jsonl").write_text(other.replace("baseline:random", "baseline:other"))
    results.rename(results.with_name("random.jsonl"))
    monkeypatch.chdir(tmp_path)

    def block(package: str) -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)

    return block


@pytest.mark.parametrize(("package", "extra", "command"), CASES)
def test_a_command_says_how_to_install_what_is_missing(
    package: str, extra: str, command: str, without: Callable[[str], None], run_cli: Callable[..., Outcome]
) -> None:
    without(package)
    at = () if "--answers" in command else ("--dataset", "tiny")
    done = run_cli(*command.split(), *at)
    assert done.code == 3, done.out + done.err
    assert f"[{extra}]'" in done.err
    assert "pip install" in done.err


OPENERS: list[Callable[[], object]] = [
    lambda: iv.read_frames("tiny", "alpha", "4x16", framework="pt"),
    lambda: iv.CacheReader("tiny", "4x16", framework="pt"),
    lambda: iv.open_torch_dataset("tiny", ["alpha"], "4x16"),
]


@pytest.mark.parametrize("open_tensors", OPENERS)
def test_tensors_without_torch_name_the_extra(
    open_tensors: Callable[[], object], without: Callable[[str], None]
) -> None:
    without("torch")
    with pytest.raises(iv.MissingDependencyError, match=r"\[eval\]"):
        open_tensors()
