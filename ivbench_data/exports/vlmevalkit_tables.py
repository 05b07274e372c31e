"""VLMEvalKit's result files, read so that replies come back as they were written; pandas reads and writes them.

What harms a reply on its way, seen with pandas 3.1, xlsxwriter 3.3 and openpyxl 3.1:

- read by pandas as it comes, "", "None", "NULL", "NA" and "nan" are nothing at all, and "1e5" among numbers is one;
- in a spreadsheet a carriage return is `_x000D_`, which makes `B` at a line's end a longer word;
- its cells end after 32,767 characters, it drops a beginning `mailto:`, and leaves out a text that begins like an
  address and is longer than 2,079 characters.

The first two are mended here; the others are why the launcher asks for `.tsv`, which gives every reply back.
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
"""What a spreadsheet's cell holds; longer texts are cut without a word."""


def read_table(path: Path | str) -> pd.DataFrame:
    """A result file with its columns `index` and `prediction` as they were written.

    Raises:
        DatasetError: it is no such file.
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
        raise DatasetError(f"{path} is no result file of VLMEvalKit: those are .tsv, .xlsx or .json")
    if "index" not in table or "prediction" not in table:
        raise DatasetError(f"{path} is no result file of VLMEvalKit: it has no columns index and prediction")
    return table


def find_cut_replies(path: Path | str, table: pd.DataFrame) -> int:
    """How many replies of a result file may have been cut off."""
    return sum(len(reply) >= CELL_CHARACTERS for reply in table["prediction"]) if Path(path).suffix == ".xlsx" else 0


def _unescape(table: pd.DataFrame) -> pd.DataFrame:
    """The table of a spreadsheet with control characters where it has their numbers."""
    if "prediction" in table:
        told = [re.sub(r"_x([0-9A-F]{4})_", lambda match: chr(int(match[1], 16)), text) for text in table["prediction"]]
        table["prediction"] = told
    return table


def keep_replies_exact() -> None:
    """Let VLMEvalKit read its own result files exactly where it takes replies from them to go on with.

    With `--reuse` it reads the replies that it has, and writes them anew beside those that it asks for: "None" and an
    empty reply would come back as "nan".
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
