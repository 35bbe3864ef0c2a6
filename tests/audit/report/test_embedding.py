from __future__ import annotations

from urllib.parse import unquote
from xml.etree import ElementTree

from audit import Audit
from audit.report.catalogue import read_catalogue
from audit.report.embedding import embedded
from audit.report.figures import draw_svg
from audit.report.wording import Wording


def test_a_picture_in_a_page_says_what_it_said_in_fewer_bytes(unjudged: Audit) -> None:
    wording = Wording(read_catalogue())
    for check in ("privacy.membership", "explanation.attribution"):
        for figure in unjudged[check].figures:
            svg = draw_svg(check, figure, wording)
            address = embedded(svg)
            head, _, within = address.partition(",")
            before, after = (ElementTree.fromstring(text) for text in (svg, unquote(within)))
            assert head == "data:image/svg+xml"
            assert [t.text for t in after.iter("{*}text")] == [t.text for t in before.iter("{*}text")]
            assert len(list(after.iter("{*}path"))) == len(list(before.iter("{*}path")))
            assert len(address) < 0.8 * len(svg)
            assert '"' not in address


def test_text_in_a_picture_cannot_leave_it_nor_the_attribute() -> None:
    svg = "<svg xmlns='http://www.w3.org/2000/svg'><text>&lt;script&gt; \" ' &amp; #1 %41</text></svg>"
    address = embedded(svg)
    assert not set('"<>&#') & set(address)
    (text,) = ElementTree.fromstring(unquote(address.partition(",")[2]))
    assert text.text == "<script> \" ' & #1 %41"
