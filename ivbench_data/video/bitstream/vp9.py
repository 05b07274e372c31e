"""VP9 (VP9 Bitstream & Decoding Process Specification, version 0.6): superframes and uncompressed headers.

Beside the eight reference slots, a decoder keeps probabilities, loop filter deltas, segmentation, the last frame's
motion vectors, and its type. A frame that refreshes no slot still changes these, so it can be dropped only when the
next frame resets them: a keyframe, or one that is resilient to errors (`setup_past_independence`, 7.2; neither
`UsePrevFrameMvs` nor `LastFrameType` then matters, 6.1.2 and 8.4.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ivbench_data.video.bitstream.bits import BitReader
from ivbench_data.video.bitstream.packet_traits import PacketTraits, UnsafeStreamError

_HEADER_BYTES = 40
"""More than the fields up to the segmentation flag."""
_SYNC_CODE = 0x498342


class _Frame(NamedTuple):
    is_key: bool = False
    is_shown: bool = True
    is_repeat: bool = False
    """It shows a reference slot once more, and changes nothing."""
    is_resilient: bool = False
    is_droppable_before_reset: bool = False


class Vp9Reader:
    """Reads VP9 packets, superframes or single frames."""

    def __init__(self) -> None:
        self._size = (0, 0)
        self._has_other_sizes = False

    def read(self, data: memoryview, is_keyframe: bool) -> PacketTraits:
        """The traits of the next packet."""
        frames = [self._read_frame(bytes(data[start : min(end, start + _HEADER_BYTES)])) for start, end in _split(data)]
        shown = sum(frame.is_shown for frame in frames)
        if shown > 1:
            raise UnsafeStreamError(f"a packet shows {shown} VP9 frames")
        return PacketTraits(
            starts_decoding=is_keyframe and frames[0].is_key,
            is_droppable=all(frame.is_repeat for frame in frames),
            is_droppable_before_reset=len(frames) == 1 and frames[0].is_droppable_before_reset,
            resets_state=frames[0].is_key or frames[0].is_resilient,
            is_shown=shown == 1,
        )

    def _read_frame(self, header: bytes) -> _Frame:
        bits = BitReader(header)
        if bits.read(2) != 2:
            raise UnsafeStreamError("a packet holds no VP9 frame")
        profile = bits.read(1) | bits.read(1) << 1
        if profile == 3:
            bits.read(1)
        if bits.read_flag():  # show_existing_frame
            return _Frame(is_repeat=True)
        is_key = not bits.read_flag()
        is_shown, is_resilient = bits.read_flag(), bits.read_flag()
        if is_key:
            self._read_colours(bits, profile, is_key)
            self._size, self._has_other_sizes = _read_size(bits), False
            return _Frame(is_key=True, is_shown=is_shown, is_resilient=is_resilient)
        is_intra = False if is_shown else bits.read_flag()
        if not is_resilient:
            bits.read(2)  # reset_frame_context
        if is_intra:
            self._read_colours(bits, profile, is_key)
            bits.read(8)  # refresh_frame_flags
            self._note_size(_read_size(bits))
            return _Frame(is_shown=is_shown, is_resilient=is_resilient)
        refreshed = bits.read(8)
        bits.read(12)  # three reference slots and their sign biases
        if not any(bits.read_flag() for _ in range(3)):  # found_ref, until one is
            self._note_size(_read_size(bits))
        if refreshed or self._has_other_sizes:
            return _Frame(is_shown=is_shown, is_resilient=is_resilient)
        is_split = self._is_segmented(bits, is_resilient)
        return _Frame(is_shown=is_shown, is_resilient=is_resilient, is_droppable_before_reset=not is_split)

    def _is_segmented(self, bits: BitReader, is_resilient: bool) -> bool:
        """`segmentation_enabled`, read from behind the frame's size on."""
        if bits.read_flag():  # render_and_frame_size_different
            bits.read(32)
        bits.read(1)  # allow_high_precision_mv
        if not bits.read_flag():  # is_filter_switchable
            bits.read(2)
        if not is_resilient:
            bits.read(2)  # refresh_frame_context, frame_parallel_decoding_mode
        bits.read(2 + 6 + 3)  # frame_context_idx, loop_filter_level, loop_filter_sharpness
        if bits.read_flag() and bits.read_flag():  # loop_filter_delta_enabled, loop_filter_delta_update
            for _ in range(6):
                if bits.read_flag():
                    bits.read(7)
        bits.read(8)  # base_q_idx
        for _ in range(3):
            if bits.read_flag():
                bits.read(5)
        return bits.read_flag()

    def _read_colours(self, bits: BitReader, profile: int, is_key: bool) -> None:
        """The sync code and `color_config` (7.2.2), which an intra-only frame of profile 0 leaves out."""
        if bits.read(24) != _SYNC_CODE:
            raise UnsafeStreamError("a packet holds a damaged VP9 keyframe")
        if not is_key and profile == 0:
            return
        if profile >= 2:
            bits.read(1)  # ten_or_twelve_bit
        is_rgb = bits.read(3) == 7
        if not is_rgb:
            bits.read(1)  # color_range
        if profile & 1:
            bits.read(1 if is_rgb else 3)

    def _note_size(self, size: tuple[int, int]) -> None:
        self._has_other_sizes = self._has_other_sizes or size != self._size


def _read_size(bits: BitReader) -> tuple[int, int]:
    return bits.read(16), bits.read(16)


def _split(data: memoryview) -> Iterator[tuple[int, int]]:
    """Where the frames of a packet begin and end; a superframe's index stands at its end (annex B)."""
    total = len(data)
    if not total:
        raise UnsafeStreamError("a packet holds no VP9 frame")
    marker = data[total - 1]
    if marker & 0xE0 == 0xC0:
        count, size_bytes = (marker & 7) + 1, (marker >> 3 & 3) + 1
        index = total - 2 - count * size_bytes
        if index >= 0 and data[index] == marker:
            at = 0
            for number in range(count):
                size_at = index + 1 + number * size_bytes
                size = int.from_bytes(data[size_at : size_at + size_bytes], "little")
                if not size or at + size > index:
                    raise UnsafeStreamError("a superframe's sizes do not add up")
                yield at, at + size
                at += size
            return
    yield 0, total
