"""Pages that can only be read: one self-contained HTML file, in which no text from outside can act.

Everything from outside goes through `escape`. Beyond that, the page's Content-Security-Policy allows nothing but the
one style and the one script that it was made with, each by its SHA-256, and images that are inside the page: markup
that slipped through could neither run nor call home.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re

# C0 and C1 controls (but for tab and newline), bidirectional overrides and isolates, and lone surrogates: what a
# browser would obey, hide or choke on instead of showing
_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def escape(text: object) -> str:
    """The text as it is safe in HTML, in elements and quoted attributes; characters that act are written out."""
    return html.escape(_UNSHOWABLE.sub(lambda match: ascii(match[0])[1:-1], str(text)), quote=True)


def embed_json(element_id: str, value: object) -> str:
    """A data block that the page's script reads with `JSON.parse(document.getElementById(id).textContent)`.

    Raises:
        ValueError: the value holds NaN or Infinity.
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False)
    # inside a script element only these could end it or open a comment
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return f'<script type="application/json" id="{escape(element_id)}">{text}</script>'


def embed_image(content: bytes, media_type: str) -> str:
    """A `data:` address of the image, for `<img src="…">`."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def page(title: str, body: str, *, style: str = "", script: str = "") -> str:
    """The whole HTML document.

    `title` is plain text. `body` is markup whose every outside text went through `escape`. `style` and `script` are
    our own, written as they are and allowed by their digests; inline `style=` and `on…=` attributes do not work.

    Raises:
        ValueError: the style or the script holds the end of its own element.
    """
    if "</" in style or re.search(r"</script|<!--", script, re.IGNORECASE):
        raise ValueError("the style or the script would end its own element")
    policy = "; ".join(
        (
            "default-src 'none'",
            f"style-src {_source_of(style)}",
            f"script-src {_source_of(script)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>{style}</style>" if style else "",
        "</head>",
        "<body>",
        body,
        f"<script>{script}</script>" if script else "",
        "</body>",
        "</html>",
        "",
    ]
    return "\n".join(part for index, part in enumerate(parts) if part or index == len(parts) - 1)


def _source_of(text: str) -> str:
    """The policy's source expression: this text and no other, or none."""
    if not text:
        return "'none'"
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
