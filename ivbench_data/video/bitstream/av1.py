"""AV1 (AV1 Bitstream & Decoding Process Specification, version 1.0.0 with errata 1): open bitstream units.

All that a frame takes from other frames, it takes from the eight reference slots (7.20, 7.21): probabilities, motion
vectors, segmentation, loop filter deltas, film grain. So a frame that refreshes no slot can be dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ivbench_data.video.bitstream.bits import BitReader
from ivbench_data.video.bitstream.packet_traits import PacketTraits, UnsafeStreamError

_SEQUENCE_HEADER, _FRAME_HEADER, _TILE_GROUP, _FRAME, _REDUNDANT_FRAME_HEADER, _TILE_LIST = 1, 3, 4, 6, 7, 8
_KEY_FRAME, _INTRA_ONLY_FRAME, _SWITCH_FRAME = 0, 2, 3
_SELECT = 2
"""`SELECT_SCREEN_CONTENT_TOOLS` and `SELECT_INTEGER_MV`: each frame says it itself."""
_ALL_SLOTS = 0xFF
_HEADER_BYTES = 200
"""More than all that is read of a header."""


class _DecoderModel(NamedTuple):
    delay_bits: int
    removal_time_bits: int
    presentation_time_bits: int


class _Sequence(NamedTuple):
    unit: bytes
    is_reduced: bool
    has_presentation_times: bool
    decoder_model: _DecoderModel | None
    modelled_points: tuple[int, ...]
    """`operating_point_idc` of the operating points that have a decoder model."""
    frame_id_bits: int
    forced_screen_content: int
    forced_integer_mv: int
    order_hint_bits: int
    decoded_layers: int
    """`operating_point_idc` of the one that is decoded; 0 when that is all."""


class _Frame(NamedTuple):
    starts: bool
    is_shown: bool
    is_droppable: bool
    is_complete: bool
    """The header alone is all there is to it, or its tiles come in the same unit."""


class Av1Reader:
    """Reads AV1 temporal units in the low-overhead format."""

    def __init__(self) -> None:
        self._sequence: _Sequence | None = None
        self._key_slots = 0
        """The slots that hold a keyframe, as bits: to show one again restarts the stream."""

    def read(self, data: memoryview, is_keyframe: bool) -> PacketTraits:
        """The traits of the next packet."""
        frames: list[_Frame] = []
        awaits_tiles = has_sequence = is_changed = False
        for kind, extension, start, end in _split(data):
            if kind == _SEQUENCE_HEADER:
                sequence = _parse_sequence(bytes(data[start:end]))
                is_changed |= self._sequence is not None and self._sequence.unit != sequence.unit
                self._sequence, has_sequence = sequence, True
            elif kind in (_FRAME_HEADER, _FRAME):
                if awaits_tiles:
                    if kind == _FRAME_HEADER:
                        continue  # a repeated header of the same frame
                    raise UnsafeStreamError("an AV1 frame has no tiles")
                frame = self._read_frame(bytes(data[start : min(end, start + _HEADER_BYTES)]), extension)
                if frame.starts and not frames:
                    frame = frame._replace(starts=has_sequence)
                frames.append(frame)
                awaits_tiles = kind == _FRAME_HEADER and not frame.is_complete
            elif kind == _TILE_GROUP:
                awaits_tiles = False
            elif kind == _TILE_LIST:
                raise UnsafeStreamError("the stream holds AV1 tile lists")
        if awaits_tiles:
            raise UnsafeStreamError("an AV1 frame has no tiles")
        starts = bool(frames) and frames[0].starts
        if is_changed and not starts:
            raise UnsafeStreamError("the sequence header changes between keyframes")
        shown = sum(frame.is_shown for frame in frames)
        if shown > 1:
            raise UnsafeStreamError(f"a packet shows {shown} AV1 frames")
        return PacketTraits(
            starts_decoding=starts and is_keyframe,
            is_droppable=bool(frames) and all(frame.is_droppable for frame in frames),
            is_shown=shown == 1,
        )

    def _read_frame(self, header: bytes, extension: int) -> _Frame:
        """`uncompressed_header` (5.9.2) up to `refresh_frame_flags`."""
        sequence = self._sequence
        if sequence is None:
            raise UnsafeStreamError("an AV1 frame comes before the sequence header")
        if sequence.is_reduced:
            self._key_slots = _ALL_SLOTS
            return _Frame(starts=True, is_shown=True, is_droppable=False, is_complete=False)
        if sequence.decoded_layers and not sequence.decoded_layers >> (extension >> 5) & 1:
            raise UnsafeStreamError("the stream has AV1 layers that are not decoded")
        bits = BitReader(header)
        if bits.read_flag():  # show_existing_frame
            is_restart = self._key_slots >> bits.read(3) & 1 == 1
            if is_restart:
                self._key_slots = _ALL_SLOTS
            return _Frame(starts=False, is_shown=True, is_droppable=not is_restart, is_complete=True)
        kind, is_shown = bits.read(2), bits.read_flag()
        model = sequence.decoder_model
        if is_shown and model and sequence.has_presentation_times:
            bits.read(model.presentation_time_bits)
        if not is_shown:
            bits.read(1)  # showable_frame
        restarts = kind == _KEY_FRAME and is_shown
        is_resilient = kind == _SWITCH_FRAME or restarts or bits.read_flag()
        bits.read(1)  # disable_cdf_update
        forced = sequence.forced_screen_content
        has_screen_content = bits.read_flag() if forced == _SELECT else forced == 1
        if has_screen_content and sequence.forced_integer_mv == _SELECT:
            bits.read(1)  # force_integer_mv
        bits.read(sequence.frame_id_bits)
        if kind != _SWITCH_FRAME:
            bits.read(1)  # frame_size_override_flag
        bits.read(sequence.order_hint_bits)
        if not (kind in (_KEY_FRAME, _INTRA_ONLY_FRAME) or is_resilient):
            bits.read(3)  # primary_ref_frame
        if model and bits.read_flag():  # buffer_removal_time_present_flag
            for point in sequence.modelled_points:
                temporal, spatial = extension >> 5, extension >> 3 & 3
                if point == 0 or (point >> temporal & 1 and point >> spatial + 8 & 1):
                    bits.read(model.removal_time_bits)
        refreshed = _ALL_SLOTS if kind == _SWITCH_FRAME or restarts else bits.read(8)
        self._key_slots = self._key_slots & ~refreshed | (refreshed if kind == _KEY_FRAME else 0)
        # with frame ids, a decoder also marks slots as too old to use, by the ids of all frames it saw
        return _Frame(
            starts=restarts,
            is_shown=is_shown,
            is_droppable=refreshed == 0 and not sequence.frame_id_bits,
            is_complete=False,
        )


def _split(data: memoryview) -> Iterator[tuple[int, int, int, int]]:
    """Each unit's kind, extension byte, and where its payload begins and ends (5.3)."""
    at, total = 0, len(data)
    while at < total:
        header = data[at]
        if header & 0x80:
            raise UnsafeStreamError("a packet holds no AV1 unit")
        at += 1
        extension = 0
        if header & 4:
            if at >= total:
                raise UnsafeStreamError("a packet holds a cut-off AV1 unit")
            extension, at = data[at], at + 1
            if extension >> 3 & 3:
                raise UnsafeStreamError("the stream has spatial AV1 layers")
        size = total - at
        if header & 2:
            size, at = _read_leb128(data, at)
        if at + size > total:
            raise UnsafeStreamError("a packet's unit lengths do not add up")
        yield header >> 3 & 15, extension, at, at + size
        at += size


def _read_leb128(data: memoryview, at: int) -> tuple[int, int]:
    """The number at a place, and the place behind it (4.10.5)."""
    value = 0
    for number, byte in enumerate(data[at : at + 8]):
        value |= (byte & 0x7F) << 7 * number
        if not byte & 0x80:
            return value, at + number + 1
    raise UnsafeStreamError("a packet's unit lengths do not add up")


def _parse_sequence(unit: bytes) -> _Sequence:
    """`sequence_header_obu` (5.5) up to what frame headers depend on."""
    bits = BitReader(unit)
    bits.read(4)  # seq_profile, still_picture
    is_reduced = bits.read_flag()
    model: _DecoderModel | None = None
    has_presentation_times = False
    modelled_points: list[int] = []
    decoded_layers = 0
    if is_reduced:
        bits.read(5)
    else:
        if bits.read_flag():  # timing_info_present_flag
            bits.read(64)
            has_equal_intervals = bits.read_flag()
            if has_equal_intervals:
                bits.read_exp_golomb()  # num_ticks_per_picture_minus_1, uvlc()
            if bits.read_flag():  # decoder_model_info_present_flag
                delay_bits = bits.read(5) + 1
                bits.read(32)
                model = _DecoderModel(delay_bits, bits.read(5) + 1, bits.read(5) + 1)
                has_presentation_times = not has_equal_intervals
        has_display_delay = bits.read_flag()
        for number in range(bits.read(5) + 1):  # operating_points_cnt_minus_1
            layers = bits.read(12)
            if number == 0:
                decoded_layers = layers
            if bits.read(5) > 7:
                bits.read(1)  # seq_tier
            if model and bits.read_flag():
                modelled_points.append(layers)
                bits.read(2 * model.delay_bits + 1)
            if has_display_delay and bits.read_flag():
                bits.read(4)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    bits.read(width_bits + height_bits)
    frame_id_bits = 0
    if not is_reduced and bits.read_flag():  # frame_id_numbers_present_flag
        frame_id_bits = bits.read(4) + 2 + bits.read(3) + 1
    bits.read(3)  # use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter
    forced_screen_content = forced_integer_mv = _SELECT
    order_hint_bits = 0
    if not is_reduced:
        bits.read(4)  # interintra and masked compounds, warped motion, dual filter
        has_order_hint = bits.read_flag()
        if has_order_hint:
            bits.read(2)
        if not bits.read_flag():  # seq_choose_screen_content_tools
            forced_screen_content = bits.read(1)
        if forced_screen_content and not bits.read_flag():  # seq_choose_integer_mv
            forced_integer_mv = bits.read(1)
        if has_order_hint:
            order_hint_bits = bits.read(3) + 1
    return _Sequence(
        unit=unit,
        is_reduced=is_reduced,
        has_presentation_times=has_presentation_times,
        decoder_model=model,
        modelled_points=tuple(modelled_points),
        frame_id_bits=frame_id_bits,
        forced_screen_content=forced_screen_content,
        forced_integer_mv=forced_integer_mv,
        order_hint_bits=order_hint_bits,
        decoded_layers=decoded_layers,
    )
