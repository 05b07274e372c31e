"""Exact replies from VLMEvalKit's result files, which pandas reads and writes.

Changes to replies, seen with pandas 3.1, xlsxwriter 3.3 and openpyxl 3.1:

- by default pandas reads "", "None", "NULL", "NA" and "nan" as missing values, and "1e5" as a number;
- a spreadsheet stores a carriage return as `_x000D_`, which turns `B` at a line's end into a longer word;
- its cells are cut after 32,767 characters, it drops a leading `mailto:`, and a text of more than 2,079 characters that
  begins like a URL.

The first two are undone here; because of the others the launcher sets `.tsv`, which stores every reply exactly.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ivbench_data.errors import DatasetError

if TYPE_CHECKING:
    import pandas as pd

CELL_CHARACTERS = 32_767
"""Maximum length of a spreadsheet cell; longer texts are cut silently."""


def read_table(path: Path | str) -> pd.DataFrame:
    """The table of a result file, with the columns `index` and `prediction` exactly as written.

    Raises:
        DatasetError: it is not a result file of VLMEvalKit.
    """
    import pandas as pd

    suffix = Path(path).suffix
    if suffix == ".tsv":
        table = pd.read_csv(path, sep="\t", dtype={"prediction": str}, keep_default_na=False)
    elif suffix == ".xlsx":
        table = _unescape(pd.read_excel(path, dtype={"prediction": str}, keep_default_na=False))
    elif suffix == ".json":
        table = pd.DataFrame(json.loads(Path(path).read_text(encoding="utf-8")))
    else:
        raise DatasetError(f"{path} is not a result file of VLMEvalKit: those are .tsv, .xlsx or .json")
    if "index" not in table or "prediction" not in table:
        raise DatasetError(f"{path} is not a result file of VLMEvalKit: it lacks the columns index and prediction")
    return table


def find_cut_replies(path: Path | str, table: pd.DataFrame) -> int:
    """Number of replies in a result file that may have been cut off."""
    return sum(len(reply) >= CELL_CHARACTERS for reply in table["prediction"]) if Path(path).suffix == ".xlsx" else 0


def _unescape(table: pd.DataFrame) -> pd.DataFrame:
    """The table of a spreadsheet with escaped control characters restored."""
    if "prediction" in table:
        table["prediction"] = [
            re.sub(r"_x([0-9A-F]{4})_", lambda match: chr(int(match[1], 16)), text) for text in table["prediction"]
        ]
    return table


def keep_replies_exact() -> None:
    """Patch VLMEvalKit to read its own result files exactly when it reuses replies.

    With `--reuse` it reads the stored replies and writes them again with the new ones: "None" and an empty reply would
    become "nan".
    """
    for name in ("vlmeval.inference_video", "vlmeval.inference_api"):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue  # a version without it
        if "load" in vars(module):
            vars(module)["load"] = _read_exactly(vars(module)["load"])


def _read_exactly(load: Callable[..., Any]) -> Callable[..., Any]:
    def load_exactly(path: Any, *arguments: Any, **named: Any) -> Any:
        return read_table(path) if str(path).endswith((".tsv", ".xlsx")) else load(path, *arguments, **named)

    return load_exactly
