"""Motion JPEG (ITU-T T.81): every picture stands alone if it carries its tables; some streams send them once."""

from __future__ import annotations

from ivbench_data.video.bitstream.packet_traits import PacketTraits

_NEEDED, _ALONE = PacketTraits(), PacketTraits(starts_decoding=True)
_QUANTISATION, _HUFFMAN, _START_OF_SCAN = 0xDB, 0xC4, 0xDA
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD9), 0xFF)


class JpegReader:
    """Reads Motion JPEG packets."""

    def __init__(self) -> None:
        self._had_huffman = False

    def read(self, data: memoryview, is_keyframe: bool) -> PacketTraits:
        """The traits of the next packet."""
        found = _list_markers(data)
        # without Huffman tables, those of K.3 hold, unless others came before
        has_own = _HUFFMAN in found or not self._had_huffman
        self._had_huffman |= _HUFFMAN in found
        return _ALONE if _QUANTISATION in found and has_own else _NEEDED


def _list_markers(data: memoryview) -> set[int]:
    """The markers before the first scan."""
    found: set[int] = set()
    at, total = 0, len(data)
    while at + 4 <= total and data[at] == 0xFF and _START_OF_SCAN not in found:
        marker = data[at + 1]
        found.add(marker)
        at += (
            1
            if marker == 0xFF
            else 2
            if marker in _WITHOUT_LENGTH
            else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        )
    return found
