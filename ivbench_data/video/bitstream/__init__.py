"""What compressed packets say of themselves, read from their first bytes without decoding.

For each packet: may decoding start here, does any other frame need it, is it shown, and when? One file a codec; the
rules are those of its standard. Where a packet does not say, the answer is the safe one; where a stream as a whole
could mislead, it is refused, and is decoded from its beginning.
"""

from __future__ import annotations

from ivbench_data.video.bitstream.av1 import Av1Reader
from ivbench_data.video.bitstream.h264 import H264Reader
from ivbench_data.video.bitstream.hevc import HevcReader
from ivbench_data.video.bitstream.jpeg import JpegReader
from ivbench_data.video.bitstream.needed_packets import PacketColumns, PacketIndex, index_packets
from ivbench_data.video.bitstream.packet_traits import PacketReader, PacketTraits, UnsafeStreamError
from ivbench_data.video.bitstream.vp8 import Vp8Reader
from ivbench_data.video.bitstream.vp9 import Vp9Reader

__all__ = [
    "INTRA_ONLY_CODECS",
    "PacketColumns",
    "PacketIndex",
    "PacketReader",
    "PacketTraits",
    "UnsafeStreamError",
    "index_packets",
    "open_reader",
]

INTRA_ONLY_CODECS = frozenset({"prores", "dnxhd", "png"})
"""Codecs whose every frame stands alone."""

_ALONE = PacketTraits(starts_decoding=True)


class _IntraOnlyReader:
    def read(self, data: memoryview, is_keyframe: bool) -> PacketTraits:
        return _ALONE


def open_reader(codec: str, extradata: bytes, held_back: int = 0) -> PacketReader:
    """The reader of a stream's packets, made from its codec's name and its extradata.

    `held_back` is how many pictures the decoder is known to hold back to put them in order, where the stream itself
    does not say.

    Raises:
        UnsafeStreamError: we cannot tell which packets the stream's frames need.
    """
    match codec:
        case "h264":
            return H264Reader(extradata, held_back)
        case "hevc":
            return HevcReader(extradata)
        case "vp8":
            return Vp8Reader()
        case "vp9":
            return Vp9Reader()
        case "av1":
            return Av1Reader()
        case "mjpeg":
            return JpegReader()
    if codec in INTRA_ONLY_CODECS:
        return _IntraOnlyReader()
    raise UnsafeStreamError(f"packets of codec {codec} are not understood")
