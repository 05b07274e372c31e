"""What a video file is worth, in the same words for `fetch`, `verify`, `cache` and `import`.

| level        | what it means                                                                                    |
|--------------|--------------------------------------------------------------------------------------------------|
| sound        | every frame that was looked at decodes, and nothing is odd                                        |
| odd          | every frame that was looked at decodes; what is odd is named: `trailing bytes`, `starts in the    |
|              | middle`, `joined`, `still stretches`, `unknown container`, `mended clock`, `invented clock`,      |
|              | `late picture`, `ffmpeg complains`,                                                               |
|              | `non-square pixels`, `container crop`, `HDR`, `interlaced`, `alpha`, `unusual matrix`,            |
|              | `several streams` (`display` says which of them are applied)                                      |
| damaged      | bytes are missing, or a frame that would be shown cannot be decoded                               |
| not a video  | a pointer, a page, a picture, sound alone, encrypted; the reason says what, and what to do        |
| not examined | no frame was decoded, and no bytes are missing; or the file is over a limit                       |

Decoding decides: `verify --quick` and `fetch`, which decode nothing, never call a file sound.
"""

from __future__ import annotations

from collections.abc import Sequence

from ivbench_data.errors import NotAVideoError, UnreadableVideoError, VideoError
from ivbench_data.schema import Level


def find_level(oddities: Sequence[str]) -> Level:
    """The level of a file whose frames, those that were looked at, all decode."""
    return "odd" if oddities else "sound"


def find_level_of_error(error: VideoError) -> Level:
    """The level of a file that came to an error."""
    if isinstance(error, NotAVideoError):
        return "not a video"
    return "damaged" if isinstance(error, UnreadableVideoError) else "not examined"


def join_oddities(oddities: Sequence[str]) -> str | None:
    """The reason of a row whose file is odd; None for one that is not."""
    return "; ".join(oddities) or None
