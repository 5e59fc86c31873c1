"""The built book, served to a Chromium whose network ends at this machine."""

import functools
import http.server
import os
import shutil
import threading
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# What a page looks like on a desk and on a phone.
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 375, "height": 800}
# The theme breaks these three rules itself; everything else is ours to keep.
THEME_RULES = ("label-content-name-mismatch", "region", "summary-name")


def all_pages() -> list[str]:
    """Return the pages of the book, and of each kind of page that Sphinx makes one."""
    made = [
        "genindex.html",
        "search.html",
        "_modules/genai_tutorial/transformer/attention.html",
    ]
    pages = sorted(
        path.relative_to(SITE).as_posix()
        for part in ("book", "notebooks")
        for path in (SITE / part).rglob("*.html")
    )
    return pages + made if pages else ["book/intro.html"]


def chapter_pages() -> list[str]:
    """Return the pages of the chapters, by the notebooks that lie in the repository."""
    return [
        f"notebooks/{path.stem}.html"
        for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    ]


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a word."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built book."""
    if not (SITE / "book" / "intro.html").is_file():
        pytest.fail(
            (
                f"The book is not built: there is no {SITE.relative_to(ROOT)}. Run: "
                "make book"
            ),
            pytrace=False,
        )
    return SITE


@pytest.fixture(scope="session")
def address(site):
    """Where the book is served."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(QuietHandler, directory=str(site))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def browser():
    """One Chromium for all tests."""
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        message = (
            "CHROMIUM IS MISSING, so no page of the book was opened and nothing is "
            "known about how it looks or works. "
            "On Debian or Ubuntu: sudo apt-get install chromium"
        )
        if os.environ.get("CI"):
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, address):
    """A function that opens a page of the book with the network cut, and keeps a record
    of what went wrong.
    """
    contexts = []

    def open_page(path: str, **options):
        context = browser.new_context(
            **{"viewport": DESK, "color_scheme": "light", **options}
        )
        contexts.append(context)
        page = context.new_page()
        page.elsewhere, page.missing, page.errors = [], [], []

        def route(route):
            if route.request.url.startswith((address, "data:", "blob:")):
                route.continue_()
            else:
                page.elsewhere.append(route.request.url)
                route.abort()

        page.route("**/*", route)
        page.on(
            "response",
            lambda response: (
                page.missing.append(response.url) if response.status >= 400 else None
            ),
        )
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on(
            "console",
            lambda message: (
                page.errors.append(message.text) if message.type == "error" else None
            ),
        )
        page.goto(address + path, wait_until="load")
        page.wait_for_load_state("networkidle")
        if page.locator("script[src*=mathjax]").count():
            page.evaluate("() => MathJax.startup.promise")
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def axe_script() -> str:
    """The source of axe-core, which comes inside a Python package."""
    return (files("axe_playwright_python") / "axe.min.js").read_text("utf8")
