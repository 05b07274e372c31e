"""Pages that can only be read: one self-contained HTML file, in which no text from outside can act.

The templates beside this file escape whatever they are given. Beyond that, the page's Content-Security-Policy allows
nothing but the one style and the one script that it was made with, each by its SHA-256, and images that are inside the
page: markup that slipped through could neither run nor call home.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_FOLDER: Final = Path(__file__).parent

# C0 and C1 controls (but for tab and newline), bidirectional overrides and isolates, and lone surrogates: what a
# browser would obey, hide or choke on instead of showing
_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_FIGURE = re.compile(r"[\d.,%–\- ]+")
"""A number, an interval, or the dash that stands for none."""


def escape(text: object) -> str:
    """The text as it is safe in HTML, in elements and quoted attributes; characters that act are written out."""
    return html.escape(_write_out(str(text)), quote=True)


def embed_json(element_id: str, value: object) -> Markup:
    """A data block that the page's script reads with `JSON.parse(document.getElementById(id).textContent)`.

    Raises:
        ValueError: the value holds NaN or Infinity.
    """
    from markupsafe import Markup

    text = json.dumps(value, ensure_ascii=True, allow_nan=False)
    # inside a script element only these could end it or open a comment
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(f'<script type="application/json" id="{escape(element_id)}">{text}</script>')


def embed_image(content: bytes, media_type: str) -> str:
    """A `data:` address of the image, for `<img src="…">`."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def find_figures(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[tuple[str, bool]]:
    """The columns of a template's table: each heading, and whether all its cells are figures, set flush right."""
    is_figure = [all(_FIGURE.fullmatch(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
    return list(zip(columns, is_figure or [False] * len(columns), strict=True))


def render_page(template: str, title: str, context: Mapping[str, object]) -> str:
    """The HTML document that a template of this folder makes of the context, in the package's one style.

    Args:
        template: its name: `{template}.html` is the body, `{template}.js` the script.
        title: plain text.
        context: what the template shows. Texts are escaped, integers are written with commas.
    """
    body = _environment().get_template(f"{template}.html").render(context)
    return page(title, body, style=_read("style.css"), script=_read(f"{template}.js"))


def page(title: str, body: str, *, style: str = "", script: str = "") -> str:
    """The whole HTML document.

    `title` is plain text. `body` is markup, whose texts from outside are escaped. `style` and `script` are our own,
    written as they are and allowed by their digests; inline `style=` and `on…=` attributes do not work.

    Raises:
        ValueError: the style or the script holds the end of its own element.
    """
    if "</" in style or re.search(r"</script|<!--", script, re.IGNORECASE):
        raise ValueError("the style or the script would end its own element")
    policy = (
        f"default-src 'none'; style-src {_source_of(style)}; script-src {_source_of(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    parts = {"title": title, "policy": policy, "style": style, "script": script, "body": body}
    return _environment().get_template("page.html").render(parts)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_show,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )


def _show(value: object) -> object:
    """What a template's `{{ value }}` writes, before it is escaped; markup of our own stays as it is."""
    if hasattr(value, "__html__"):
        return value
    return f"{value:,}" if isinstance(value, int | float) else _write_out(str(value))


def _write_out(text: str) -> str:
    return _UNSHOWABLE.sub(lambda match: ascii(match[0])[1:-1], text)


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _source_of(text: str) -> str:
    """The policy's source expression: this text and no other, or none."""
    if not text:
        return "'none'"
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
