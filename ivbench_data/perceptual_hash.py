"""64-bit perceptual hashes of pictures and of their crops, a test for flat pictures, and a search for near hashes.

The hash is pHash (Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010): grey, 32×32,
discrete cosine transform, the 8×8 lowest frequencies against their median. There are two ways to compute it, and a
second view:

- `hash_picture` is `imagehash.phash`. Fingerprints of videos are made of it and are published: its bits never change.
- `hash_detail` sees what those 8×8 frequencies cannot: which words stand on a slide. It is published, too.
- `hash_frames` hashes many crops of many frames. Reducing and transforming are both linear, so they are one matrix on
  either side of the frame, `R · frame · Cᵀ`: microseconds where imagehash takes milliseconds. Its bits differ from
  `hash_picture` in a few places at most, where a coefficient lies at the median.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

REDUCED_SIDE: Final = 32
HASH_SIDE: Final = 8
FLAT_DEVIATION: Final = 4.0
"""Of 255: a picture with a lower standard deviation has a hash that is only noise."""

DETAIL_BITS: Final = 128
_DETAIL_ROWS, _DETAIL_COLUMNS = 32, 48
"""Cells that a picture is reduced to: about half a line of a slide's text high, and a letter or two wide."""
_DETAIL_SOFTNESS: Final = 20.0
"""Of 255: steps between neighbours count by `step / (|step| + this)`, so that a heavy rule weighs no more than text."""
_STEP_LUMA: Final = 12.0
"""Of 255: a step that grain and compression do not make."""
_CORNER: Final = 0.2
"""Share of height and width of each corner, where logos and clocks stand, that is left out."""

GreyArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Crop:
    """A part of a picture, in shares of its width and height; the whole by default."""

    left: float = 0.0
    top: float = 0.0
    width: float = 1.0
    height: float = 1.0


WHOLE: Final = Crop()


def make_crops(share: float, steps: int = 3) -> list[Crop]:
    """Crops of that share of width and height, at `steps` places across and down."""
    places = [(1 - share) * step / (steps - 1) for step in range(steps)]
    return [Crop(left, top, share, share) for top in places for left in places]


def hash_picture(picture: npt.NDArray[np.uint8]) -> int:
    """The hash of one picture, as `imagehash.phash` computes it: 64 bits from grey uint8 `[H, W]`."""
    import imagehash
    from PIL import Image

    return int(str(imagehash.phash(Image.fromarray(picture))), 16)


@dataclass(frozen=True)
class Detail:
    """The fine structure of one picture."""

    hash: int
    """`DETAIL_BITS` bits."""
    steps: int
    """Places, of 1,536, with a clear step to the right; with few the hash is only noise."""


def hash_detail(picture: npt.NDArray[np.uint8]) -> Detail:
    """A hash of where a picture has steps from left to right: words have many, bars and rules of a slide hardly any.

    The picture, grey uint8 `[H, W]`, is averaged to 32×48; each cell's difference from its left neighbour, compressed
    and without the corners, is projected on 128 fixed patterns of ±1. The signs are the bits: two pictures differ in a
    share of them that is the angle between their steps, over π (random hyperplanes: Charikar, "Similarity estimation
    techniques from rounding algorithms", 2002).
    """
    from PIL import Image

    size = (_DETAIL_COLUMNS + 1, _DETAIL_ROWS)
    cells = np.asarray(Image.fromarray(picture).convert("F").resize(size, Image.Resampling.BOX))
    steps = np.diff(cells, axis=1) * _outside_corners()
    compressed = (steps / (np.abs(steps) + _DETAIL_SOFTNESS)).astype(np.float32)
    bits = np.packbits(_detail_patterns() @ compressed.ravel() > 0)
    return Detail(int.from_bytes(bits.tobytes(), "big"), int((np.abs(steps) > _STEP_LUMA).sum()))


def reduce_frames(frames: GreyArray, crop: Crop = WHOLE) -> GreyArray:
    """The crop of each frame averaged down to 32×32: float32 `[T, 32, 32]` from `[T, H, W]`."""
    _, height, width = frames.shape
    rows = _averaging_matrix(height, crop.top, crop.height)
    columns = _averaging_matrix(width, crop.left, crop.width)
    return np.asarray(rows @ frames @ columns.T, dtype=np.float32)


def hash_frames(frames: GreyArray, crop: Crop = WHOLE) -> npt.NDArray[np.uint64]:
    """The hash of the crop of each frame: uint64 `[T]` from grey `[T, H, W]`."""
    cosines = _cosine_matrix()
    low = (cosines @ reduce_frames(frames, crop) @ cosines.T).reshape(len(frames), HASH_SIDE * HASH_SIDE)
    bits = low > np.median(low, axis=1, keepdims=True)
    packed: npt.NDArray[np.uint64] = np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)
    return packed


def correlate(first: GreyArray, second: GreyArray) -> float:
    """Pearson's correlation of two pictures' pixels: 1 for the same picture in any brightness and contrast."""
    a, b = first.ravel() - first.mean(), second.ravel() - second.mean()
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / scale if scale > 0 else 0.0


def is_flat(picture: GreyArray | npt.NDArray[np.uint8], factor: float = 1.0) -> bool:
    """Whether a grey picture has too little contrast for its hash to mean anything: under `factor` times the limit."""
    return float(picture.std()) < FLAT_DEVIATION * factor


def measure_distances(hashes: npt.NDArray[np.uint64], wanted: np.uint64) -> npt.NDArray[np.int64]:
    """Bits, of 64, in which each hash differs from the wanted one."""
    differing = np.ascontiguousarray(hashes ^ wanted).view(np.uint8).reshape(*hashes.shape, 8)
    counted: npt.NDArray[np.int64] = np.unpackbits(differing, axis=-1).sum(axis=-1, dtype=np.int64)
    return counted


# --- near hashes among many -----------------------------------------------------------------------------------------

BAND_BITS: Final = 16
MAX_NEAR_DISTANCE: Final = 7
"""Two hashes this near differ by at most one bit in one of their four bands: that band is looked up, and its
neighbours one bit away, so every near pair is found without comparing all pairs (multi-index hashing: Norouzi, Punjani
and Fleet, 2012)."""


class HashIndex:
    """A set of hashes that finds the near ones of any hash; a look-up takes about the same time at any size."""

    def __init__(self) -> None:
        self._hashes: list[int] = []
        self._bands: list[dict[int, list[int]]] = [{} for _ in range(64 // BAND_BITS)]

    def add(self, value: int) -> int:
        """Add a hash; its number, counted from 0."""
        number = len(self._hashes)
        self._hashes.append(value)
        for band, key in zip(self._bands, _cut_bands(value), strict=True):
            band.setdefault(key, []).append(number)
        return number

    def find(self, value: int, max_distance: int = MAX_NEAR_DISTANCE) -> list[tuple[int, int]]:
        """Number and distance of every hash within `max_distance` bits, in order of their numbers.

        Raises:
            ValueError: `max_distance` is over `MAX_NEAR_DISTANCE`, beyond which near hashes would be missed.
        """
        if max_distance > MAX_NEAR_DISTANCE:
            raise ValueError(f"max_distance is {max_distance}; at most {MAX_NEAR_DISTANCE} is searched without gaps")
        candidates: set[int] = set()
        for band, key in zip(self._bands, _cut_bands(value), strict=True):
            for probe in (key, *(key ^ (1 << bit) for bit in range(BAND_BITS))):
                candidates.update(band.get(probe, ()))
        distances = ((number, (self._hashes[number] ^ value).bit_count()) for number in sorted(candidates))
        return [(number, distance) for number, distance in distances if distance <= max_distance]


def group_near(values: Sequence[int], max_distance: int = MAX_NEAR_DISTANCE) -> Iterator[list[tuple[int, int]]]:
    """Groups of hashes that are near the first of their group: positions and distances from it, the first with 0.

    Equal hashes are put together before anything is compared, so that thousands of copies cost no more than one.
    """
    positions: dict[int, list[int]] = {}
    for position, value in enumerate(values):
        positions.setdefault(value, []).append(position)
    index = HashIndex()
    leaders: list[list[tuple[int, int]]] = []
    for value, places in positions.items():
        near = index.find(value, max_distance)
        if near:
            number, distance = min(near, key=lambda found: found[1])
            leaders[number] += [(place, distance) for place in places]
        else:
            index.add(value)
            leaders.append([(place, 0) for place in places])
    yield from (group for group in leaders if len(group) > 1)


def _cut_bands(value: int) -> Iterator[int]:
    for shift in range(0, 64, BAND_BITS):
        yield (value >> shift) & ((1 << BAND_BITS) - 1)


# --- parts ----------------------------------------------------------------------------------------------------------


@cache
def _averaging_matrix(size: int, start_share: float, share: float) -> GreyArray:
    """float32 `[32, size]`: each of 32 equal parts of a stretch as the mean of the pixels that it covers."""
    edges = size * (start_share + share * np.arange(REDUCED_SIDE + 1) / REDUCED_SIDE)
    pixels = np.arange(size)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    covered = np.clip(covered, 0, None)
    return np.asarray(covered / covered.sum(axis=1, keepdims=True), dtype=np.float32)


@cache
def _cosine_matrix() -> GreyArray:
    """float32 `[8, 32]`: the lowest frequencies of the discrete cosine transform of type II."""
    frequencies, places = np.arange(HASH_SIDE)[:, None], np.arange(REDUCED_SIDE)
    return np.asarray(np.cos(np.pi * frequencies * (2 * places + 1) / (2 * REDUCED_SIDE)), dtype=np.float32)


@cache
def _detail_patterns() -> GreyArray:
    """float32 `[128, 1536]` of ±1, from a fixed stream, so that they are the same on every machine for ever."""
    cells = _DETAIL_ROWS * _DETAIL_COLUMNS
    stream = hashlib.shake_256(b"ivbench-data detail 1").digest(DETAIL_BITS * cells // 8)
    bits = np.unpackbits(np.frombuffer(stream, np.uint8))
    return np.asarray(bits.reshape(DETAIL_BITS, cells) * 2.0 - 1.0, dtype=np.float32)


@cache
def _outside_corners() -> GreyArray:
    """float32 `[32, 48]`: 0 in the corners, 1 elsewhere."""
    mask = np.ones((_DETAIL_ROWS, _DETAIL_COLUMNS), np.float32)
    rows, columns = round(_CORNER * _DETAIL_ROWS), round(_CORNER * _DETAIL_COLUMNS)
    for down in (slice(0, rows), slice(-rows, None)):
        for across in (slice(0, columns), slice(-columns, None)):
            mask[down, across] = 0
    return mask
