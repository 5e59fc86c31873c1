"""Print the book to a PDF: `python book/make_pdf.py [FILE]`.

Jupyter Book combines all pages into one, and Chromium prints it with a table of
contents, bookmarks and page numbers. Needs the extras `book` and `test`, and Chromium.
"""

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build" / "singlehtml"
PDF = ROOT / "_build" / "pdf" / "generative-ai-explained.pdf"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Paper cannot be unfolded: solutions are printed, while the code of figures and the API
# reference are left out. The first page becomes a cover.
PREPARE = """() => {
  const article = document.querySelector("article.bd-article");
  document.documentElement.classList.add("print-book");
  const make = (tag, parent, properties) => parent.appendChild(Object.assign(document.createElement(tag), properties));

  for (const fold of article.querySelectorAll("details")) {
    const words = fold.querySelector("summary").textContent;
    if (fold.matches(".hide") && !/solution/i.test(words)) fold.remove();
    else if (/map in words/i.test(words)) fold.remove();
    else {
      fold.open = true;
      const title = /solution/i.test(words) ? "Solution" : words.replace(/^\\s*Show a/, "A");
      fold.querySelector("summary").textContent = title;
    }
  }
  for (const page of article.querySelectorAll(".toctree-wrapper > span[id^='document-book/api/']")) {
    if (!page.id.endsWith("/index")) { page.nextElementSibling.remove(); page.remove(); }
  }

  const contents = make("nav", document.createElement("div"), { className: "print-contents" });
  make("h2", contents, { textContent: "Contents" });
  const list = make("ol", contents, {});
  for (const section of article.querySelectorAll(".toctree-wrapper > section")) {
    section.classList.add("print-page");
    const title = section.querySelector("h1, h2, h3, h4");
    title.querySelector(".headerlink")?.remove();
    title.id = "print-" + list.children.length;
    make("a", make("li", list, {}), { href: "#" + title.id, textContent: title.textContent });
    const parts = title.textContent.match(/^(\\d+)\\. (.*)$/s);
    if (parts) {
      title.textContent = parts[2];
      title.prepend(Object.assign(document.createElement("span"),
        { className: "chapter-number", textContent: "Chapter " + parts[1] }));
    }
  }

  const cover = Object.assign(document.createElement("div"), { className: "print-cover" });
  const logo = make("img", cover, { src: "_static/favicon.svg", alt: "" });
  const intro = article.querySelector("section");
  cover.append(intro.querySelector("h1"), intro.querySelector(".lead"), intro.querySelector("svg.denoising"));
  make("p", cover, { className: "print-authors", textContent: document.querySelector("meta[name=author]")?.content
    || "The Generative AI Explained authors" });
  intro.prepend(cover, contents);
  document.querySelector("#jb-print-docs-body")?.remove();

  for (const link of article.querySelectorAll("a[href^='#']")) {
    if (!document.getElementById(decodeURIComponent(link.getAttribute("href").slice(1)))) link.removeAttribute("href");
  }
}"""  # noqa: E501

FOOTER = """<div style="width: 100%; font: 8pt 'DejaVu Sans', sans-serif; color: #565f66; padding: 0 18mm;
display: flex; justify-content: space-between"><span>Generative AI Explained, in Running Code</span>
<span class="pageNumber"></span></div>"""  # noqa: E501


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without logging."""

    def log_message(self, *_):
        """Log nothing."""


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder to this machine, and give its address."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def find_chromium() -> str:
    """Return the path of Chromium or of a browser based on it."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        raise SystemExit(
            "Printing needs Chromium, and there is none. On Debian or Ubuntu: sudo "
            "apt-get install chromium"
        )
    return found


def build() -> None:
    """Build the book as a single page."""
    shutil.rmtree(SITE, ignore_errors=True)
    command = [
        Path(sys.executable).with_name("jupyter-book"),
        "build",
        ROOT,
        "--builder",
        "singlehtml",
        "--quiet",
    ]
    subprocess.run(command, check=True, cwd=ROOT)
    # The page loads its style sheets and images from its own folder.
    shutil.copy(SITE / "book" / "intro.html", SITE / "print.html")


def print_pdf(target: Path) -> None:
    """Print the page with Chromium."""
    from playwright.sync_api import sync_playwright

    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.unfinished")
    with serve(SITE) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(color_scheme="light")
        page.set_default_timeout(300_000)
        page.goto(f"{address}/print.html", wait_until="networkidle")
        page.wait_for_function(
            "window.MathJax && MathJax.startup && MathJax.startup.promise"
        )
        page.evaluate("() => MathJax.startup.promise")
        page.evaluate("() => document.fonts.ready")
        page.evaluate(PREPARE)
        page.emulate_media(media="print", color_scheme="light")
        page.pdf(
            path=str(unfinished),
            format="A4",
            margin={"top": "20mm", "bottom": "22mm", "left": "18mm", "right": "18mm"},
            print_background=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOTER,
            outline=True,
            tagged=True,
        )
        browser.close()
    os.replace(unfinished, target)


if __name__ == "__main__":
    target = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else PDF
    build()
    print_pdf(target)
    print(f"The book is printed: {target}")
