"""How far `-tm` and FFmpeg's own filters are from the SDR twin of an HDR video, in ΔE2000.

    python benchmarks/tone_map.py

The twin is drawn: gradients of all hues and greys, as a screen of 203 cd/m² white shows them (gamma 2.4). The HDR video
shows the same light in BT.2020 and PQ or HLG, 4:4:4, 10 bits, without loss. What comes back is compared with the twin,
pixel by pixel. BT.2390 keeps room for highlights up to 1,000 cd/m² that the twin does not have: its white is darker.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import av
import ffmpeg
import numpy as np
from imageio_ffmpeg import get_ffmpeg_exe
from numpy.typing import NDArray

from ivbench_data.video.decode import FrameRequest, extract_frames, scan_video
from ivbench_data.video.decode.tone_map import light_to_pq

WIDTH, HEIGHT = 320, 240
TO_BT2020 = np.array([[0.627404, 0.329283, 0.043313], [0.069097, 0.919540, 0.011362], [0.016391, 0.088013, 0.895595]])
TRANSFERS = {"pq": 16, "hlg": 18}
FILTERS = {
    "zscale + tonemap=mobius": "tonemap=tonemap=mobius:desat=0",
    "zscale + tonemap=hable": "tonemap=tonemap=hable:desat=0",
    "zscale + clip": "tonemap=tonemap=clip:desat=0",
}


def draw_twin() -> NDArray[np.uint8]:
    """uint8 `[HEIGHT, WIDTH, 3]`: hues from left to right; from above to below grey to full colour, dark to bright."""
    across, down = np.meshgrid(np.linspace(0, 6, WIDTH), np.linspace(0, 1, HEIGHT))
    hue = np.stack([np.clip(np.abs((across + shift) % 6 - 3) - 1, 0, 1) for shift in (0, 4, 2)], axis=-1)
    colourful = (down * 4 % 1)[..., None]
    bright = (0.25 + 0.25 * np.floor(down * 4))[..., None]
    return np.asarray(np.rint(255 * np.clip(bright * (1 - colourful + colourful * hue), 0, 1)), dtype=np.uint8)


def encode_light(twin: NDArray[np.uint8], transfer: str) -> NDArray[np.uint16]:
    """Luma, blue and red difference, 10 bits in limited range `[3, HEIGHT, WIDTH]`, of the twin's light."""
    light = np.clip(np.tensordot((twin / 255.0) ** 2.4 * 203, TO_BT2020.T, 1), 0, None)
    if transfer == "pq":
        signal = np.vectorize(light_to_pq)(light)
    else:
        luminance = np.maximum(light @ np.array([0.2627, 0.6780, 0.0593]), 1e-9)[..., None] / 1000
        scene = light / 1000 * luminance ** (1 / 1.2 - 1)
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        signal = np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)
    red, green, blue = np.moveaxis(signal, -1, 0)
    luma = 0.2627 * red + 0.6780 * green + 0.0593 * blue
    planes = (64 + 876 * luma, 512 + 896 * (blue - luma) / 1.8814, 512 + 896 * (red - luma) / 1.4746)
    return np.asarray(np.rint(np.stack(planes)), dtype=np.uint16)


def write_hdr(path: Path, planes: NDArray[np.uint16], transfer: str) -> None:
    """One second of the picture, without loss, marked as BT.2020 and the transfer."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=5, options={"x265-params": "lossless=1:log-level=none:pools=1"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv444p10le"
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace, context.color_range = (
            TRANSFERS[transfer],
            9,
            9,
            1,
        )
        for number in range(5):
            frame = av.VideoFrame(WIDTH, HEIGHT, "yuv444p10le")
            for plane, values in zip(frame.planes, planes, strict=True):
                lines = np.zeros((HEIGHT, plane.line_size // 2), "<u2")
                lines[:, :WIDTH] = values
                plane.update(lines.tobytes())
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def filter_by_ffmpeg(path: Path, tone_filter: str) -> NDArray[np.uint8]:
    """The first frame through FFmpeg's filters, `[HEIGHT, WIDTH, 3]`; linear light of 203 cd/m² is 1."""
    steps = (
        f"zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,{tone_filter},zscale=t=bt709:m=gbr:r=full,format=gbrp"
    )
    command = ffmpeg.input(str(path)).output("pipe:", vf=steps, vframes=1, f="rawvideo", pix_fmt="rgb24")
    arguments = ffmpeg.compile(command, cmd=get_ffmpeg_exe())
    done = subprocess.run(arguments, capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(HEIGHT, WIDTH, 3)


def to_lab(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """CIE L*a*b* of a screen of gamma 2.4 with BT.709's primaries."""
    matrix = np.array(
        [[0.4123908, 0.3575843, 0.1804808], [0.2126390, 0.7151687, 0.0721923], [0.0193308, 0.1191948, 0.9505322]]
    )
    white = matrix.sum(axis=1)
    xyz = (picture / 255.0) ** 2.4 @ matrix.T / white
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def measure_differences(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """ΔE2000 of each pixel (Sharma, Wu & Dalal 2005)."""
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(one, -1, 0), np.moveaxis(other, -1, 0)
    mean_chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    grow = 1 + 0.5 * (1 - np.sqrt(mean_chroma**7 / (mean_chroma**7 + 25.0**7)))
    c1, c2 = np.hypot(a1 * grow, b1), np.hypot(a2 * grow, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a * grow)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = (h2 - h1 + 180) % 360 - 180
    turn = np.where(c1 * c2 == 0, 0, turn)
    lightness, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    hue = np.where(c1 * c2 == 0, h1 + h2, (h1 + turn / 2) % 360)
    t = 1 - 0.17 * np.cos(np.radians(hue - 30)) + 0.24 * np.cos(np.radians(2 * hue))
    t += 0.32 * np.cos(np.radians(3 * hue + 6)) - 0.20 * np.cos(np.radians(4 * hue - 63))
    s_l = 1 + 0.015 * (lightness - 50) ** 2 / np.sqrt(20 + (lightness - 50) ** 2)
    s_c, s_h = 1 + 0.045 * chroma, 1 + 0.015 * chroma * t
    rotate = (
        -2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7)) * np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2))))
    )
    d_l, d_c = (l2 - l1) / s_l, (c2 - c1) / s_c
    d_h = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / s_h
    return np.asarray(np.sqrt(np.maximum(d_l**2 + d_c**2 + d_h**2 + rotate * d_c * d_h, 0)))


def main() -> None:
    """Print a row for each way and transfer."""
    twin = draw_twin()
    print(f"{'way':26} {'transfer':8} {'mean':>6} {'95 %':>6}   ΔE2000 to the SDR twin")
    with tempfile.TemporaryDirectory() as folder:
        for transfer in TRANSFERS:
            path = Path(folder) / f"{transfer}.mkv"
            write_hdr(path, encode_light(twin, transfer), transfer)
            shown = {}
            for name, tone_map in (("as decoded", False), ("-tm", True)):
                request = FrameRequest((0,), WIDTH, HEIGHT, tone_map=tone_map)
                ((frame,),), _ = extract_frames(scan_video(path), [request])
                shown[name] = frame.transpose(1, 2, 0)
            shown |= {name: filter_by_ffmpeg(path, tone_filter) for name, tone_filter in FILTERS.items()}
            for name, picture in shown.items():
                differences = measure_differences(to_lab(twin), to_lab(picture))
                print(f"{name:26} {transfer:8} {differences.mean():6.2f} {np.percentile(differences, 95):6.2f}")


if __name__ == "__main__":
    main()
