"""The EPUB: every page is well-formed, every link and image has its target, and nothing
is left that needs a script.
"""

import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
XHTML = "{http://www.w3.org/1999/xhtml}"
MATH = "{http://www.w3.org/1998/Math/MathML}"


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    path = tmp_path_factory.mktemp("epub") / "book.epub"
    command = [sys.executable, str(ROOT / "book" / "make_epub.py"), str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=900)
    return zipfile.ZipFile(path)


def test_epub_is_whole_without_scripts(book):
    first = book.infolist()[0]
    assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
    names = set(book.namelist())
    pages = {
        name: ElementTree.fromstring(book.read(name))
        for name in names
        if name.endswith(".xhtml")
    }
    assert len(pages) > 70
    anchors = {
        name: [part.get("id") for part in page.iter() if part.get("id")]
        for name, page in pages.items()
    }
    for name, page in pages.items():
        assert len(set(anchors[name])) == len(anchors[name]), f"{name}: an id twice"
        kinds = {part.tag.removeprefix(XHTML) for part in page.iter()}
        assert not kinds & {"script", "iframe", "button", "details", "mlabeledtr"}
        for part in page.iter():
            target = part.get("href") or part.get("src") or "https:"
            if target.startswith(("https:", "http:", "mailto:")):
                continue
            file, _, anchor = target.partition("#")
            file = f"book/{file}" if file else name
            assert file in names, f"{name}: {target}"
            assert not anchor or anchor in anchors[file], f"{name}: {target}"

    chapter = pages["book/notebooks-08_diffusion.xhtml"]
    assert len(list(chapter.iter(f"{MATH}math"))) > 20
    assert len(list(chapter.iter(f"{XHTML}img"))) > 5
    package = book.read("book/content.opf").decode()
    packed = {name.removeprefix("book/") for name in names if name.startswith("book/")}
    assert all(f'href="{name}"' in package for name in packed - {"content.opf"})
