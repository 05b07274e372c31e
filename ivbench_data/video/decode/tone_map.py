"""HDR to SDR, in integers: PQ and HLG pictures as a screen of standard range shows them.

The steps, each by a look-up table or an integer matrix, so that the bytes are the same on every machine:

1. light: PQ by its EOTF (SMPTE ST 2084); HLG by its inverse OETF, and the OOTF of a display of 1,000 cd/m², whose
   gamma is 1.2 (ITU-R BT.2100, table 5);
2. tone: the EETF of ITU-R BT.2390-10, 5.4.1, from a source that ends at 1,000 cd/m² to a screen whose white is the
   reference white of 203 cd/m² (ITU-R BT.2408); it is found for the brightest channel and scales all three, so that
   hues stay. What is brighter than the source's end is white;
3. primaries: BT.2020 to BT.709 (ITU-R BT.2087); what lies outside is clipped;
4. signal: the inverse of the EOTF of ITU-R BT.1886, gamma 2.4, to 8 bits.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SOURCE_PEAK: Final = 1000.0
"""cd/m² at which the source ends; HLG's nominal peak."""
REFERENCE_WHITE: Final = 203.0
"""cd/m² of the screen's white."""
HLG_GAMMA: Final = 1.2
"""System gamma of a display of 1,000 cd/m²."""

SIGNAL_BITS: Final = 12
"""Bits of R', G' and B' as they enter the tables."""
_SIGNAL_MAX = (1 << SIGNAL_BITS) - 1
_LIGHT_ONE = 1 << 36
"""10,000 cd/m² as an integer; the least code of the screen is then some hundred units."""
_PQ_PEAK = 10_000.0
_RATIO_ONE = 1 << 16
_MANTISSA = 256
"""Steps of a table between a power of two and the next."""

LUMA_WEIGHTS: Final[dict[str, tuple[float, float]]] = {
    "bt709": (0.2126, 0.0722), "fcc": (0.30, 0.11), "bt601": (0.299, 0.114), "smpte240m": (0.212, 0.087),
    "bt2020": (0.2627, 0.0593),
}  # fmt: skip
"""Weights of red and blue in luma, by matrix (ITU-T H.273, table 4)."""

_TO_BT709 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]]
)
_MATRIX_BITS = 14
PRIMARIES: Final[dict[str, NDArray[np.int64]]] = {
    "bt2020": np.rint(_TO_BT709 * (1 << _MATRIX_BITS)).astype(np.int64),
    "unspecified": np.rint(_TO_BT709 * (1 << _MATRIX_BITS)).astype(np.int64),  # PQ and HLG are defined with BT.2020
    "bt709": np.eye(3, dtype=np.int64) << _MATRIX_BITS,
}
"""By the name of a video's primaries: what makes BT.709's of them."""


def map_tones(
    planes: tuple[NDArray[np.integer], NDArray[np.integer], NDArray[np.integer]],
    depth: int,
    is_full_range: bool,
    matrix: str,
    transfer: str,
    primaries: str,
) -> tuple[NDArray[np.uint8], ...]:
    """Red, green and blue of SDR, uint8 `[H, W]` each.

    Args:
        planes: luma, blue and red difference, `[H, W]` each, of one size.
        depth: bits of a sample.
        is_full_range: whether black is 0 and white the highest number.
        matrix: a name in `LUMA_WEIGHTS`.
        transfer: `pq` or `hlg`.
        primaries: a name in `PRIMARIES`.
    """
    light = _linearize(_make_signal(planes, depth, is_full_range, matrix), transfer)
    light = light * _tone_ratios()[_find_step(light.max(axis=0))] // _RATIO_ONE
    mixed = np.einsum("ij,jhw->ihw", PRIMARIES[primaries], light) >> _MATRIX_BITS
    return tuple(np.searchsorted(_code_thresholds(), mixed, side="right").astype(np.uint8))


def _make_signal(
    planes: tuple[NDArray[np.integer], ...], depth: int, is_full_range: bool, matrix: str
) -> NDArray[np.int64]:
    """R', G' and B' as `SIGNAL_BITS`-bit integers `[3, H, W]` (the inverse of ITU-T H.273, equations 38 to 40)."""
    luma, blue, red = (plane.astype(np.int64) for plane in planes)
    step = 1 << depth - 8
    black, luma_span, chroma_span = (
        (0, (1 << depth) - 1, (1 << depth) - 1) if is_full_range else (16 * step, 219 * step, 224 * step)
    )
    kr, kb = LUMA_WEIGHTS[matrix]
    kg, middle, one = 1 - kr - kb, 1 << depth - 1, 1 << 24
    of_luma = round(_SIGNAL_MAX * one / luma_span)
    of_red, of_blue = (round(2 * (1 - weight) * _SIGNAL_MAX * one / chroma_span) for weight in (kr, kb))
    luma, blue, red = (luma - black) * of_luma, blue - middle, red - middle
    of_green = round(of_blue * kb / kg), round(of_red * kr / kg)
    signal = np.stack([luma + red * of_red, luma - blue * of_green[0] - red * of_green[1], luma + blue * of_blue])
    clipped: NDArray[np.int64] = np.clip((signal + one // 2) // one, 0, _SIGNAL_MAX)
    return clipped


def _linearize(signal: NDArray[np.int64], transfer: str) -> NDArray[np.int64]:
    """Light of a display `[3, H, W]`, in `_LIGHT_ONE`-ths of 10,000 cd/m²."""
    if transfer == "pq":
        return _pq_light()[signal]
    scene = _hlg_light()[signal]
    weights = np.array([round(weight * (1 << 16)) for weight in (0.2627, 0.6780, 0.0593)], dtype=np.int64)
    luminance = np.einsum("i,ihw->hw", weights, scene) >> 16
    return scene * _hlg_gains()[_find_step(luminance)] // _RATIO_ONE


# --- tables ---------------------------------------------------------------------------------------------------------


def pq_to_light(signal: float) -> float:
    """cd/m² of a PQ signal between 0 and 1 (ST 2084)."""
    power = signal ** (1 / 78.84375)
    share = max(power - 0.8359375, 0.0) / (18.8515625 - 18.6875 * power)
    return _PQ_PEAK * math.pow(share, 1 / 0.1593017578125)


def light_to_pq(light: float) -> float:
    """The PQ signal of so many cd/m²."""
    power = math.pow(light / _PQ_PEAK, 0.1593017578125)
    return math.pow((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power), 78.84375)


def hlg_to_scene(signal: float) -> float:
    """Light of the scene, 0 to 1, of an HLG signal (the inverse OETF of BT.2100)."""
    if signal <= 0.5:
        return signal * signal / 3
    return (math.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12


def compress_light(light: float) -> float:
    """cd/m² on the screen of so many cd/m² of the source (the EETF of BT.2390)."""
    peak = light_to_pq(SOURCE_PEAK)
    at, most = min(light_to_pq(light) / peak, 1.0), light_to_pq(REFERENCE_WHITE) / peak
    knee = 1.5 * most - 0.5
    if at > knee:
        t = (at - knee) / (1 - knee)
        at = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    return pq_to_light(at * peak)


@cache
def _pq_light() -> NDArray[np.int64]:
    signals = [at / _SIGNAL_MAX for at in range(_SIGNAL_MAX + 1)]
    return np.array([round(pq_to_light(signal) / _PQ_PEAK * _LIGHT_ONE) for signal in signals], dtype=np.int64)


@cache
def _hlg_light() -> NDArray[np.int64]:
    signals = [at / _SIGNAL_MAX for at in range(_SIGNAL_MAX + 1)]
    return np.array([round(hlg_to_scene(signal) * _LIGHT_ONE) for signal in signals], dtype=np.int64)


def _find_step(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The step of a table over positive numbers in which a value lies: `_MANTISSA` steps from 2ⁿ to 2ⁿ⁺¹."""
    fraction, exponent = np.frexp(np.maximum(values, 1))  # exact: the values have fewer bits than a float
    return (exponent.astype(np.int64) - 1) * _MANTISSA + ((fraction * 2 - 1) * _MANTISSA).astype(np.int64)


def _list_steps() -> list[float]:
    """The middle of each step, as a share of `_LIGHT_ONE`."""
    values = (
        2**exponent * (1 + (step + 0.5) / _MANTISSA)
        for exponent in range(_LIGHT_ONE.bit_length() + 1)
        for step in range(_MANTISSA)
    )
    return [value / _LIGHT_ONE for value in values]


@cache
def _tone_ratios() -> NDArray[np.int64]:
    lights = [share * _PQ_PEAK for share in _list_steps()]
    return np.array([round(_RATIO_ONE * compress_light(light) / light) for light in lights], dtype=np.int64)


@cache
def _hlg_gains() -> NDArray[np.int64]:
    """What the OOTF multiplies the scene's light with, by its luminance: `1000 Y^0.2` cd/m²."""
    gains = [SOURCE_PEAK / _PQ_PEAK * share ** (HLG_GAMMA - 1) for share in _list_steps()]
    return np.array([round(_RATIO_ONE * gain) for gain in gains], dtype=np.int64)


@cache
def _code_thresholds() -> NDArray[np.int64]:
    """The least light of each code from 1 to 255: halfway between two codes' signals (BT.1886)."""
    white = REFERENCE_WHITE / _PQ_PEAK * _LIGHT_ONE
    return np.array([round(white * ((code - 0.5) / 255) ** 2.4) for code in range(1, 256)], dtype=np.int64)
