"""The pages: nothing from outside can act in them."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivbench_data.html.page import embed_json, escape, page, render_page


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(
    st.text(
        st.characters(
            exclude_categories=["Cc", "Cs"], exclude_characters="\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        )
    )
)
def test_escaped_text_is_read_back_and_makes_no_element(text: str) -> None:
    reader = Reader()
    reader.feed(f'<p title="{escape(text)}">{escape(text)}</p>')
    reader.close()
    assert reader.tags == ["p"]
    assert reader.text == text


def test_characters_that_act_are_written_out() -> None:
    assert escape("a\x1b[31m\u202eb\ud800\x00") == "a\\x1b[31m\\u202eb\\ud800\\x00"


def test_templates_escape_what_they_are_given_and_group_digits() -> None:
    text = "<b>\"'&\x1b\u202e"
    context = {
        "name": text,
        "summary": 1234567,
        "columns": [(text, False)],
        "rows": [[text]],
        "tasks": [text],
        "hidden": {text: 1234567},
        "questions": [],
    }
    made = render_page("wrong_answers", text, context)
    assert made.count("&lt;b&gt;&#34;&#39;&amp;\\x1b\\u202e") == 7  # title, name, two cells, a split, an option twice
    assert not re.search("<b>|[\x1b\u202e]", made)
    assert '<p class="soft">1,234,567</p>' in made
    assert "<p>1,234,567 questions of &lt;b&gt;" in made


def test_the_policy_allows_only_this_style_and_this_script() -> None:
    made = page("T<i>tle", "<p>body</p>", style="p{color:red}", script="let a = 1 < 2;")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', made)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; ")
    for kind, text in (("style", "p{color:red}"), ("script", "let a = 1 < 2;")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}';" in policy[1]
        assert f"<{kind}>{text}</{kind}>" in made
    assert "<title>T&lt;i&gt;tle</title>" in made
    assert "unsafe" not in made


def test_without_style_and_script_neither_is_allowed() -> None:
    assert "style-src 'none'; script-src 'none'" in page("x", "y")


@pytest.mark.parametrize("hostile", [{"script": "'</SCRIPT>'"}, {"script": "// <!--"}, {"style": "</style>"}])
def test_a_script_that_would_end_its_element_is_refused(hostile: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="end its own element"):
        page("x", "y", **hostile)


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_embedded_json_is_read_back_and_cannot_end_its_element(value: object) -> None:
    block = embed_json("data", value)
    inside = block.removeprefix('<script type="application/json" id="data">').removesuffix("</script>")
    assert "<" not in inside
    assert json.loads(inside) == value
