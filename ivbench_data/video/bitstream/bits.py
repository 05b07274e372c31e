"""Bits of a header, most significant first."""

from __future__ import annotations

from ivbench_data.video.bitstream.packet_traits import UnsafeStreamError


class BitReader:
    """Reads numbers off some bytes.

    Every method raises UnsafeStreamError past the end: a header that is longer than it may be is damaged.
    """

    __slots__ = ("_left", "_value")

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def read(self, count: int) -> int:
        """An unsigned number of `count` bits."""
        self._left -= count
        if self._left < 0:
            raise UnsafeStreamError("a header is cut off")
        return self._value >> self._left & (1 << count) - 1

    def read_flag(self) -> bool:
        """One bit."""
        return self.read(1) == 1

    def read_exp_golomb(self) -> int:
        """`ue(v)` of H.264 and HEVC: as many zeros as bits follow the first one."""
        zeros = self._left - (self._value & (1 << self._left) - 1).bit_length()
        if zeros > 32:
            raise UnsafeStreamError("a header is damaged")
        return self.read(2 * zeros + 1) - 1

    def read_signed_exp_golomb(self) -> int:
        """`se(v)` of H.264 and HEVC: 0, 1, -1, 2, -2 and so on."""
        code = self.read_exp_golomb()
        return (code + 1) // 2 if code & 1 else -(code // 2)

    def read_uvlc(self) -> int:
        """`uvlc()` of AV1, which is `ue(v)` up to 32 bits."""
        return self.read_exp_golomb()
