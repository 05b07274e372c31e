"""What a compressed packet says of itself, read from its first bytes without decoding.

For each packet: may decoding start here, and does any other frame need it? The rules are those of the standards:
H.264 (ITU-T H.264, 7.4.1: `nal_ref_idc`, `nal_unit_type`), HEVC (ITU-T H.265, table 7-1: sub-layer non-reference
pictures). Where a packet does not say, the answer is the safe one: needed, and no place to start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PacketTraits:
    """What one packet says of itself."""

    starts_decoding: bool
    """A decoder that starts here, with nothing before, shows this frame and all that follow it right."""
    is_droppable: bool
    """No other frame refers to it, and it changes no state: a decoder that never sees it shows the others the same."""
    carries_parameters: bool = False
    """It holds a whole set of parameter sets of its own."""
    temporal_layer: int = 0
    """Its temporal sub-layer; only those of the stream's highest one may be dropped."""
    is_shown: bool = True
    """It puts a frame on screen."""


NEEDED = PacketTraits(starts_decoding=False, is_droppable=False)
KEYFRAME = PacketTraits(starts_decoding=True, is_droppable=False)


class UnsafeStreamError(Exception):
    """The stream cannot be taken apart by packets; the message says why. A sequential decode is exact all the same."""


PacketReader = Callable[[memoryview, bool], PacketTraits]
"""Packet bytes and the container's keyframe flag, to traits."""


def open_reader(codec: str, extradata: bytes) -> PacketReader:
    """The reader of a stream's packets, made from its codec's name and its extradata.

    Raises:
        UnsafeStreamError: we cannot tell which packets the stream's frames need.
    """
    if codec == "h264":
        return _open_h264(extradata)
    if codec == "hevc":
        return _open_hevc(extradata)
    if codec in INTRA_ONLY_CODECS:
        return lambda data, is_keyframe: KEYFRAME
    raise UnsafeStreamError(f"packets of codec {codec} are not understood")


INTRA_ONLY_CODECS = frozenset({"mjpeg", "prores", "dnxhd", "ffv1_intra", "rawvideo", "png"})
"""Codecs whose every frame stands alone."""


# --- H.264 and HEVC: network abstraction layer units --------------------------------------------------------------

_H264_SPS, _H264_PPS, _H264_IDR = 7, 8, 5
_HEVC_VPS, _HEVC_SPS, _HEVC_PPS = 32, 33, 34


def _open_h264(extradata: bytes) -> PacketReader:
    split = _unit_splitter(extradata, length_size_at=4)
    for unit in _parameter_units_h264(extradata):
        if unit and unit[0] & 31 == _H264_SPS:
            _refuse_field_coding(bytes(unit))

    def read(data: memoryview, is_keyframe: bool) -> PacketTraits:
        is_reference = is_idr = has_picture = ends_sequence = False
        parameters = 0
        for start, end in split(data):
            header = data[start]
            kind = header & 31
            if 1 <= kind <= 5:
                has_picture = True
                is_reference = is_reference or header & 0x60 != 0
                is_idr = is_idr or kind == _H264_IDR
            elif kind == _H264_SPS:
                _refuse_field_coding(bytes(data[start : min(end, start + 512)]))
                parameters |= 1
            elif kind == _H264_PPS:
                parameters |= 2
            elif kind in (10, 11):
                ends_sequence = True
            elif kind in (20, 21):
                raise UnsafeStreamError("the stream is multiview or scalable H.264")
        if not has_picture:
            raise UnsafeStreamError("a packet holds no H.264 picture")
        if parameters and not is_idr:
            raise UnsafeStreamError("parameter sets change between keyframes")
        return PacketTraits(
            starts_decoding=is_idr and is_keyframe,
            is_droppable=not is_reference and not ends_sequence,
            carries_parameters=parameters == 3,
        )

    return read


def _open_hevc(extradata: bytes) -> PacketReader:
    split = _unit_splitter(extradata, length_size_at=21)

    def read(data: memoryview, is_keyframe: bool) -> PacketTraits:
        kinds: set[int] = set()
        parameters: set[int] = set()
        layer, ends_sequence = 0, False
        for start, end in split(data):
            if end - start < 2:
                raise UnsafeStreamError("a packet holds a cut-off HEVC unit")
            kind = data[start] >> 1 & 63
            if (data[start] & 1) << 5 | data[start + 1] >> 3:
                raise UnsafeStreamError("the stream is multi-layer HEVC")
            if kind < 32:
                kinds.add(kind)
                layer = max(layer, (data[start + 1] & 7) - 1)
            elif kind <= _HEVC_PPS:
                parameters.add(kind)
            elif kind in (36, 37):
                ends_sequence = True
        if not kinds:
            raise UnsafeStreamError("a packet holds no HEVC picture")
        is_irap = all(16 <= kind <= 23 for kind in kinds)
        if parameters and not is_irap:
            raise UnsafeStreamError("parameter sets change between keyframes")
        return PacketTraits(
            starts_decoding=is_irap and is_keyframe,
            # Sub-layer non-reference pictures have even types below 16; higher sub-layers may still refer to them.
            is_droppable=not ends_sequence and all(kind < 16 and kind % 2 == 0 for kind in kinds),
            carries_parameters=parameters == {_HEVC_VPS, _HEVC_SPS, _HEVC_PPS},
            temporal_layer=layer,
        )

    return read


def _unit_splitter(extradata: bytes, length_size_at: int) -> Callable[[memoryview], Iterator[tuple[int, int]]]:
    """How to find the units of a packet: by length prefixes (avcC, hvcC), or by start codes (Annex B)."""
    if len(extradata) > length_size_at and extradata[0] == 1:
        length_size = (extradata[length_size_at] & 3) + 1
        return lambda data: _split_by_length(data, length_size)
    return _split_by_start_code


def _split_by_length(data: memoryview, length_size: int) -> Iterator[tuple[int, int]]:
    at, total = 0, len(data)
    while at + length_size < total:
        start = at + length_size
        at = start + int.from_bytes(data[at:start], "big")
        if at > total or at == start:
            raise UnsafeStreamError("a packet's unit lengths do not add up")
        yield start, at


def _split_by_start_code(data: memoryview) -> Iterator[tuple[int, int]]:
    content = bytes(data)
    start = content.find(b"\0\0\1")
    while start >= 0:
        following = content.find(b"\0\0\1", start + 3)
        end = len(content) if following < 0 else following
        if end > start + 3:
            yield start + 3, end
        start = following


def _parameter_units_h264(extradata: bytes) -> Iterator[memoryview]:
    data = memoryview(extradata)
    if not extradata:
        return
    if extradata[0] != 1:
        for start, end in _split_by_start_code(data):
            yield data[start:end]
        return
    at = 5
    for mask in (31, 255):
        if at >= len(data):
            return
        count, at = data[at] & mask, at + 1
        for _ in range(count):
            length = int.from_bytes(data[at : at + 2], "big")
            yield data[at + 2 : at + 2 + length]
            at += 2 + length


def _refuse_field_coding(unit: bytes) -> None:
    """Refuse a sequence parameter set that lets pictures be coded as fields: two packets may then make one frame."""
    try:
        if not _frame_mbs_only(unit):
            raise UnsafeStreamError("the stream may be coded in fields")
    except IndexError:
        raise UnsafeStreamError("a sequence parameter set is cut off") from None


_PROFILES_WITH_CHROMA = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


def _frame_mbs_only(unit: bytes) -> bool:
    """`frame_mbs_only_flag` of an H.264 sequence parameter set (7.3.2.1.1)."""
    bits = _BitReader(unit[1:].replace(b"\0\0\3", b"\0\0"))
    profile = bits.read(8)
    bits.read(16)
    bits.read_exp_golomb()  # seq_parameter_set_id
    if profile in _PROFILES_WITH_CHROMA:
        chroma_format = bits.read_exp_golomb()
        if chroma_format == 3:
            bits.read(1)
        bits.read_exp_golomb()  # bit_depth_luma_minus8
        bits.read_exp_golomb()  # bit_depth_chroma_minus8
        bits.read(1)
        if bits.read(1):  # seq_scaling_matrix_present_flag
            for index in range(8 if chroma_format != 3 else 12):
                if bits.read(1):
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    bits.read_exp_golomb()  # log2_max_frame_num_minus4
    order_type = bits.read_exp_golomb()
    if order_type == 0:
        bits.read_exp_golomb()
    elif order_type == 1:
        bits.read(1)
        bits.read_exp_golomb()
        bits.read_exp_golomb()
        for _ in range(bits.read_exp_golomb()):
            bits.read_exp_golomb()
    bits.read_exp_golomb()  # max_num_ref_frames
    bits.read(1)
    bits.read_exp_golomb()  # pic_width_in_mbs_minus1
    bits.read_exp_golomb()  # pic_height_in_map_units_minus1
    return bits.read(1) == 1


def _skip_scaling_list(bits: _BitReader, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.read_exp_golomb()
            following = (last + (code + 1 >> 1 if code & 1 else -(code >> 1))) % 256
        last = following or last


class _BitReader:
    """Bits of some bytes, most significant first; IndexError past the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def read(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1
            self._at += 1
        return value

    def read_exp_golomb(self) -> int:
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 32:
                raise UnsafeStreamError("a sequence parameter set is damaged")
        return (1 << zeros) - 1 + self.read(zeros)
