"""Write the schematics that changed into the package: `python -m book.schematics`.
Chromium renders the PNG files for viewers that show no SVG.
"""

import io
from pathlib import Path

from PIL import Image

from book.make_pdf import find_chromium
from book.schematics.drawings import DRAWINGS
from book.schematics.kit import FONTS, WIDTH, Schematic
from genai_tutorial.notebook.figures import png

FOLDER = Path(__file__).resolve().parents[2] / "genai_tutorial/notebook/schematics"
SCALE = 1.4  # pixels of the PNG per pixel of the drawing
FACES = {
    "Source Sans 3": ("source-sans-3-latin-wght-normal", "normal"),
    "Source Code Pro": ("source-code-pro-latin-wght-normal", "normal"),
}


def page(drawing: Schematic) -> str:
    """Return an HTML page with the drawing alone, in the book's fonts."""
    faces = "".join(
        f'@font-face {{ font-family: "{name}"; font-weight: 200 900; src: url('
        f'"{(FONTS / file).as_uri()}.woff2"); font-style: {style}; }}'
        for name, (file, style) in FACES.items()
    )
    return f"<style>{faces} body {{ margin: 0; }}</style>{drawing.svg()}"


def main() -> None:
    """Write every drawing that is not in the package yet, or has changed."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox"]
        )
        for draw in DRAWINGS:
            drawing = draw()
            stored = FOLDER / f"{drawing.name}.svg"
            if stored.exists() and stored.read_text("utf8") == drawing.svg():
                continue
            size = {"width": WIDTH, "height": int(drawing.height)}
            tab = browser.new_page(viewport=size, device_scale_factor=SCALE)
            source = FOLDER / f"{drawing.name}.html"
            source.write_text(page(drawing), "utf8")
            tab.goto(source.as_uri())
            tab.evaluate("document.fonts.ready")
            picture = Image.open(io.BytesIO(tab.screenshot())).convert("RGB")
            source.unlink()
            tab.close()
            (FOLDER / f"{drawing.name}.png").write_bytes(png(picture))
            stored.write_text(drawing.svg(), "utf8")
        browser.close()


if __name__ == "__main__":
    main()
