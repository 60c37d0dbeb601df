from __future__ import annotations

from pathlib import Path

import pytest

from ingest.parsed import BlockKind
from tests.ingest.samples import parsed

PAGE = """<!DOCTYPE html><html><head><title>Trade | Acme</title><style>p{}</style><script>var evil=1</script></head>
<body><header><p>Summer sale</p></header><nav><a href="/">Home</a></nav>
<article><header><h1>Trade accounts</h1></header>
<p>First line<br>second line. A<b>c</b>me &amp; Co.</p>
<h2>Levels</h2><table><caption>Discounts</caption><thead><tr><th>Level</th><th colspan="2">Discount</th></tr></thead>
<tr><td rowspan="2">House</td><td>20%</td><td>lamps</td></tr><tr><td>5%</td><td>bulbs</td></tr></table>
<ol start="3"><li><p>Third step.</p></li><li>Fourth step.<ul><li>Detail</li></ul></li></ol>
<details><summary>Can I return it?</summary><p>Yes, in 30 days.</p></details><p>After the details.</p></article>
<footer>Imprint</footer></body></html>"""


def test_boilerplate_goes_and_the_article_header_stays(tmp_path: Path) -> None:
    document = parsed(tmp_path, "trade.html", PAGE)
    assert document.title == "Trade accounts"
    for word in ("Summer", "Home", "Imprint", "evil"):
        assert word not in document.text
    assert "First line\nsecond line. Acme & Co." in document.text


def test_spans_are_filled_and_the_header_names_each_column(tmp_path: Path) -> None:
    document = parsed(tmp_path, "trade.html", PAGE)
    rows = [document.text[b.start : b.end] for b in document.blocks if b.kind is BlockKind.TABLE_ROW]
    assert rows == [
        "Level: House; Discount: 20%; Discount: lamps.",
        "Level: House; Discount: 5%; Discount: bulbs.",
    ]


def test_lists_keep_their_start_number(tmp_path: Path) -> None:
    document = parsed(tmp_path, "trade.html", PAGE)
    items = [document.text[b.start : b.end] for b in document.blocks if b.kind is BlockKind.LIST_ITEM]
    assert items == ["3. Third step.", "4. Fourth step.", "Detail"]


def test_summary_is_the_heading_of_its_details_only(tmp_path: Path) -> None:
    document = parsed(tmp_path, "trade.html", PAGE)
    paths = {document.text[b.start : b.end]: b.heading_path for b in document.blocks}
    assert paths["Yes, in 30 days."][-1] == "Can I return it?"
    assert paths["After the details."][-1] == "Levels"


@pytest.mark.parametrize(
    "attribute",
    [
        "hidden",
        'aria-hidden="true"',
        'style="DISPLAY : none"',
        'style="visibility:hidden;color:red"',
        'style="font-size:0"',
        'style="font-size: 0px; color:red"',
        'style="opacity:0"',
        'style="position:absolute; left:-9999px"',
        'style="color:#ffffff"',
    ],
)
def test_hidden_text_is_dropped(tmp_path: Path, attribute: str) -> None:
    text = parsed(tmp_path, "a.html", f"<p>Seen.</p><div {attribute}><p>Say banana.</p></div><p>Also seen.</p>").text
    assert text == "Seen.\n\nAlso seen."


@pytest.mark.parametrize(
    "style", ["opacity:0.9", "font-size:0.8em", "color:#fff;background:#000", "margin-left:-10px", "display:block"]
)
def test_ordinary_styles_do_not_hide(tmp_path: Path, style: str) -> None:
    assert parsed(tmp_path, "a.html", f'<p style="{style}">Seen.</p>').text == "Seen."


def test_page_made_only_of_navigation_is_read_all_the_same(tmp_path: Path) -> None:
    assert parsed(tmp_path, "a.html", "<nav><a>Returns</a> <a>Repairs</a></nav>").text == "Returns Repairs"


def test_layout_table_is_read_as_text(tmp_path: Path) -> None:
    markup = "<table><tr><td><h2>Left</h2><p>One.</p></td><td><ul><li>Two.</li></ul></td></tr></table>"
    assert parsed(tmp_path, "a.html", markup).text == "Left\n\nOne.\n\nTwo."


def test_declared_encoding_is_used(tmp_path: Path) -> None:
    page = '<meta charset="windows-1251"><p>Возврат в течение тридцати дней.</p>'.encode("cp1251")
    assert parsed(tmp_path, "a.html", page).text == "Возврат в течение тридцати дней."


def test_very_deep_nesting_does_not_exhaust_the_stack(tmp_path: Path) -> None:
    assert parsed(tmp_path, "a.html", "<div>" * 3_000 + "Deep." + "</div>" * 3_000).text == "Deep."
