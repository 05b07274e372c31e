"""VP8 (RFC 6386): keyframes and hidden frames; nothing is dropped, for every frame may change the probabilities."""

from __future__ import annotations

from ivbench_data.video.bitstream.packet_traits import PacketTraits, UnsafeStreamError

_START_CODE = b"\x9d\x01\x2a"


class Vp8Reader:
    """Reads VP8 packets."""

    def read(self, data: memoryview, is_keyframe: bool) -> PacketTraits:
        """The traits of the next packet."""
        if len(data) < 3:
            raise UnsafeStreamError("a packet holds a cut-off VP8 frame")
        tag = data[0]
        is_shown = tag & 0x10 != 0
        if tag & 1:
            return PacketTraits(is_shown=is_shown)
        if len(data) < 12 or data[3:6] != _START_CODE:
            raise UnsafeStreamError("a packet holds a damaged VP8 keyframe")
        return PacketTraits(
            starts_decoding=is_keyframe and not _keeps_segment_map(bytes(data[10:12])), is_shown=is_shown
        )


def _keeps_segment_map(compressed: bytes) -> bool:
    """Whether a keyframe uses the segment map of the frames before it (9.2, 9.3): what only a keyframe's header tells.

    The header's flags are coded with even odds by the arithmetic decoder of section 7.3.
    """
    value, span, shift = int.from_bytes(compressed, "big"), 255, 8
    flags: list[bool] = []
    for _ in range(4):  # color_space, clamping_type, segmentation_enabled, update_mb_segmentation_map
        split = 1 + (span - 1) // 2
        is_set = value >= split << shift
        if is_set:
            value -= split << shift
        span = span - split if is_set else split
        while span < 128:
            span, shift = span * 2, shift - 1
        flags.append(is_set)
    return flags[2] and not flags[3]
