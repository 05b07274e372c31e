"""HEVC (ITU-T H.265): random access pictures, their leading pictures, sub-layers, and the order of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ivbench_data.video.bitstream.bits import BitReader
from ivbench_data.video.bitstream.nal_units import (
    ParameterSets,
    PictureOrder,
    open_splitter,
    split_by_start_code,
    unescape,
)
from ivbench_data.video.bitstream.packet_traits import PacketTraits, UnsafeStreamError

_VPS, _SPS, _PPS, _END_OF_SEQUENCE, _END_OF_BITSTREAM = 32, 33, 34, 36, 37
_FIRST_SUBLAYER_REFERENCE_FREE = 16
_LEADING = range(6, 10)  # RADL_N, RADL_R, RASL_N, RASL_R
_BLA = range(16, 19)
_IDR = (19, 20)
_CRA = 21
_RANDOM_ACCESS = range(16, 24)
_SLICE_HEADER_BYTES = 40


class _SequenceParameters(NamedTuple):
    separate_colour_planes: bool
    order_bits: int
    reorder_depth: int


class _PictureParameters(NamedTuple):
    sequence: int
    has_output_flag: bool
    extra_bits: int


class HevcReader:
    """Reads HEVC packets, with length prefixes or start codes."""

    def __init__(self, extradata: bytes) -> None:
        self._split = open_splitter(extradata, length_size_at=21)
        self._sets = ParameterSets()
        self._sequences: dict[int, _SequenceParameters] = {}
        self._pictures: dict[int, _PictureParameters] = {}
        self._order = PictureOrder()
        self._is_first = True
        self._has_ended = False
        for unit in _list_parameter_units(extradata):
            if len(unit) > 2 and unit[0] >> 1 & 63 in (_VPS, _SPS, _PPS):
                self._sets.put_initial(unit[0] >> 1 & 63, self._parse_parameters(unit), unit)

    def read(self, data: memoryview, is_keyframe: bool) -> PacketTraits:
        """The traits of the next packet."""
        pictures, must_be_fed, ends = 0, False, False
        kind_of_picture = -1
        first_slice = b""
        self._sets.begin_packet()
        for start, end in self._split(data):
            if end - start < 3:
                if end - start == 2 and data[start] >> 1 & 63 in (_END_OF_SEQUENCE, _END_OF_BITSTREAM):
                    ends = True
                    continue
                raise UnsafeStreamError("a packet holds a cut-off HEVC unit")
            kind = data[start] >> 1 & 63
            if (data[start] & 1) << 5 | data[start + 1] >> 3:
                raise UnsafeStreamError("the stream is multi-layer HEVC")
            if kind < _VPS:
                if not first_slice:
                    first_slice = bytes(data[start : min(end, start + _SLICE_HEADER_BYTES)])
                    kind_of_picture = kind
                elif kind != kind_of_picture:
                    raise UnsafeStreamError("a picture is made of slices of different kinds")
                pictures += data[start + 2] >> 7  # first_slice_segment_in_pic_flag
            elif kind <= _PPS:
                unit = bytes(data[start:end]).rstrip(b"\0")
                must_be_fed |= self._sets.put(kind, self._parse_parameters(unit), unit)
            elif kind in (_END_OF_SEQUENCE, _END_OF_BITSTREAM):
                ends = True
        if pictures != 1:
            raise UnsafeStreamError(f"a packet begins {pictures} HEVC pictures")
        kind, layer = kind_of_picture, (first_slice[1] & 7) - 1
        if kind in _BLA or (self._has_ended and kind == _CRA):
            raise UnsafeStreamError("the stream is spliced: pictures after a splice are not shown")
        self._has_ended = ends
        is_shown, rank = self._place(first_slice, kind, layer)
        self._is_first = False
        return PacketTraits(
            starts_decoding=kind in _RANDOM_ACCESS and is_keyframe and self._sets.are_complete,
            # table 7-1: sub-layer non-reference pictures have even kinds below 16
            is_droppable=kind < _FIRST_SUBLAYER_REFERENCE_FREE and kind % 2 == 0 and not must_be_fed and not ends,
            is_shown=is_shown,
            is_leading=kind in _LEADING,
            temporal_layer=layer,
            output_order=rank,
        )

    def _place(self, unit: bytes, kind: int, layer: int) -> tuple[bool, int]:
        """Whether the picture is shown, and its rank in output order, from its first slice's header (7.3.6.1)."""
        bits = BitReader(unescape(unit[2:]))
        bits.read(1)  # first_slice_segment_in_pic_flag
        if kind in _RANDOM_ACCESS and bits.read_flag() and not self._is_first and kind != _CRA:
            raise UnsafeStreamError("a keyframe forbids to show the pictures before it")  # no_output_of_prior_pics_flag
        picture = self._pictures.get(bits.read_exp_golomb())
        sequence = None if picture is None else self._sequences.get(picture.sequence)
        if picture is None or sequence is None:
            raise UnsafeStreamError("a slice names a parameter set that did not come")
        bits.read(picture.extra_bits)
        bits.read_exp_golomb()  # slice_type
        is_shown = bits.read_flag() if picture.has_output_flag else True
        if sequence.separate_colour_planes:
            bits.read(2)
        if kind in _IDR:
            self._order.restart()
            return is_shown, self._order.place(0, sequence.order_bits, is_anchor=True)
        is_anchor = layer == 0 and kind not in _LEADING and (kind % 2 == 1 or kind >= _FIRST_SUBLAYER_REFERENCE_FREE)
        lsb = bits.read(sequence.order_bits)
        rank = self._order.place(lsb, sequence.order_bits, is_anchor=is_anchor)
        if self._order.reorder_depth > sequence.reorder_depth:
            raise UnsafeStreamError("a decoder may hold back too few pictures to show all")
        return is_shown, rank

    def _parse_parameters(self, unit: bytes) -> int:
        """The number of a parameter set, whose contents are noted."""
        kind = unit[0] >> 1 & 63
        bits = BitReader(unescape(unit[2:]))
        if kind == _VPS:
            return bits.read(4)
        if kind == _SPS:
            number, sequence = _parse_sequence(bits)
            self._sequences[number] = sequence
            return number
        number, sequence_number = bits.read_exp_golomb(), bits.read_exp_golomb()
        bits.read(1)  # dependent_slice_segments_enabled_flag
        self._pictures[number] = _PictureParameters(sequence_number, bits.read_flag(), bits.read(3))
        return number


def _list_parameter_units(extradata: bytes) -> Iterator[bytes]:
    if not extradata:
        return
    if extradata[0] != 1:
        for start, end in split_by_start_code(memoryview(extradata)):
            yield extradata[start:end].rstrip(b"\0")
        return
    # hvcC (ISO/IEC 14496-15, 8.3.3.1): arrays of units of one kind, each unit with its length
    arrays, at = extradata[22] if len(extradata) > 22 else 0, 23
    for _ in range(arrays):
        count, at = int.from_bytes(extradata[at + 1 : at + 3], "big"), at + 3
        for _ in range(count):
            length = int.from_bytes(extradata[at : at + 2], "big")
            if at + 2 + length > len(extradata):
                return
            yield extradata[at + 2 : at + 2 + length]
            at += 2 + length


def _parse_sequence(bits: BitReader) -> tuple[int, _SequenceParameters]:
    """A sequence parameter set (7.3.2.2.1)."""
    bits.read(4)  # sps_video_parameter_set_id
    layers = bits.read(3) + 1
    bits.read(1)
    _skip_profile(bits, layers)
    number = bits.read_exp_golomb()
    separate_colour_planes = bits.read_exp_golomb() == 3 and bits.read_flag()
    bits.read_exp_golomb()  # pic_width_in_luma_samples
    bits.read_exp_golomb()  # pic_height_in_luma_samples
    if bits.read_flag():  # conformance_window_flag
        for _ in range(4):
            bits.read_exp_golomb()
    bits.read_exp_golomb()  # bit_depth_luma_minus8
    bits.read_exp_golomb()  # bit_depth_chroma_minus8
    order_bits = bits.read_exp_golomb() + 4
    depth = 0
    for _ in range(layers if bits.read_flag() else 1):  # sps_sub_layer_ordering_info_present_flag
        bits.read_exp_golomb()  # sps_max_dec_pic_buffering_minus1
        depth = bits.read_exp_golomb()
        bits.read_exp_golomb()  # sps_max_latency_increase_plus1
    return number, _SequenceParameters(separate_colour_planes, order_bits, depth)


def _skip_profile(bits: BitReader, layers: int) -> None:
    """`profile_tier_level` (7.3.3)."""
    bits.read(96)
    present = [(bits.read_flag(), bits.read_flag()) for _ in range(layers - 1)]
    if layers > 1:
        bits.read(2 * (9 - layers))
    for has_profile, has_level in present:
        bits.read(88 * has_profile + 8 * has_level)
