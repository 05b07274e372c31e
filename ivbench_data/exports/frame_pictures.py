"""Cached frames as pictures or a video: for people, and for harnesses that want paths.

`{out}/{grid}/{video_id}/000007.png`, named by presentation index, or `{out}/{grid}/{video_id}.mp4`. PNG is lossless;
JPEG and mp4 are lossy, for viewing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from ivbench_data.atomic_files import delete, sweep_temporaries, write_bytes, write_folder_atomically
from ivbench_data.dataset import Dataset
from ivbench_data.errors import CacheCorruptError, CacheNotFoundError, UsageError
from ivbench_data.frames.frame_file import Clip, read_frame_file
from ivbench_data.schema import FrameGrid
from ivbench_data.withdrawals import Withdrawal, find_withdrawal, read_recorded_withdrawals
from ivbench_data.workspace import Workspace, default_root, list_folder, split_video_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FrameFormat = Literal["png", "jpeg", "mp4"]

_SIDES: dict[FrameFormat, tuple[int, int]] = {"png": (1, 2**31 - 1), "jpeg": (1, 65_500), "mp4": (2, 16_384)}
"""Minimum and maximum side in pixels of each format's encoder."""


@dataclass(frozen=True)
class ExportedClip:
    """Outcome of exporting one video."""

    video_id: str
    status: Literal["done", "missing", "failed"]
    path: Path | None = None
    """The folder of its pictures, or its mp4."""
    frames: int = 0
    reason: str | None = None


def export_frames(
    dataset: Dataset,
    out: Path | str,
    grid: FrameGrid,
    root: Path | str | None = None,
    frame_format: FrameFormat = "png",
    quality: int = 92,
    seconds_per_frame: float = 0.5,
) -> Iterator[ExportedClip]:
    """Write the cached frames of every video under `out`, replacing existing files; yields a row per video.

    Files of withdrawn videos are deleted there, also of those withdrawn while this runs.

    Args:
        dataset: the videos.
        out: folder to write.
        grid: grid of the frame cache.
        root: folder that holds the datasets; `$IVBENCH_ROOT` or `./data` by default.
        frame_format: `png` (lossless), `jpeg` or `mp4`.
        quality: JPEG quality, 1 to 100.
        seconds_per_frame: duration of each frame in an mp4.

    Raises:
        UsageError: there is no such format.
        StorageError: `out` cannot be written.
    """
    if frame_format not in get_args(FrameFormat):
        raise UsageError(f"{frame_format!r} is not a frame format; there are: {', '.join(get_args(FrameFormat))}")
    workspace = Workspace(Path(root) if root is not None else default_root(), dataset.name)
    folder = Path(out) / grid.identity
    sweep_temporaries(folder)
    for video in dataset.videos:
        try:
            clip = read_frame_file(workspace.cache_path(grid, video.video_id), check=True)
        except CacheNotFoundError as error:
            yield ExportedClip(video.video_id, "missing", reason=str(error))
            continue
        except CacheCorruptError as error:
            yield ExportedClip(video.video_id, "failed", reason=str(error))
            continue
        height, width = clip.frames.shape[2:]
        least, most = _SIDES[frame_format]
        if min(height, width) < least or max(height, width) > most:
            reason = f"{clip.path}: {frame_format} supports sides of {least:,} to {most:,} pixels, not {width}×{height}"
            yield ExportedClip(video.video_id, "failed", reason=reason)
            continue
        if (withdrawal := find_withdrawal(workspace.folder, video.video_id)) is not None:
            yield ExportedClip(video.video_id, "missing", reason=f"withdrawn: {withdrawal}")
            continue
        if frame_format == "mp4":
            path = folder / f"{video.video_id}.mp4"
            write_bytes(path, _encode_mp4(clip, seconds_per_frame))
        else:
            path = folder / video.video_id
            _write_pictures(clip, path, frame_format, quality)
        yield ExportedClip(video.video_id, "done", path, len(clip.frames))
    delete_withdrawn([folder], read_recorded_withdrawals(workspace.folder))


def delete_withdrawn(folders: Iterable[Path], withdrawals: Iterable[Withdrawal], kept: Collection[str] = ()) -> None:
    """Delete what lies in the folders under the names of withdrawn videos and images, except the names `kept`.

    Raises:
        StorageError: a folder cannot be changed.
    """
    withdrawals = list(withdrawals)
    videos = {unicodedata.normalize("NFC", each.video_id) for each in withdrawals}
    images = {name for each in withdrawals for image_id in each.image_ids for name in (image_id, f"{image_id}.png")}
    for path in [path for folder in folders for path in list_folder(folder, "*")]:
        named = split_video_name(path.name)
        video_id = unicodedata.normalize("NFC", path.name) if named is None else named[0]
        if video_id in videos or path.name in images.difference(kept):
            delete(path)


def list_frame_paths(
    out: Path | str, grid: FrameGrid, clip: Clip, video_id: str, frame_format: FrameFormat = "png"
) -> list[Path]:
    """The paths of a clip's exported frames, in order (repeated frames share a path)."""
    suffix = "jpg" if frame_format == "jpeg" else frame_format
    return [Path(out) / grid.identity / video_id / f"{index:06}.{suffix}" for index in clip.indices.tolist()]


def encode_picture(frame: NDArray[np.uint8], frame_format: Literal["png", "jpeg"] = "png", quality: int = 92) -> bytes:
    """One frame, uint8 `[3, H, W]` RGB, as a PNG (lossless) or JPEG file."""
    from PIL import Image

    picture, buffer = Image.fromarray(frame.transpose(1, 2, 0)), BytesIO()
    if frame_format == "png":
        picture.save(buffer, "PNG", compress_level=3)
    else:
        picture.save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def draw_filmstrip(clip: Clip, columns: int = 8, gap: int = 4) -> bytes:
    """All frames of a clip side by side in rows, in their order, as a PNG file."""
    import numpy as np

    nframes, _, height, width = clip.frames.shape
    rows = -(-nframes // columns)
    sheet = np.full((3, rows * (height + gap) + gap, columns * (width + gap) + gap), 255, np.uint8)
    for position, frame in enumerate(clip.frames):
        row, column = divmod(position, columns)
        top, left = gap + row * (height + gap), gap + column * (width + gap)
        sheet[:, top : top + height, left : left + width] = frame
    return encode_picture(sheet)


def _write_pictures(clip: Clip, folder: Path, frame_format: Literal["png", "jpeg"], quality: int) -> None:
    suffix = "jpg" if frame_format == "jpeg" else frame_format
    with write_folder_atomically(folder) as unfinished:
        for index, frame in zip(clip.indices.tolist(), clip.frames, strict=True):
            (unfinished / f"{index:06}.{suffix}").write_bytes(encode_picture(frame, frame_format, quality))


def _encode_mp4(clip: Clip, seconds_per_frame: float) -> bytes:
    import av

    buffer = BytesIO()
    _, _, height, width = clip.frames.shape
    with av.open(buffer, "w", format="mp4") as output:
        rate = Fraction(1 / seconds_per_frame).limit_denominator(1000)
        stream = output.add_stream("libx264", rate=rate, options={"crf": "14", "threads": "1"})
        # 4:2:0 needs even sides: drop the last row or column of an odd side
        stream.width, stream.height, stream.pix_fmt = width // 2 * 2, height // 2 * 2, "yuv420p"
        for frame in clip.frames:
            even = frame[:, : stream.height, : stream.width]
            picture = av.VideoFrame.from_ndarray(even.transpose(1, 2, 0).copy(), format="rgb24")
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    return buffer.getvalue()
