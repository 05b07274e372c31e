"""What the packets of a video say without decoding, and show of missing bytes: the same for every walk over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ivbench_data.errors import UnreadableVideoError
from ivbench_data.video.decode.clock import order_packets
from ivbench_data.video.decode.stream_times import StreamTimes
from ivbench_data.video.opening import codec_name

if TYPE_CHECKING:
    import av
    from av.video.stream import VideoStream

_ENTROPY_CODED = frozenset({"h264", "hevc", "vp8", "vp9", "av1"})
"""Codecs whose packets hold no long zeros: H.264 and HEVC break up every third zero byte (emulation prevention), the
others' arithmetic coders spread them. MPEG-TS may pad with zeros between units."""
_ZEROS = bytes(256)
_MAX_REORDERED = 32
"""Packets behind a keyframe among which some may be shown before it: twice the most that H.264 and HEVC allow."""


class PacketLog:
    """Notes each packet's times, and counts those that are cut, damaged or hollow, while somebody reads them."""

    def __init__(self, stream: VideoStream, times: StreamTimes) -> None:
        self.times = times
        """What the container says of them."""
        self.pts: list[int | None] = []
        """Of each packet, in decoding order."""
        self.dts: list[int | None] = []
        """Of each packet, in decoding order."""
        self.is_keyframe = bytearray()
        """Whether the container calls it a keyframe."""
        self._is_discarded = bytearray()
        self._has_no_zeros = codec_name(stream) in _ENTROPY_CODED and not times.may_jump
        self._far = times.jump_units
        self._packets = 0
        self._before_keyframe = 0
        self._has_keyframe = False
        self._last: int | None = None
        self._corrupt: list[int] = []
        self._joins = 0
        self._zeroed = 0

    def see(self, packet: av.Packet[VideoStream]) -> None:
        """Look at the next packet, in decoding order."""
        self._packets += 1
        self.pts.append(packet.pts)
        self.dts.append(packet.dts)
        self.is_keyframe.append(packet.is_keyframe)
        self._is_discarded.append(packet.is_discard)
        stamp = packet.dts
        is_join = (
            stamp is not None and self._last is not None and (stamp < self._last or stamp - self._last > self._far)
        )
        self._last = self._last if stamp is None else stamp
        self._has_keyframe |= packet.is_keyframe
        self._before_keyframe += not self._has_keyframe
        if is_join or (packet.is_keyframe and self.times.may_jump):
            # MPEG-TS counts its packets: the count breaks where two parts meet, and the end of the first is called
            # damaged (an FFmpeg that cuts streams into pictures is one behind). Decoding tells whether it is.
            kept = [number for number in self._corrupt if number < self._packets - 2]
            self._joins += len(kept) < len(self._corrupt)
            self._corrupt = kept
        if packet.is_corrupt and self._has_keyframe:  # before the first keyframe, nothing is shown
            self._corrupt.append(self._packets)
        self._zeroed += self._has_no_zeros and _holds_zeros(bytes(packet))

    def watch(self, packets: Iterator[av.Packet[VideoStream]]) -> Iterator[av.Packet[VideoStream]]:
        """The packets, each looked at."""
        for packet in packets:
            self.see(packet)
            yield packet

    def order_frames(self) -> list[int]:
        """Numbers of the packets that show frames, in the order in which these are shown.

        Packets that an edit list discards are left out, and those of a recording that begins in the middle which
        stand, or are shown, before its first keyframe.
        """
        order = [at for at in order_packets(self.pts, self.dts, self.times) if not self._is_discarded[at]]
        if self._has_keyframe and self._before_keyframe:
            order = [at for at in order if not self._comes_too_early(at)]
        return order

    def time_frames(self, shown: Sequence[int | None] | None = None) -> list[int | None]:
        """Each frame's timestamp, in the order in which they are shown; `shown` are those that the decoder gives."""
        if shown is not None and not self.times.keeps_decoding_times_only:
            return list(shown)
        order = self.order_frames()
        if self.times.keeps_decoding_times_only and (shown is None or len(shown) == len(order)):
            decoded = [stamp for stamp in (self.dts[at] for at in order) if stamp is not None]
            if len(decoded) == len(order):
                return list[int | None](sorted(decoded))
        return [self.pts[at] for at in order] if shown is None else list(shown)

    def _comes_too_early(self, at: int) -> bool:
        first = self.is_keyframe.index(1)
        stamp, start = self.pts[at], self.pts[first]
        is_near = first < at < first + _MAX_REORDERED
        return at < first or (is_near and stamp is not None and start is not None and stamp < start)

    def describe_packets(self, passed_over: int = 0) -> list[str]:
        """What is odd about where it begins and how it goes on, given how many packets the decoder stumbled at."""
        joined = [f"joined: {self._joins:,} places where the count of packets begins anew"] if self._joins else []
        if self._has_keyframe and self._before_keyframe:
            count = f"{self._before_keyframe:,} pictures before the first keyframe are never shown"
        elif passed_over:
            count = (
                f"{passed_over:,} of its first pictures lack what they refer to, and every frame is whole all the same"
            )
        else:
            return joined
        return [f"starts in the middle: {count}", *joined]

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
