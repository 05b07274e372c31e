"""A stand-in for `decode.scan_video`, until that is there."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from ivbench_data.errors import UnreadableVideoError

OPTIONS = {"protocol_whitelist": "file", "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts"}


@dataclass(frozen=True)
class VideoScan:
    """What the packets say."""

    path: Path
    codec: str
    width: int
    height: int
    pts: npt.NDArray[np.int64]
    is_keyframe: npt.NDArray[np.bool_]
    time_base: Fraction
    duration_seconds: float
    corrupt_packets: int

    @property
    def frames(self) -> int:
        """Frames."""
        return len(self.pts)

    @property
    def pts_seconds(self) -> npt.NDArray[np.float64]:
        """Times."""
        return np.asarray(self.pts * float(self.time_base), np.float64)


def scan_video(path: Path) -> VideoScan:
    """The scan."""
    try:
        with av.open(f"file:{path}", options=OPTIONS) as container:
            stream = container.streams.best("video")
            if stream is None:
                raise UnreadableVideoError(f"{path.name}: holds no video")
            assert stream.time_base is not None
            assert isinstance(stream, av.VideoStream)
            packets = [packet for packet in container.demux(stream) if packet.size]
            pts = np.array([packet.pts if packet.pts is not None else packet.dts or 0 for packet in packets], np.int64)
            keys = np.array([packet.is_keyframe for packet in packets], bool)
            order = np.argsort(pts, kind="stable")
            last = (packets[order[-1]].duration or 0) if packets else 0
            span = float((pts.max() - pts.min() + last) * stream.time_base) if packets else 0.0
            return VideoScan(
                path=path,
                codec=stream.codec_context.name,
                width=stream.codec_context.width,
                height=stream.codec_context.height,
                pts=pts[order],
                is_keyframe=keys[order],
                time_base=stream.time_base,
                duration_seconds=span,
                corrupt_packets=sum(packet.is_corrupt for packet in packets),
            )
    except av.FFmpegError as error:
        raise UnreadableVideoError(f"{path.name}: {error.strerror}") from error
