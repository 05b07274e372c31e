"""Patches made on the device, against the published steps in numpy and against the models' own processors."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="patches need torch: pip install 'ivbench-data[eval]'")
pytest.importorskip("transformers", reason="patches need transformers: pip install 'ivbench-data[eval]'")

import tiny_models
import torch  # noqa: TID253  (after importorskip)
from hypothesis import given, settings
from hypothesis import strategies as st

from ivbench_data.errors import UsageError
from ivbench_data.evaluate.models.vision_patches import VideoPreprocessing, make_patches

# before transformers looks for it
HAS_TORCHVISION = tiny_models.prepare_torchvision()

pytestmark = pytest.mark.full

FAMILIES = ("qwen2_5_vl", "qwen3_vl")
CONFIGS: dict[str, dict[str, Any]] = {
    "qwen2_5_vl": tiny_models.QWEN2_5_VL_PREPROCESSOR,
    "qwen3_vl": tiny_models.QWEN3_VL_VIDEO_PREPROCESSOR,
}
DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")],
    ),
]


def draw_frames(nframes: int, height: int, width: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(7).integers(0, 256, (nframes, 3, height, width), np.uint8))


def make_patches_by_steps(frames: torch.Tensor, preprocessing: VideoPreprocessing) -> np.ndarray[Any, Any]:
    """The published steps, patch after patch, pixel by pixel: rescale and normalise in float32, then cut and order."""
    array = frames.cpu().numpy()
    array = np.concatenate([array, array[-1:].repeat(-len(array) % preprocessing.temporal_patch_size, 0)])
    mean = (np.float32(preprocessing.mean) * np.float32(255.0)).reshape(1, 3, 1, 1)
    std = (np.float32(preprocessing.std) * np.float32(255.0)).reshape(1, 3, 1, 1)
    values = (array.astype(np.float32) - mean) / std
    side, merge, depth = preprocessing.patch_size, preprocessing.merge_size, preprocessing.temporal_patch_size
    found = []
    blocks = itertools.product(
        range(0, len(array), depth),
        range(0, array.shape[2], side * merge),
        range(0, array.shape[3], side * merge),
        range(0, side * merge, side),
        range(0, side * merge, side),
    )
    for at, top, left, down, right in blocks:
        y, x = top + down, left + right
        found.append(values[at : at + depth, :, y : y + side, x : x + side].transpose(1, 0, 2, 3).reshape(-1))
    return np.stack(found)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("nframes", [1, 2, 5, 8])
@pytest.mark.parametrize("family", FAMILIES)
def test_patches_are_those_of_the_published_steps_to_the_bit(family: str, nframes: int, device: str) -> None:
    preprocessing = VideoPreprocessing.from_config(CONFIGS[family], family)
    frames = draw_frames(nframes, 2 * preprocessing.multiple, 3 * preprocessing.multiple)
    patches, grid = make_patches(frames.to(device), preprocessing)
    assert grid == preprocessing.grid_of(*frames.shape[:1], *frames.shape[2:])
    assert patches.dtype == torch.float32
    assert patches.device.type == device
    np.testing.assert_array_equal(patches.cpu().numpy(), make_patches_by_steps(frames, preprocessing))


@pytest.mark.parametrize(
    "size",
    [(56, 84), (64, 96), (240, 428), (72, 128), (31, 200), (700, 40)],
    ids=lambda size: f"{size[1]}x{size[0]}",
)
@pytest.mark.parametrize("family", FAMILIES)
def test_patches_are_those_of_the_models_own_processor_to_the_bit(
    family: str, size: tuple[int, int], tmp_path: Path
) -> None:
    if not HAS_TORCHVISION:
        pytest.skip("the models' video processors need torchvision")
    from transformers import AutoVideoProcessor

    processor = AutoVideoProcessor.from_pretrained(tiny_models.make_qwen(tmp_path, family))
    preprocessing = VideoPreprocessing.from_config(CONFIGS[family], family)
    for nframes in (2, 5):
        frames = draw_frames(nframes, *size)
        wanted = processor(videos=[frames], do_sample_frames=False, return_tensors="pt")
        patches, grid = make_patches(frames, preprocessing)
        assert [list(grid)] == wanted["video_grid_thw"].tolist()
        assert torch.equal(patches, wanted["pixel_values_videos"])


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(FAMILIES),
    st.integers(1, 600),
    st.integers(20, 2200),
    st.integers(20, 2200),
)
def test_sizes_are_multiples_within_bounds_and_stay(family: str, nframes: int, height: int, width: int) -> None:
    preprocessing = VideoPreprocessing.from_config(CONFIGS[family], family)
    fitted = preprocessing.fit_size(nframes, height, width)
    assert all(side % preprocessing.multiple == 0 and side > 0 for side in fitted)
    counted = 1 if preprocessing.budget == "frame" else max(2, nframes)
    assert (
        counted * fitted[0] * fitted[1]
        <= max(preprocessing.max_pixels, counted * max(fitted) * preprocessing.multiple) * 1.1
    )


@pytest.mark.parametrize("res", [72, 144, 240, 360])
@pytest.mark.parametrize("family", FAMILIES)
def test_grids_of_the_models_own_multiple_are_not_resized(family: str, res: int) -> None:
    from ivbench_data.schema import FrameGrid

    preprocessing = VideoPreprocessing.from_config(CONFIGS[family], family)
    for source in ((1920, 1080), (640, 480), (480, 854)):
        width, height = FrameGrid(nframes=32, res=res, multiple_of=preprocessing.multiple).size_of(*source)
        assert preprocessing.fit_size(32, height, width) == (height, width)


def test_the_pixel_bounds_of_older_files_win_over_size() -> None:
    preprocessing = VideoPreprocessing.from_config({"min_pixels": 5, "size": {"shortest_edge": 9}}, "qwen2_5_vl")
    assert (preprocessing.min_pixels, preprocessing.max_pixels) == (5, 28 * 28 * 768)


@pytest.mark.parametrize(
    ("config", "preprocessing"),
    [
        ({"cap_pixels_per_frame": True}, "cap_pixels_per_frame"),
        ({"do_normalize": False}, "leaves out"),
        ({"resample": 1}, "filter 1"),
    ],
)
def test_preprocessing_that_is_not_done_here_is_refused(config: dict[str, Any], preprocessing: str) -> None:
    with pytest.raises(UsageError, match=preprocessing):
        VideoPreprocessing.from_config(config, "qwen3_vl")


def test_frames_of_an_extreme_aspect_are_refused() -> None:
    preprocessing = VideoPreprocessing.from_config(CONFIGS["qwen2_5_vl"], "qwen2_5_vl")
    with pytest.raises(ValueError, match="aspect of 200"):
        make_patches(draw_frames(2, 10, 2010), preprocessing)
