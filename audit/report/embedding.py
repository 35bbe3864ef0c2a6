"""Embedding: a picture inside the page, without what nobody sees."""

from __future__ import annotations

import re
from urllib.parse import quote

# What matplotlib writes for other programs: who made it, and a name for every group.
_UNSEEN = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>", re.DOTALL)
_GROUP_NAMES = re.compile(r'<g id="[^"]*"')
_FONTS = re.compile(r"font-family: [^;\"]*")
_LONG_NUMBER = re.compile(r"(-?\d+\.\d{2})\d+")
_BETWEEN_TAGS = re.compile(r">\s+<")
_TAG = re.compile(r"<[^>]*>")
_IN_PATHS = re.compile(r"\s*\n\s*")

# These stand as they are in an attribute in double quotes; all else is escaped, entities too, so that the page does not resolve them.
_PLAIN = " !$'()*+,-./:;=?@[]^_`{|}~"


def embedded(svg: str) -> str:
    """A picture as an address that holds it, to a hundredth of a point.

    Args:
        svg: The picture.
    """
    shown = _GROUP_NAMES.sub("<g", _UNSEEN.sub("", svg))
    # A picture in a page takes no fonts from it: the reader's own sans serif is named, not a list of others.
    shown = _LONG_NUMBER.sub(r"\1", _FONTS.sub("font-family: sans-serif", shown))
    # Within the page's double quotes, single ones need no escape.
    shown = _TAG.sub(lambda tag: tag[0] if "'" in tag[0] else tag[0].replace('"', "'"), shown)
    shown = _IN_PATHS.sub(" ", _BETWEEN_TAGS.sub("><", shown)).strip()
    return f"data:image/svg+xml,{quote(shown, safe=_PLAIN)}"
