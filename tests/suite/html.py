"""Reads each page in a directory as a browser would, but strictly, and prints what it holds as JSON.

A parse error of the HTML standard ends it. Nothing that the page says of itself is believed.
"""

import json
import pathlib
import sys

import html5lib

XHTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"


def name(element):
    return element.tag.removeprefix(XHTML) if isinstance(element.tag, str) else "!--"


found = {}
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.html")):
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=True)
    try:
        root = parser.parse(path.read_bytes(), transport_encoding="utf-8")
    except html5lib.html5parser.ParseError as error:
        sys.exit(f"{path.name}: {error} at {parser.errors[-1:]}")
    elements = list(root.iter())
    pages = [e for e in elements if not str(e.tag).startswith(SVG)]
    drawn = [e for e in elements if str(e.tag).startswith(SVG)]
    tables = [e for e in elements if name(e) == "table"]
    found[path.stem] = {
        "tags": sorted({name(e) for e in pages}),
        "attributes": sorted({a for e in pages for a in e.attrib}),
        "drawn": sorted({e.tag.removeprefix(SVG) for e in drawn}),
        "drawn_attributes": sorted({a.rpartition("}")[2] for e in drawn for a in e.attrib}),
        "lang": root.get("lang"),
        "title": "".join(t.text or "" for t in elements if name(t) == "title"),
        "h1": ["".join(e.itertext()) for e in elements if name(e) == "h1"],
        "headings": [int(name(e)[1]) for e in elements if name(e) in ("h1", "h2", "h3", "h4", "h5", "h6")],
        "ids": [e.get("id") for e in elements if e.get("id")],
        "hrefs": sorted({e.get("href") for e in elements if e.get("href")}),
        "articles": [e.get("id") for e in elements if name(e) == "article"],
        "badges": sorted({"".join(e.itertext()) for e in elements if "badge" in (e.get("class") or "").split()}),
        "summaries": sum(1 for e in elements if name(e) == "details" and name(e[0]) == "summary"),
        "details": sum(1 for e in elements if name(e) == "details"),
        "unscoped": sum(1 for e in elements if name(e) == "th" and not e.get("scope")),
        "ragged": sum(1 for t in tables for r in t.iter(XHTML + "tr") if len(r) != 3),
        "policy": [e.get("content") for e in elements if e.get("http-equiv") == "Content-Security-Policy"],
        "text": " ".join("".join(e.itertext()) for e in elements if name(e) == "body"),
    }
print(json.dumps(found))
