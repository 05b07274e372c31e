"""An export inside VLMEvalKit, asked of a model that says what is recorded; run by VLMEvalKit's own Python.

python tests/vlmevalkit_recorded.py EXPORT CHECKOUT [arguments of VLMEvalKit's run.py]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from recorded_replies import find_recorded_reply

from ivbench_data.exports.harness_folder import read_harness_folder
from ivbench_data.exports.vlmevalkit_launcher import hand_over, prepare


def main(folder: Path, checkout: Path, arguments: list[str]) -> None:
    run = prepare(folder, checkout)
    from vlmeval.config import supported_VLM
    from vlmeval.vlm.base import BaseModel

    rows = read_harness_folder(folder)
    questions = [row.question for row in rows.rows]
    frames = rows.options.grid.nframes if rows.options.show == "frames" else 0

    class Recorded(BaseModel):  # type: ignore[misc]
        VIDEO_LLM = True

        def generate_inner(self, message: list[dict[str, Any]], dataset: str | None = None) -> str:
            *visuals, text = message
            assert [part["type"] for part in visuals] == ["image"] * (frames + 1)
            for part in visuals:
                with Image.open(part["value"]) as picture:
                    assert picture.format == "PNG"
                    assert picture.mode == "RGB"
            reply = find_recorded_reply(text["value"], questions)
            if os.environ.get("IVBENCH_TEST_FAIL") == reply:
                return "Failed to obtain answer via API."
            return reply

    supported_VLM["recorded"] = Recorded
    hand_over(run, arguments)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
