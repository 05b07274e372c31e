"""One file of a frame cache: a plain safetensors file with its own metadata and digests.

Tensors: `pts_seconds` float64 `[T]`, `indices` int64 `[T]`, `frames` uint8 `[T, 3, H, W]` RGB. The metadata (strings)
describe how the frames were extracted; `frames_digest` is the SHA-256 of the frames' bytes, `content_digest` that of
all other bytes of the file, with itself as zeros. The header is padded so that the frames begin on a page: they can be
memory-mapped at raw speed, and are written one by one while they are decoded, in bounded memory.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import mmap
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from reprlib import repr as shorten
from typing import Any, BinaryIO, cast
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from ivbench_data.atomic_files import digest_stream, write_atomically
from ivbench_data.errors import CacheCorruptError, CacheNotFoundError, EnvironmentProblemError, StorageError
from ivbench_data.strict_json import parse_json

FORMAT_VERSION = "1"
_PAGE = 4096
_ROOM_FOR_LATE_METADATA = 1024
_NO_DIGEST = "0" * 64
_MAX_HEADER_BYTES = 1 << 20
_MAX_WRITE_BYTES = 32 << 20
_CONTENT_DIGEST = re.compile(rb'("content_digest":")[0-9a-f]{64}(")')


@dataclass(frozen=True)
class Clip:
    """The frames of one video in one grid, memory-mapped: bytes are read when they are touched, and never copied.

    Example:
        >>> clip = iv.read_frames("tiny", "alpha", "4x16")
        >>> clip.frames.shape, clip.frames.dtype.name
        ((4, 3, 16, 24), 'uint8')
        >>> clip.indices.tolist()
        [0, 2, 5, 7]
    """

    frames: NDArray[np.uint8]
    """uint8 `[T, 3, H, W]` RGB; what is written to it stays in memory, and never reaches the file."""
    pts_seconds: NDArray[np.float64]
    """float64 `[T]`, when each frame is shown, in seconds after the first frame, or as `metadata['clock']` says."""
    indices: NDArray[np.int64]
    """int64 `[T]`, presentation index of each frame in the video."""
    metadata: Mapping[str, str]
    """How the frames were extracted."""
    path: Path
    """The file."""
    frames_at: int | None = None
    """Where the frames begin in the file; None when they are a selection of the file's."""
    file_id: tuple[int, int] | None = None
    """Device and inode of the file that is mapped: its path may come to name another one."""

    @property
    def frames_digest(self) -> str:
        """SHA-256 of the frames' bytes, as the file says."""
        return self.metadata["frames_digest"]

    @property
    def size_bytes(self) -> int:
        """Size of the frames' file; of a selection, of its frames."""
        return (self.frames_at or 0) + self.frames.nbytes

    def copy_frames(self, out: NDArray[np.uint8]) -> None:
        """Fill `out`, a contiguous uint8 array of as many bytes as `frames`: for buffers that are reused.

        The file is read straight into it, which costs one copy and no page faults.

        Raises:
            CacheCorruptError: the file has become shorter.
        """
        with ExitStack() as stack:
            file = None if self.frames_at is None else self._open_again(stack)
            if file is None or self.frames_at is None:
                np.copyto(out.reshape(self.frames.shape), self.frames)
                return
            file.seek(self.frames_at)
            target = out.reshape(-1).data
            filled = 0
            while filled < len(target):
                count = file.readinto(target[filled:])
                if not count:
                    raise CacheCorruptError(f"{self.path} is cut off")
                filled += count

    def _open_again(self, stack: ExitStack) -> FileIO | None:
        """The mapped file, opened again for reading; None when its path is gone, or names a newer file."""
        try:
            file = stack.enter_context(FileIO(self.path, opener=_open_without_waiting))
        except OSError:
            return None
        return file if _identify(file.fileno()) == self.file_id else None


class FrameFileWriter:
    """Writes frames into an open file, in any order, each position once."""

    def __init__(self, file: BinaryIO, frames_at: int, shape: tuple[int, int, int, int]) -> None:
        self._file = file
        self._frames_at = frames_at
        self._frame_bytes = shape[1] * shape[2] * shape[3]
        self._missing = set(range(shape[0]))
        self.size_bytes = frames_at + shape[0] * self._frame_bytes
        """Size of the whole file."""
        # Frames that follow one another are written together: a file of large writes is held in memory in large
        # pieces, and is mapped back several times faster.
        self._waiting: list[NDArray[np.uint8]] = []
        self._waiting_at = 0
        self.late_metadata: dict[str, str] = {}
        """Metadata that are known only once the frames are decoded."""

    def put(self, position: int, frame: NDArray[np.uint8]) -> None:
        """Write the frame, uint8 `[3, H, W]`, at its position; the caller must not change it afterwards."""
        assert frame.nbytes == self._frame_bytes
        is_next = position == self._waiting_at + len(self._waiting)
        if not is_next or len(self._waiting) * self._frame_bytes >= _MAX_WRITE_BYTES:
            self._write_waiting()
            self._waiting_at = position
        self._waiting.append(np.ascontiguousarray(frame))
        self._missing.discard(position)

    def finish(self) -> None:
        """Write buffered frames; every position must have been written."""
        self._write_waiting()
        assert not self._missing, f"positions {sorted(self._missing)[:5]} were never written"

    def _write_waiting(self) -> None:
        if self._waiting:
            self._file.seek(self._frames_at + self._waiting_at * self._frame_bytes)
            self._file.write(b"".join(frame.data for frame in self._waiting))
            self._waiting.clear()


@contextmanager
def write_frame_file(
    path: Path,
    size: tuple[int, int],
    pts_seconds: NDArray[np.float64],
    indices: NDArray[np.int64],
    metadata: Mapping[str, str],
) -> Iterator[FrameFileWriter]:
    """A writer for the file's frames, of `size` (width, height); the file appears, whole, when the block ends.

    Raises:
        StorageError: the disk is full, read-only, or not ours to write.
    """
    shape = (len(indices), 3, size[1], size[0])
    with write_atomically(path) as file:
        draft = _make_header(shape, {**metadata, "frames_digest": _NO_DIGEST, "content_digest": _NO_DIGEST})
        small = 16 * shape[0]
        header_bytes = -(-(8 + len(draft) + _ROOM_FOR_LATE_METADATA + small) // _PAGE) * _PAGE - small
        total_bytes = header_bytes + small + math.prod(shape)
        _check_room(path, total_bytes)
        file.truncate(total_bytes)
        file.seek(header_bytes)
        file.write(np.ascontiguousarray(pts_seconds, np.float64).tobytes())
        file.write(np.ascontiguousarray(indices, np.int64).tobytes())
        writer = FrameFileWriter(file, header_bytes + small, shape)
        yield writer
        writer.finish()
        file.flush()
        file.seek(header_bytes + small)
        complete = {
            **metadata,
            **writer.late_metadata,
            "frames_digest": digest_stream(file),
            "content_digest": _NO_DIGEST,
        }
        header = _pad_header(_make_header(shape, complete), header_bytes)
        file.seek(header_bytes)
        digest = hashlib.sha256(header + file.read(small)).hexdigest()
        file.seek(0)
        file.write(_CONTENT_DIGEST.sub(rb"\g<1>" + digest.encode() + rb"\g<2>", header))


def _check_room(path: Path, size_bytes: int) -> None:
    """Raise before decoding if the file cannot fit; the file is sparse until frames are written."""
    usage = shutil.disk_usage(path.parent)
    if usage.total > 0 and usage.free < size_bytes:  # a file system that does not know its size says 0
        raise StorageError(
            f"cannot write {path}: the disk is full: {size_bytes / 1e6:,.1f} MB are needed, "
            f"and {usage.free / 1e6:,.1f} MB are free: free some space, or choose a smaller grid or another --root"
        )


def read_frame_file(path: Path, check: bool = False) -> Clip:
    """The file's frames, memory-mapped; with `check`, every byte is compared with the digests.

    Raises:
        CacheNotFoundError: there is no such file.
        CacheCorruptError: it is not a frame file, is damaged, or has the name of another video or grid.
        EnvironmentProblemError: too many files are open, or mapped.
    """
    content, file_id = _map_file(path)
    try:
        clip, header_bytes = _parse(path, content, file_id)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CacheCorruptError(f"{path} is not a whole frame file: {error}") from error
    _check_name(clip)
    if check:
        _check_digests(clip, memoryview(content), header_bytes)
    return clip


def _check_name(clip: Clip) -> None:
    """Raise when the file is another's: it was swapped, or copied under this name."""
    path, video_id, grid = clip.path, clip.metadata.get("video_id"), clip.metadata["grid"]
    is_video = video_id is None or normalize("NFC", video_id) == normalize("NFC", path.stem)
    is_grid = path.parent.parent.name != "cache" or path.parent.name == grid
    if not (is_video and is_grid):
        raise CacheCorruptError(f"{path} holds {grid} of {video_id!r}: it is in the wrong place; build it again")


def _map_file(path: Path) -> tuple[mmap.mmap, tuple[int, int]]:
    """The file's content, and its device and inode."""
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            # copy on write: torch warns of arrays that cannot be written to, and the file must stay as it is
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY), _identify(file.fileno())
    except FileNotFoundError:
        raise CacheNotFoundError(f"there is no cache file {path}") from None
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
            raise EnvironmentProblemError(
                f"cannot open {path}: {error.strerror}. Each clip in use holds its file open: "
                "keep fewer of them at a time, or raise the limit (ulimit -n)"
            ) from error
        raise CacheCorruptError(f"{path} cannot be read: {error}") from error


def _open_without_waiting(name: str, flags: int) -> int:
    """A descriptor of the file, without blocking if a pipe is in its place."""
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def _identify(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _parse(path: Path, content: mmap.mmap, file_id: tuple[int, int]) -> tuple[Clip, int]:
    length = int.from_bytes(content[:8], "little")
    if not 0 < length <= min(_MAX_HEADER_BYTES, len(content) - 8):
        raise ValueError(f"a header of {length} bytes")
    header: Any = parse_json(content[8 : 8 + length])
    arrays: dict[str, NDArray[np.generic]] = {}
    expected_at = 0
    for name, kind, dtype in (("pts_seconds", "F64", "<f8"), ("indices", "I64", "<i8"), ("frames", "U8", "u1")):
        entry = header[name]
        start, end = entry["data_offsets"]
        shape = tuple(entry["shape"])
        if len(shape) > 4 or not all(type(side) is int and 0 < side <= len(content) for side in shape):
            raise ValueError(f"{name} has the shape {shorten(shape)}")
        count = math.prod(shape)
        width = np.dtype(dtype).itemsize
        if entry["dtype"] != kind or start != expected_at or end - start != count * width:
            raise ValueError(f"{name} is not at its expected offset")
        if 8 + length + end > len(content):
            raise ValueError("it is cut off")
        arrays[name] = np.frombuffer(content, dtype, count, 8 + length + start).reshape(shape)
        expected_at = end
    if 8 + length + expected_at != len(content):
        raise ValueError("trailing bytes")
    frames = cast("NDArray[np.uint8]", arrays["frames"])
    if frames.ndim != 4 or frames.shape[1] != 3:
        raise ValueError(f"frames have the shape {frames.shape}")
    if not arrays["pts_seconds"].shape == arrays["indices"].shape == (len(frames),):
        raise ValueError("there is not one timestamp and index a frame")
    metadata = header["__metadata__"]
    if not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its metadata are not all strings")
    if metadata["format_version"] != FORMAT_VERSION:
        raise ValueError(f"its format is {metadata['format_version']}, not {FORMAT_VERSION}")
    if not {"frames_digest", "content_digest", "grid", "source_sha256"} <= metadata.keys():
        raise ValueError("its metadata are incomplete")
    clip = Clip(
        frames=frames,
        pts_seconds=cast("NDArray[np.float64]", arrays["pts_seconds"]),
        indices=cast("NDArray[np.int64]", arrays["indices"]),
        metadata=metadata,
        path=path,
        frames_at=8 + length + header["frames"]["data_offsets"][0],
        file_id=file_id,
    )
    return clip, 8 + length


def _check_digests(clip: Clip, content: memoryview, header_bytes: int) -> None:
    small = 16 * len(clip.frames)
    header = bytes(content[:header_bytes])
    zeroed, found = _CONTENT_DIGEST.subn(rb"\g<1>" + _NO_DIGEST.encode() + rb"\g<2>", header)
    digest = hashlib.sha256(zeroed + bytes(content[header_bytes : header_bytes + small])).hexdigest()
    if found != 1 or digest != clip.metadata["content_digest"]:
        raise CacheCorruptError(f"{clip.path} is damaged: its header or timestamps do not match their digest")
    if hashlib.sha256(content[header_bytes + small :]).hexdigest() != clip.frames_digest:
        raise CacheCorruptError(f"{clip.path} is damaged: its frames do not match their digest")


def _make_header(shape: tuple[int, int, int, int], metadata: Mapping[str, str]) -> bytes:
    nframes = shape[0]
    ends = (8 * nframes, 16 * nframes, 16 * nframes + int(np.prod(shape, dtype=np.int64)))
    header = {
        "__metadata__": {"format_version": FORMAT_VERSION, **metadata},
        "pts_seconds": {"dtype": "F64", "shape": [nframes], "data_offsets": [0, ends[0]]},
        "indices": {"dtype": "I64", "shape": [nframes], "data_offsets": [ends[0], ends[1]]},
        "frames": {"dtype": "U8", "shape": list(shape), "data_offsets": [ends[1], ends[2]]},
    }
    return json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode()


def _pad_header(header: bytes, total_bytes: int) -> bytes:
    length = total_bytes - 8
    assert len(header) <= length
    return length.to_bytes(8, "little") + header.ljust(length)
