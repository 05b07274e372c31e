"""`-tm`: PQ and HLG become SDR within a level of the stated formulas in floating point, and SDR stays as it is."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from ivbench_data.dataset import Dataset
from ivbench_data.frames.cache import CacheOptions, cache_frames
from ivbench_data.frames.frame_file import read_frame_file
from ivbench_data.schema import FrameGrid, Video
from ivbench_data.video.decode.resize_to_rgb import FrameConverter, FrameSize
from ivbench_data.video.rotation import NOT_ROTATED
from ivbench_data.workspace import Workspace

WIDTH, HEIGHT = 96, 64
BT2020, BT709 = 9, 1


# --- the formulas, in floating point ----------------------------------------------------------------------------------


def pq_eotf(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = signal ** (1 / m2)
    return 10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)


def pq_inverse(light: NDArray[np.float64] | float) -> NDArray[np.float64]:
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = (np.asarray(light, dtype=np.float64) / 10_000) ** m1
    return np.asarray(((c1 + c2 * power) / (1 + c3 * power)) ** m2)


def hlg_light(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luminance = np.tensordot([0.2627, 0.6780, 0.0593], scene, 1)
    return np.asarray(1000 * luminance**0.2 * scene)


def compress(light: NDArray[np.float64]) -> NDArray[np.float64]:
    peak, most = pq_inverse(1000), pq_inverse(203) / pq_inverse(1000)
    at, knee = np.minimum(pq_inverse(light) / peak, 1), 1.5 * most - 0.5
    t = (at - knee) / (1 - knee)
    curve = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    return pq_eotf(np.where(at > knee, curve, at) * peak)


def map_in_floats(planes: NDArray[np.int64], depth: int, transfer: str, matrix: int, wide: bool) -> NDArray[np.float64]:
    """Red, green and blue 0 to 255 `[3, H, W]` of limited-range components `[3, H, W]`."""
    kr, kb = (0.2627, 0.0593) if matrix == BT2020 else (0.2126, 0.0722)
    step = 2 ** (depth - 8)
    luma = (planes[0] - 16 * step) / (219 * step)
    blue, red = ((plane - 128 * step) / (224 * step) for plane in planes[1:])
    r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    signal = np.clip(np.stack([r, (luma - kr * r - kb * b) / (1 - kr - kb), b]), 0, 1)
    light = pq_eotf(signal) if transfer == "pq" else hlg_light(signal)
    brightest = np.maximum(light.max(axis=0), 1e-9)
    light = light * compress(brightest) / brightest
    if wide:
        rows = [
            [1.6604910, -0.5876411, -0.0728499],
            [-0.1245505, 1.1328999, -0.0083494],
            [-0.0181508, -0.1005789, 1.1187297],
        ]
        light = np.tensordot(np.array(rows), light, 1)
    return np.asarray(255 * np.clip(light / 203, 0, 1) ** (1 / 2.4))


# --- frames ---------------------------------------------------------------------------------------------------------


def draw_planes(depth: int, seed: int, spread: float) -> NDArray[np.int64]:
    """Luma over all its range, and colours around grey: `[3, H, W]`."""
    dice, step = np.random.default_rng(seed), 2 ** (depth - 8)
    luma = dice.integers(16 * step, 235 * step, (HEIGHT, WIDTH), endpoint=True)
    chroma = 128 * step + np.rint(dice.normal(0, spread * 112 * step, (2, HEIGHT, WIDTH))).astype(np.int64)
    return np.concatenate([luma[None], np.clip(chroma, 16 * step, 240 * step)])


def make_frame(planes: NDArray[np.int64], depth: int, matrix: int) -> av.VideoFrame:
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv444p" if depth == 8 else f"yuv444p{depth}le")
    kind = np.uint8 if depth == 8 else np.dtype("<u2")
    for plane, values in zip(frame.planes, planes, strict=True):
        lines = np.zeros((HEIGHT, plane.line_size // np.dtype(kind).itemsize), kind)
        lines[:, :WIDTH] = values
        plane.update(lines.tobytes())
    frame.colorspace = matrix
    return frame


def convert(frame: av.VideoFrame, transfer: str, primaries: str, tone_map: bool = True) -> NDArray[np.uint8]:
    converter = FrameConverter(NOT_ROTATED, colours=(transfer, primaries))
    (rgb,) = converter.convert(frame, [FrameSize(WIDTH, HEIGHT, tone_map=tone_map)])
    return rgb


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
@pytest.mark.parametrize("depth", [8, 10, 12])
@pytest.mark.parametrize(("matrix", "primaries"), [(BT2020, "bt2020"), (BT2020, "unspecified"), (BT709, "bt709")])
@pytest.mark.parametrize("spread", [0.0, 0.1, 0.5])
def test_pixels_are_within_a_level_of_the_formulas(
    transfer: str, depth: int, matrix: int, primaries: str, spread: float
) -> None:
    planes = draw_planes(depth, seed=depth, spread=spread)
    shown = convert(make_frame(planes, depth, matrix), transfer, primaries)
    expected = map_in_floats(planes, depth, transfer, matrix, primaries != "bt709")
    error = np.abs(shown - expected)
    assert error.mean() < 0.5
    assert np.percentile(error, 99) < 2


def test_white_black_and_what_is_brighter_than_the_source() -> None:
    levels = np.linspace(64, 940, WIDTH).round().astype(np.int64)
    planes = np.stack([np.tile(levels, (HEIGHT, 1)), *[np.full((HEIGHT, WIDTH), 512)] * 2])
    grey = convert(make_frame(planes, 10, BT2020), "pq", "bt2020")
    assert np.abs(grey[0].astype(int) - grey[1]).max() <= 1  # grey stays grey
    assert np.abs(grey[2].astype(int) - grey[1]).max() <= 1
    line = grey[1, 0].astype(int)
    assert (line[0], line[-1]) == (0, 255)
    assert (np.diff(line) >= 0).all()
    assert set(line[levels > 64 + 876 * 0.76]) == {255}  # 1,000 cd/m² and more


def test_sdr_stays_as_it_is() -> None:
    frame = make_frame(draw_planes(10, 0, 0.2), 10, BT709)
    for transfer in ("bt709", "unspecified", "bt2020-10"):
        np.testing.assert_array_equal(convert(frame, transfer, "bt709"), convert(frame, transfer, "bt709", False))


def test_what_cannot_be_mapped_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="not dci-p3"):
        convert(make_frame(draw_planes(10, 0, 0.2), 10, BT2020), "pq", "dci-p3")
    with pytest.raises(ValueError, match="gbrp10le"):
        convert(av.VideoFrame(WIDTH, HEIGHT, "gbrp10le"), "pq", "bt2020")


# --- caches ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "transfer"), [(16, "pq"), (18, "hlg"), (1, "bt709")])
def test_a_grid_maps_what_is_hdr_and_says_so(tmp_path: Path, number: int, transfer: str) -> None:
    dataset, workspace = Dataset("set", (Video(video_id="v"),)), Workspace(tmp_path, "set")
    workspace.videos.mkdir(parents=True)
    dataset.save(tmp_path)
    write_hdr(workspace.videos / "v.mp4", number)
    grids = [FrameGrid.parse(name) for name in ("4x64", "4x64-tm")]
    rows = list(cache_frames(dataset, tmp_path, grids, CacheOptions(workers=0)))
    plain, mapped = (read_frame_file(workspace.cache_path(grid, "v")) for grid in grids)
    assert [row.grid for row in rows] == ["4x64", "4x64-tm"]
    assert "tones" not in plain.metadata
    if transfer == "bt709":
        np.testing.assert_array_equal(plain.frames, mapped.frames)
        assert mapped.metadata["tones"] == "sdr"
    else:
        assert mapped.metadata["tones"] == transfer
        assert json.loads(mapped.metadata["display"])["transfer"] == transfer
        assert "washed out" in str(rows[0].reason)
        assert "mapped to SDR" in str(rows[1].reason)
        assert mapped.frames.std() > plain.frames.std()  # what is not mapped looks flat


def write_hdr(path: Path, transfer: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=10, options={"x265-params": "log-level=none:pools=1:qp=4"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p10le"
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace = (
            transfer,
            BT2020 if transfer > 2 else 1,
            (BT2020 if transfer > 2 else BT709),
        )
        for number in range(8):
            frame = make_frame(draw_planes(10, 0, 0.05) // 2 + 100, 10, BT2020).reformat(format="yuv420p10le")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
