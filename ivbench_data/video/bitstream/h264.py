"""H.264 (ITU-T H.264): IDR pictures, reference pictures, and the order in which pictures are shown."""

from __future__ import annotations

import re
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

_IDR, _SEI, _SPS, _PPS, _END_OF_SEQUENCE, _END_OF_STREAM = 5, 6, 7, 8, 10, 11
_SLICE_KINDS = range(1, 6)
_OTHER_VIEWS = (20, 21)
_SLICE_HEADER_BYTES = 40
"""All that is read of a slice: an upper bound of the fields up to the picture order count."""

_PROFILES_WITH_CHROMA = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_HIGH_444_PREDICTIVE = 244
_X264_BUILD = re.compile(rb"x264 - core (\d+)")


class _SequenceParameters(NamedTuple):
    is_444_predictive: bool
    separate_colour_planes: bool
    frame_number_bits: int
    order_type: int
    order_bits: int
    reorder_depth: int | None
    """How many pictures a decoder holds back to put them in order; None when it has to guess."""


class _PictureParameters(NamedTuple):
    sequence: int
    has_bottom_order: bool


class H264Reader:
    """Reads H.264 packets, with length prefixes or start codes."""

    def __init__(self, extradata: bytes, held_back: int) -> None:
        self._held_back = held_back
        self._split = open_splitter(extradata, length_size_at=4)
        self._sets = ParameterSets()
        self._sequences: dict[int, _SequenceParameters] = {}
        self._pictures: dict[int, _PictureParameters] = {}
        self._order = PictureOrder()
        self._next_frame_number = 0
        self._follows_unreferenced = False
        for unit in _list_parameter_units(extradata):
            if unit and unit[0] & 31 in (_SPS, _PPS):
                self._sets.put_initial(unit[0] & 31, self._parse_parameters(unit), unit)

    def read(self, data: memoryview, is_keyframe: bool) -> PacketTraits:
        """The traits of the next packet."""
        pictures = slices = idr_slices = 0
        first_slice = b""
        is_reference = must_be_fed = False
        self._sets.begin_packet()
        for start, end in self._split(data):
            header = data[start]
            kind = header & 31
            if kind in _SLICE_KINDS:
                if end - start < 2:
                    raise UnsafeStreamError("a packet holds a cut-off H.264 unit")
                if not slices:
                    first_slice = bytes(data[start : min(end, start + _SLICE_HEADER_BYTES)])
                slices += 1
                pictures += data[start + 1] >> 7  # first_mb_in_slice is 0
                is_reference = is_reference or header & 0x60 != 0
                idr_slices += kind == _IDR
            elif kind in (_SPS, _PPS):
                unit = bytes(data[start:end]).rstrip(b"\0")
                must_be_fed |= self._sets.put(kind, self._parse_parameters(unit), unit)
            elif kind == _SEI:
                self._check_encoder(bytes(data[start:end]))
            elif kind in (_END_OF_SEQUENCE, _END_OF_STREAM):
                must_be_fed = True
            elif kind in _OTHER_VIEWS:
                raise UnsafeStreamError("the stream is multiview or scalable H.264")
        if pictures != 1:
            raise UnsafeStreamError(f"a packet begins {pictures} H.264 pictures")
        if idr_slices not in (0, slices):
            raise UnsafeStreamError("a picture is an IDR picture only in part")
        rank = self._place(first_slice, is_reference, idr_slices > 0)
        return PacketTraits(
            starts_decoding=idr_slices > 0 and is_keyframe and self._sets.are_complete,
            is_droppable=not is_reference and not must_be_fed,
            output_order=rank,
        )

    def _place(self, unit: bytes, is_reference: bool, is_idr: bool) -> int:
        """The picture's rank in output order, from its first slice's header (7.3.3)."""
        bits = BitReader(unescape(unit[1:]))
        bits.read_exp_golomb()  # first_mb_in_slice
        bits.read_exp_golomb()  # slice_type
        picture = self._pictures.get(bits.read_exp_golomb())
        sequence = None if picture is None else self._sequences.get(picture.sequence)
        if picture is None or sequence is None:
            raise UnsafeStreamError("a slice names a parameter set that did not come")
        if sequence.separate_colour_planes:
            bits.read(2)
        frame_number = bits.read(sequence.frame_number_bits)
        if is_idr:
            self._order.restart()
            bits.read_exp_golomb()  # idr_pic_id
        else:
            self._check_numbering(frame_number, is_reference)
        self._follows_unreferenced = not is_reference
        if is_reference:
            self._next_frame_number = (frame_number + 1) % (1 << sequence.frame_number_bits)
        if sequence.order_type == 2:
            return self._order.place_next()
        lsb = bits.read(sequence.order_bits)
        bottom = bits.read_signed_exp_golomb() if picture.has_bottom_order else 0
        rank = self._order.place(lsb, sequence.order_bits, is_anchor=is_reference, offset=min(0, bottom))
        allowed = self._held_back if sequence.reorder_depth is None else sequence.reorder_depth
        if self._order.reorder_depth > allowed:
            raise UnsafeStreamError("a decoder may hold back too few pictures to show all")
        return rank

    def _check_numbering(self, frame_number: int, is_reference: bool) -> None:
        """Refuse numbers that make a decoder invent missing frames, with or without the droppable ones (8.2.5.2)."""
        follows_a_gap = frame_number != self._next_frame_number
        if follows_a_gap and (self._follows_unreferenced or not is_reference):
            raise UnsafeStreamError("frame numbers have gaps around frames that nothing refers to")

    def _check_encoder(self, unit: bytes) -> None:
        """Refuse streams that FFmpeg decodes in another way once a packet names their encoder."""
        found = _X264_BUILD.search(unit)
        if found is None:
            return
        build = int(found[1][:9])
        # libavcodec/h264_mvpred.h, h264_direct.c, h264_cabac.c: what builds before 34 and 151 got wrong
        if build < 34 or (build < 151 and any(sequence.is_444_predictive for sequence in self._sequences.values())):
            raise UnsafeStreamError(f"x264 build {build} is decoded by rules of its own")

    def _parse_parameters(self, unit: bytes) -> int:
        """The number of a parameter set, whose contents are noted."""
        bits = BitReader(unescape(unit[1:]))
        if unit[0] & 31 == _SPS:
            number, sequence = _parse_sequence(bits)
            self._sequences[number] = sequence
            return number
        number, sequence_number = bits.read_exp_golomb(), bits.read_exp_golomb()
        bits.read(1)  # entropy_coding_mode_flag
        self._pictures[number] = _PictureParameters(sequence_number, bits.read_flag())
        return number


def _list_parameter_units(extradata: bytes) -> Iterator[bytes]:
    if not extradata:
        return
    if extradata[0] != 1:
        for start, end in split_by_start_code(memoryview(extradata)):
            yield extradata[start:end].rstrip(b"\0")
        return
    # avcC (ISO/IEC 14496-15, 5.3.3.1): SPS units, then PPS units, each with its length
    at = 5
    for mask in (31, 255):
        if at >= len(extradata):
            return
        count, at = extradata[at] & mask, at + 1
        for _ in range(count):
            length = int.from_bytes(extradata[at : at + 2], "big")
            yield extradata[at + 2 : at + 2 + length]
            at += 2 + length


def _parse_sequence(bits: BitReader) -> tuple[int, _SequenceParameters]:
    """A sequence parameter set (7.3.2.1.1 and E.1.1)."""
    profile = bits.read(8)
    bits.read(16)
    number = bits.read_exp_golomb()
    separate_colour_planes = False
    if profile in _PROFILES_WITH_CHROMA:
        chroma_format = bits.read_exp_golomb()
        if chroma_format == 3:
            separate_colour_planes = bits.read_flag()
        bits.read_exp_golomb()  # bit_depth_luma_minus8
        bits.read_exp_golomb()  # bit_depth_chroma_minus8
        bits.read(1)
        if bits.read_flag():  # seq_scaling_matrix_present_flag
            for index in range(8 if chroma_format != 3 else 12):
                if bits.read_flag():
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    frame_number_bits = bits.read_exp_golomb() + 4
    order_type = bits.read_exp_golomb()
    order_bits = bits.read_exp_golomb() + 4 if order_type == 0 else 0
    if order_type == 1:
        raise UnsafeStreamError("picture order counts are of type 1")
    bits.read_exp_golomb()  # max_num_ref_frames
    bits.read(1)
    bits.read_exp_golomb()  # pic_width_in_mbs_minus1
    bits.read_exp_golomb()  # pic_height_in_map_units_minus1
    if not bits.read_flag():  # frame_mbs_only_flag
        raise UnsafeStreamError("the stream may be coded in fields")
    bits.read(1)  # direct_8x8_inference_flag
    if bits.read_flag():  # frame_cropping_flag
        for _ in range(4):
            bits.read_exp_golomb()
    return number, _SequenceParameters(
        is_444_predictive=profile == _HIGH_444_PREDICTIVE,
        separate_colour_planes=separate_colour_planes,
        frame_number_bits=frame_number_bits,
        order_type=order_type,
        order_bits=order_bits,
        reorder_depth=_parse_reorder_depth(bits) if bits.read_flag() else None,
    )


def _parse_reorder_depth(bits: BitReader) -> int | None:
    """`max_num_reorder_frames` of the video usability information, which may leave it out."""
    if bits.read_flag() and bits.read(8) == 255:  # aspect_ratio_idc: Extended_SAR
        bits.read(32)
    if bits.read_flag():  # overscan_info_present_flag
        bits.read(1)
    if bits.read_flag():  # video_signal_type_present_flag
        bits.read(4)
        if bits.read_flag():
            bits.read(24)
    if bits.read_flag():  # chroma_loc_info_present_flag
        bits.read_exp_golomb()
        bits.read_exp_golomb()
    if bits.read_flag():  # timing_info_present_flag
        bits.read(65)
    has_decoder_models = [_skip_decoder_model(bits) for _ in ("nal_hrd", "vcl_hrd")]
    if any(has_decoder_models):
        bits.read(1)  # low_delay_hrd_flag
    bits.read(1)  # pic_struct_present_flag
    if not bits.read_flag():  # bitstream_restriction_flag
        return None
    bits.read(1)
    for _ in range(4):
        bits.read_exp_golomb()
    return bits.read_exp_golomb()


def _skip_decoder_model(bits: BitReader) -> bool:
    if not bits.read_flag():
        return False
    count = bits.read_exp_golomb() + 1
    bits.read(8)
    for _ in range(count):
        bits.read_exp_golomb()
        bits.read_exp_golomb()
        bits.read(1)
    bits.read(20)
    return True


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.read_signed_exp_golomb()) % 256
        last = following or last
