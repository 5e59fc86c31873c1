"""Pack the built book into an EPUB: `python book/make_epub.py [FILE]`.

Chromium opens each built page, so that formulas are MathML and every page is valid
XHTML. Needs the extras `book` and `test`, Chromium, and the pages of `make book`.
"""

import base64
import hashlib
import mimetypes
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from itertools import starmap
from pathlib import Path
from posixpath import normpath
from urllib.parse import unquote

import yaml
from make_pdf import find_chromium, serve

from genai_tutorial.runtime import progress_bar, write_atomically

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build" / "html"
EPUB = ROOT / "_build" / "epub" / "generative-ai-explained.epub"
STYLE = """\
body { line-height: 1.45; margin: 0 4%; }
h1, h2, h3 { line-height: 1.2; }
img, svg { max-width: 100%; height: auto; }
pre { background: #f4f2ec; font-size: 0.75em; padding: 0.6em; white-space: pre-wrap; }
table { border-collapse: collapse; font-size: 0.85em; }
th, td { border: 1px solid #bbb; padding: 0.2em 0.45em; text-align: left; }
.admonition, .fold { border-left: 3px solid #777; padding-left: 0.8em; }
.genai-claim { border-left: 3px solid #009E73; padding-left: 0.8em; }
"""

# What needs a click or a script is left out, solutions are unfolded, and links to pages
# that are not in the file lose their target.
SIMPLIFY = r"""(names) => {
  const article = document.querySelector("article.bd-article");
  const gone = "script, link, iframe, button, input, form, audio, canvas, "
    + ".headerlink, .copybtn, .viewcode-link, .actions, .only-dark, .genai-frames-row, "
    + ".genai-frames-note, .deck, .own-answer, img[src*='colab'], .chapter-map, .genai-check";
  for (const part of article.querySelectorAll(gone)) part.remove();
  for (const style of article.querySelectorAll("style")) {
    // drawings keep theirs, with the values of the light theme
    if (!style.closest("svg")) style.remove();
    else style.textContent = style.textContent.replace(/var\(--[\w-]+,\s*([^()]*)\)/g, "$1");
  }
  for (const math of article.querySelectorAll("mjx-container")) {
    math.replaceWith(math.querySelector("mjx-assistive-mml > math"));
  }
  for (const row of article.querySelectorAll("mlabeledtr")) {  // few readers know these
    const made = document.createElementNS(row.namespaceURI, "mtr");
    const [label, ...cells] = row.children;
    made.append(...cells, label);
    row.replaceWith(made);
  }
  for (const fold of article.querySelectorAll("details")) {
    const words = fold.querySelector("summary").textContent.trim();
    if (fold.matches(".hide") && !/solution/i.test(words)) { fold.remove(); continue; }
    const open = Object.assign(document.createElement("div"), { className: "fold" });
    const title = Object.assign(document.createElement("p"), { textContent: words });
    fold.querySelector("summary").remove();
    open.append(title, ...fold.childNodes);
    fold.replaceWith(open);
  }
  const here = location.pathname.slice(1);
  for (const link of article.querySelectorAll("a[href]")) {
    const url = new URL(link.href);
    if (url.origin !== location.origin) continue;
    const name = names[decodeURIComponent(url.pathname.slice(1))];
    if (!name) link.removeAttribute("href");
    else link.setAttribute("href", name + url.hash);
  }
  const images = [];
  for (const image of article.querySelectorAll("img")) {
    images.push(image.src);
    image.setAttribute("src", "IMAGE-" + (images.length - 1) + "-");
    image.removeAttribute("srcset");
  }
  const allowed = /^(id|class|href|src|alt|title|lang|role|colspan|rowspan|start|scope|aria-(label|hidden))$/;
  for (const part of article.querySelectorAll("*")) {
    if (part.closest("svg, math")) continue;
    for (const { name } of [...part.attributes]) {
      if (!allowed.test(name)) part.removeAttribute(name);
    }
  }
  const title = article.querySelector("h1");
  const serializer = new XMLSerializer();
  return {
    title: title.textContent.trim(),
    body: [...article.childNodes].map((part) => serializer.serializeToString(part)).join(""),
    images,
    mathml: article.querySelector("math") !== null,
    svg: article.querySelector("svg") !== null,
  };
}"""  # noqa: E501

PAGE = """\
<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" xml:lang="en" lang="en">
<head><title>{title}</title><link rel="stylesheet" type="text/css" href="style.css"/></head>
<body>{body}</body>
</html>
"""  # noqa: E501
CONTAINER = """\
<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="book/content.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""  # noqa: E501
CONTENT = """\
<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id"
 xml:lang="en">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">{identifier}</dc:identifier>
<dc:title>{title}</dc:title>
<dc:creator>{author}</dc:creator>
<dc:language>en</dc:language>
<meta property="dcterms:modified">{modified}</meta>
</metadata>
<manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="style" href="style.css" media-type="text/css"/>
{manifest}
</manifest>
<spine>
{spine}
</spine>
</package>
"""


def contents() -> list[tuple[str, list[str]]]:
    """Return the parts of the book with their pages, but not the API reference."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    parts = [("", [toc["root"]])]
    for part in toc["parts"]:
        pages = [entry["file"] for entry in part["chapters"]]
        pages = [page for page in pages if not page.startswith("book/api")]
        parts.append((part["caption"], pages))
    return parts


def file_name(page: str) -> str:
    """Return the name of a page's file in the EPUB."""
    return f"{page.replace('/', '-')}.xhtml"


def simplified(pages: list[str]) -> Iterator[dict]:
    """Yield the title, the body as XHTML and the images of each page."""
    from playwright.sync_api import sync_playwright

    names = {f"{page}.html": file_name(page) for page in pages}
    with serve(SITE) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        tab = browser.new_page(color_scheme="light")
        tab.set_default_timeout(300_000)
        for page in progress_bar(pages, label="Pages"):
            tab.goto(f"{address}/{page}.html", wait_until="load")
            tab.evaluate("() => window.MathJax?.startup?.promise")
            yield tab.evaluate(SIMPLIFY, names)
        browser.close()


def image_file(source: str) -> tuple[str, bytes]:
    """Return an image's name in the EPUB and its bytes, from the address of a file of
    the site or from a data address.
    """
    if source.startswith("data:"):
        kind, _, coded = source.removeprefix("data:").partition(";base64,")
        content, ending = base64.b64decode(coded), mimetypes.guess_extension(kind)
    else:
        path = SITE / normpath(unquote(source.split("/", 3)[3]).split("?")[0])
        content, ending = path.read_bytes(), path.suffix
    return f"{hashlib.sha256(content).hexdigest()[:16]}{ending}", content


def pack(target: Path) -> None:
    """Write the EPUB."""
    parts = contents()
    pages = [page for _, part in parts for page in part]
    missing = [page for page in pages if not (SITE / f"{page}.html").is_file()]
    if missing:
        sys.exit(
            f"The book is not built: {missing[0]} is missing. Run make book first."
        )
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))
    titles, items, images = {}, [], {}
    with write_atomically(target) as file, zipfile.ZipFile(file, "w") as book:
        book.writestr("mimetype", "application/epub+zip")
        book.compression = zipfile.ZIP_DEFLATED
        book.writestr("META-INF/container.xml", CONTAINER)
        book.writestr("book/style.css", STYLE)
        for page, made in zip(pages, simplified(pages), strict=True):
            body, name = made["body"], file_name(page)
            for number, source in enumerate(made["images"]):
                image, content = image_file(source)
                body = body.replace(f"IMAGE-{number}-", image)
                if image not in images:
                    images[image] = mimetypes.guess_type(image)[0]
                    book.writestr(f"book/{image}", content)
            titles[page] = made["title"]
            uses = [kind for kind in ("mathml", "svg") if made[kind]]
            items.append((name, "application/xhtml+xml", " ".join(uses)))
            title = escape(made["title"])
            book.writestr(f"book/{name}", PAGE.format(title=title, body=body))
        book.writestr("book/nav.xhtml", navigation(parts, titles))
        pages_and_images = items + [(name, kind, "") for name, kind in images.items()]
        book.writestr(
            "book/content.opf",
            CONTENT.format(
                identifier="urn:genai-tutorial",
                title=escape(config["title"]),
                author=escape(config["author"]),
                modified=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                manifest="\n".join(starmap(_item, pages_and_images)),
                spine="\n".join(f'<itemref idref="{_id(one[0])}"/>' for one in items),
            ),
        )


def navigation(parts: list[tuple[str, list[str]]], titles: dict[str, str]) -> str:
    """Return the table of contents."""
    lines = []
    for caption, pages in parts:
        inside = "".join(
            f'<li><a href="{file_name(page)}">{escape(titles[page])}</a></li>'
            for page in pages
        )
        named = f"<li><span>{escape(caption)}</span><ol>{inside}</ol></li>"
        lines.append(named if caption else inside)
    body = f'<nav epub:type="toc"><h1>Contents</h1><ol>{"".join(lines)}</ol></nav>'
    return PAGE.format(title="Contents", body=body)


def _id(name: str) -> str:
    return f"f-{name.replace('.', '-')}"


def _item(name: str, kind: str, uses: str) -> str:
    properties = f' properties="{uses}"' if uses else ""
    return f'<item id="{_id(name)}" href="{name}" media-type="{kind}"{properties}/>'


if __name__ == "__main__":
    target = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else EPUB
    pack(target)
    print(f"The book is packed: {target}")
