"""What the packets of a video show of missing bytes, without decoding: the same for every walk over them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ivbench_data.errors import UnreadableVideoError
from ivbench_data.video.decode.stream_times import StreamTimes
from ivbench_data.video.opening import codec_name

if TYPE_CHECKING:
    import av
    from av.video.stream import VideoStream

_ENTROPY_CODED = frozenset({"h264", "hevc", "vp8", "vp9", "av1"})
"""Codecs whose packets hold no long zeros: H.264 and HEVC break up every third zero byte (emulation prevention), the
others' arithmetic coders spread them. MPEG-TS may pad with zeros between units."""
_ZEROS = bytes(256)


class PacketFaults:
    """Counts the packets that are cut, damaged or hollow, while somebody reads them."""

    def __init__(self, stream: VideoStream, times: StreamTimes) -> None:
        self._has_no_zeros = codec_name(stream) in _ENTROPY_CODED and not times.may_jump
        self._far = times.jump_units
        self._packets = 0
        self._has_keyframe = False
        self._last: int | None = None
        self._corrupt: list[int] = []
        self._zeroed = 0

    def see(self, packet: av.Packet[VideoStream]) -> None:
        """Look at the next packet, in decoding order."""
        self._packets += 1
        stamp = packet.pts if packet.dts is None else packet.dts
        is_join = (
            stamp is not None and self._last is not None and (stamp < self._last or stamp - self._last > self._far)
        )
        self._last = self._last if stamp is None else stamp
        self._has_keyframe |= packet.is_keyframe
        if is_join:
            # MPEG-TS counts its packets: the count breaks where two parts meet, and the end of the first is called
            # damaged (an FFmpeg that cuts streams into pictures is one behind)
            self._corrupt = [number for number in self._corrupt if number < self._packets - 2]
        if packet.is_corrupt and self._has_keyframe:  # before the first keyframe, nothing is shown
            self._corrupt.append(self._packets)
        self._zeroed += self._has_no_zeros and _holds_zeros(bytes(packet))

    def watch(self, packets: Iterator[av.Packet[VideoStream]]) -> Iterator[av.Packet[VideoStream]]:
        """The packets, each looked at."""
        for packet in packets:
            self.see(packet)
            yield packet

    def check(self, path: Path) -> None:
        """Return when every packet seen is whole.

        Raises:
            UnreadableVideoError: some are not.
        """
        if self._corrupt:
            count = f"{len(self._corrupt):,} of {self._packets:,} packets"
            raise UnreadableVideoError(f"{path.name}: {count} are damaged or cut: bytes are missing")
        if self._zeroed:
            raise UnreadableVideoError(
                f"{path.name}: {self._zeroed:,} of {self._packets:,} packets hold zeros where there was data: a hole"
            )


def _holds_zeros(data: bytes) -> bool:
    return _ZEROS in data or not any(data)
