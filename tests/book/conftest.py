"""The built book, served to a Chromium without external network access."""

import functools
import http.server
import os
import shutil
import threading
from importlib.resources import files
from pathlib import Path

import pytest

from tests.book.visit import DESK, READY, Facts, gather

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
    # No external network access.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def all_pages() -> list[str]:
    """Return the pages of the book, and one page of each kind that Sphinx generates."""
    made = ["search.html", "_modules/genai_tutorial/transformer/attention.html"]
    pages = sorted(
        path.relative_to(SITE).as_posix()
        for part in ("book", "notebooks")
        for path in (SITE / part).rglob("*.html")
    )
    return pages + made if pages else ["book/intro.html"]


def chapter_pages() -> list[str]:
    """Return the pages of the chapters, one per notebook in the repository."""
    return [
        f"notebooks/{path.stem}.html"
        for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    ]


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without logging."""

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
    """The address at which the book is served."""
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
        # Scroll bars take up space, as on most desktops.
        browser = playwright.chromium.launch(
            executable_path=path,
            args=list(ARGUMENTS),
            ignore_default_args=["--hide-scrollbars"],
        )
        make = browser.new_context

        def patient_context(**options):
            context = make(**options)
            # A limit is for hangs: Playwright's 30 seconds end on a busy machine.
            context.set_default_timeout(180_000)
            return context

        browser.new_context = patient_context
        yield browser
        browser.close()


def open_recorded(context, address: str, path: str):
    """Open a page of the book, and record failures on it."""
    page = context.new_page()
    page.elsewhere, page.missing, page.errors = [], [], []

    def asked(request):
        if not request.url.startswith((address, "data:", "blob:")):
            page.elsewhere.append(request.url)

    def answered(response):
        if response.status >= 400:
            page.missing.append(response.url)

    def said(message):
        if message.type == "error":
            page.errors.append(message.text)

    page.on("request", asked)
    page.on("response", answered)
    page.on("console", said)
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(address + path, wait_until="load")
    page.evaluate(READY)
    return page


@pytest.fixture
def open_page(browser, address):
    """A function that opens a page of the book with a fresh browser profile."""
    contexts = []

    def open_page(path: str, **options):
        contexts.append(
            browser.new_context(
                **{"viewport": DESK, "color_scheme": "light", **options}
            )
        )
        return open_recorded(contexts[-1], address, path)

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def visit(browser, address, axe_script):
    """A cached function that visits a page of the book and returns its facts."""
    context = browser.new_context(
        viewport=DESK,
        color_scheme="light",
        permissions=["clipboard-read", "clipboard-write"],
    )

    @functools.cache
    def visit(path: str) -> Facts:
        page = open_recorded(context, address, path)
        try:
            return gather(page, axe_script)
        finally:
            page.close()

    yield visit
    context.close()


@pytest.fixture(scope="session")
def axe_script() -> str:
    """The source of axe-core, which is installed as part of a Python package."""
    return (files("axe_playwright_python") / "axe.min.js").read_text("utf8")
