"""Patches for Qwen's vision towers from cached uint8 frames, computed on the frames' device.

The result equals that of the models' own video processors, without their CPU cost and without torchvision. Normalising
is elementwise in float32, `(x - 255·mean) / (255·std)`, so equality is bitwise. Resizing runs only if the cache is not
at the model's size, with torch's antialiased filter, as in the processors.

Sources: `Qwen2VLVideoProcessor` and `Qwen3VLVideoProcessor` of transformers 5.17–5.23, `resize_image` of torchvision
0.28.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch  # noqa: TID253  (this module is about tensors; it is reached only through `models.transformers`)

from ivbench_data.errors import UsageError

FILTERS = {2: "bilinear", 3: "bicubic"}
"""Filter names by PIL's filter number."""

MAX_ASPECT = 200


@dataclass(frozen=True)
class VideoPreprocessing:
    """A checkpoint's preprocessing of frames."""

    patch_size: int
    """Side of a patch in pixels."""
    temporal_patch_size: int
    """Frames per patch."""
    merge_size: int
    """Patches merged into one token, along each side."""
    mean: tuple[float, ...]
    """Mean of each channel, 0 to 1."""
    std: tuple[float, ...]
    """Standard deviation of each channel, 0 to 1."""
    min_pixels: int
    """Minimum pixels of a frame, or of the whole clip; see `budget`."""
    max_pixels: int
    """Maximum pixels of a frame, or of the whole clip."""
    budget: Literal["frame", "clip"]
    """Whether the pixel bounds apply to each frame (Qwen2.5-VL) or to the clip (Qwen3-VL)."""
    resample: int = 3
    """PIL's filter number."""
    rescale_factor: float = 1 / 255
    """Factor from a byte to 0–1."""

    @property
    def multiple(self) -> int:
        """Frame sides are multiples of this: 28 for Qwen2.5-VL, 32 for Qwen3-VL."""
        return self.patch_size * self.merge_size

    @classmethod
    def from_config(cls, config: Mapping[str, Any], family: str) -> VideoPreprocessing:
        """The preprocessing of a `video_preprocessor_config.json`, with the processor class's defaults for the rest.

        Raises:
            UsageError: it needs something that is not supported.
        """
        settings = {**_DEFAULTS[family], **{key: value for key, value in config.items() if value is not None}}
        size = {**_DEFAULTS[family]["size"], **dict(settings["size"])}
        if settings.get("cap_pixels_per_frame"):
            raise UsageError("the checkpoint asks for cap_pixels_per_frame, which is not supported yet")
        if not (
            settings.get("do_resize", True) and settings.get("do_rescale", True) and settings.get("do_normalize", True)
        ):
            raise UsageError("the checkpoint's preprocessing leaves out resizing, rescaling or normalising")
        if int(settings["resample"]) not in FILTERS:
            raise UsageError(f"the checkpoint resizes with PIL's filter {settings['resample']}, not one of {FILTERS}")
        return cls(
            patch_size=int(settings["patch_size"]),
            temporal_patch_size=int(settings["temporal_patch_size"]),
            merge_size=int(settings["merge_size"]),
            mean=tuple(map(float, settings["image_mean"])),
            std=tuple(map(float, settings["image_std"])),
            # older files have the bounds beside `size`, which take precedence
            min_pixels=int(settings.get("min_pixels", size["shortest_edge"])),
            max_pixels=int(settings.get("max_pixels", size["longest_edge"])),
            budget="clip" if family == "qwen3_vl" else "frame",
            resample=int(settings["resample"]),
            rescale_factor=float(settings["rescale_factor"]),
        )

    def fit_size(self, nframes: int, height: int, width: int) -> tuple[int, int]:
        """Height and width to which the model's processor would resize such frames.

        Raises:
            ValueError: no size fits: the aspect is beyond 200.
        """
        if max(height, width) / min(height, width) > MAX_ASPECT:
            raise ValueError(f"frames of {width}×{height} are beyond the aspect of {MAX_ASPECT} that the model takes")
        multiple, frames, counted = self.multiple, 1, 1
        if self.budget == "clip":
            nframes = max(
                nframes, self.temporal_patch_size
            )  # the processor refuses fewer; here the last one is repeated
            if min(height, width) < multiple:
                scale = max(multiple / height, multiple / width)
                height, width = int(height * scale), int(width * scale)
            frames, counted = nframes, round(nframes / self.temporal_patch_size) * self.temporal_patch_size
        fitted = round(height / multiple) * multiple, round(width / multiple) * multiple
        pixels = counted * fitted[0] * fitted[1]
        if pixels > self.max_pixels:
            shrink = math.sqrt(frames * height * width / self.max_pixels)
            return (
                max(multiple, math.floor(height / shrink / multiple) * multiple),
                max(multiple, math.floor(width / shrink / multiple) * multiple),
            )
        if pixels < self.min_pixels:
            grow = math.sqrt(self.min_pixels / (frames * height * width))
            return math.ceil(height * grow / multiple) * multiple, math.ceil(width * grow / multiple) * multiple
        return fitted

    def grid_of(self, nframes: int, height: int, width: int) -> tuple[int, int, int]:
        """Number of patches along time, height and width, before merging; time is padded to a whole patch."""
        height, width = self.fit_size(nframes, height, width)
        return -(-nframes // self.temporal_patch_size), height // self.patch_size, width // self.patch_size

    def count_tokens(self, grid: tuple[int, int, int]) -> int:
        """Number of tokens of a grid of patches."""
        return math.prod(grid) // self.merge_size**2


_SHARED: dict[str, Any] = {"temporal_patch_size": 2, "merge_size": 2, "resample": 3, "rescale_factor": 1 / 255}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "qwen2_5_vl": {
        **_SHARED, "patch_size": 14, "size": {"shortest_edge": 128 * 28 * 28, "longest_edge": 28 * 28 * 768},
        "image_mean": (0.48145466, 0.4578275, 0.40821073), "image_std": (0.26862954, 0.26130258, 0.27577711),
    },
    "qwen3_vl": {
        **_SHARED, "patch_size": 16, "size": {"shortest_edge": 128 * 32 * 32, "longest_edge": 32 * 32 * 768},
        "image_mean": (0.5, 0.5, 0.5), "image_std": (0.5, 0.5, 0.5),
    },
}  # fmt: skip


def make_patches(frames: torch.Tensor, preprocessing: VideoPreprocessing) -> tuple[torch.Tensor, tuple[int, int, int]]:
    """The patches (`pixel_values_videos` of the model's processor), and their grid (time, height, width).

    Args:
        frames: uint8 `[T, 3, H, W]`, on any device.
        preprocessing: the checkpoint's.

    Returns:
        float32 `[t·h·w, 3·temporal_patch_size·patch_size²]` on the same device, with merged patches adjacent.

    Raises:
        ValueError: no size fits the frames.
    """
    size = preprocessing.fit_size(frames.shape[0], frames.shape[2], frames.shape[3])
    if size != tuple(frames.shape[2:]):
        frames = _resize(frames, size, FILTERS[preprocessing.resample])
    if missing := -len(frames) % preprocessing.temporal_patch_size:
        frames = torch.cat((frames, frames[-1:].expand(missing, -1, -1, -1)))
    patch, merge, channels = preprocessing.patch_size, preprocessing.merge_size, frames.shape[1]
    grid = len(frames) // preprocessing.temporal_patch_size, size[0] // patch, size[1] // patch
    split = frames.view(
        grid[0],
        preprocessing.temporal_patch_size,
        channels,
        grid[1] // merge,
        merge,
        patch,
        grid[2] // merge,
        merge,
        patch,
    )
    # permuted as bytes, before the conversion to float32: a quarter of the memory traffic
    flat = split.permute(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(math.prod(grid), channels, -1)
    mean = torch.tensor(preprocessing.mean, device=frames.device) * (1.0 / preprocessing.rescale_factor)
    std = torch.tensor(preprocessing.std, device=frames.device) * (1.0 / preprocessing.rescale_factor)
    patches = flat.to(torch.float32).sub_(mean[:, None]).div_(std[:, None])
    return patches.reshape(math.prod(grid), -1), grid


def _resize(frames: torch.Tensor, size: tuple[int, int], mode: str) -> torch.Tensor:
    """The frames at that size, uint8: on the CPU in integers, elsewhere in float32, as torchvision does."""
    resize = torch.nn.functional.interpolate
    if frames.device.type == "cpu":
        return resize(frames, size, mode=mode, align_corners=False, antialias=True)
    resized = resize(frames.to(torch.float32), size, mode=mode, align_corners=False, antialias=True)
    return resized.clamp_(0, 255).round_().to(torch.uint8)
