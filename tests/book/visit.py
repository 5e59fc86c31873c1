"""A visit to a page: it is loaded once, and all facts that the tests need are
collected.
"""

from dataclasses import dataclass
from typing import NamedTuple

# Viewports of desktops, a wide desktop, a tablet and a phone.
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 375, "height": 800}
WIDTHS = (1920, 1440, 768, 375, 1280)
COLUMNS = 88  # line length of the code
# Rules whose result can differ in dark mode: those about colours, and alternative
# texts, because the theme shows some pictures only in dark mode.
DARK_RULES = ("color-contrast", "link-in-text-block", "image-alt")


class Math(NamedTuple):
    """Counts of a page's formulas, before and after MathJax typesets them."""

    written: int
    typeset: int
    spoken: int
    wrong: int
    left_as_tex: bool


class Shown(NamedTuple):
    """The contents of an interactive figure at one slider position."""

    picture: str
    text: str
    label: str


class Figure(NamedTuple):
    """An interactive figure before, during and after a move of its slider."""

    before: Shown
    moved: Shown
    spoken_label: str | None
    width: int
    back: Shown


class Fold(NamedTuple):
    """The number of folded solutions, and whether the first is visible before and after
    a click on its summary.
    """

    count: int
    seen_before: bool
    seen_after: bool


@dataclass(frozen=True)
class Facts:
    """The facts that a visit collects.

    Attributes:
        elsewhere: requested addresses outside the book.
        missing: requested addresses in the book that do not exist.
        errors: script errors.
        sideways: horizontal scroll distance for each viewport width, in pixels.
        scrolled_code: the longest line of each code block or text output of at most
            88 columns that has a scroll bar on a desktop.
        light: axe violations by rule, with everything unfolded.
        dark: the same in dark mode, for the rules of `DARK_RULES`.
        figures: interactive figures, operated by keyboard.
        fold: the folded solutions.
        copied: text that the copy button of the first visible cell copies.
        sounds: duration of each clip in seconds; 0 if it cannot be played.
    """

    elsewhere: tuple[str, ...]
    missing: tuple[str, ...]
    errors: tuple[str, ...]
    math: Math
    sideways: dict[int, int]
    scrolled_code: tuple[str, ...]
    light: dict[str, list[str]]
    dark: dict[str, list[str]]
    figures: tuple[Figure, ...]
    fold: Fold
    copied: str | None
    sounds: tuple[float, ...]


READY = """() => Promise.all([
  document.fonts.ready, window.MathJax?.startup?.promise,
  ...[...document.images].filter(image => image.loading !== "lazy")
    .map(image => image.decode().catch(() => null))])"""
SOUNDS = """() => Promise.all([...document.querySelectorAll("audio")].map(
  (audio) => new Promise((resolve) => {
    audio.onloadedmetadata = () => resolve(audio.duration);
    audio.onerror = () => resolve(0);
    audio.preload = "metadata";
    audio.load();
  })))"""
MATH = """() => {
  const count = (selector) => document.querySelectorAll(selector).length;
  return [count("span.math, div.math"), count("article mjx-container"),
    count("article mjx-container mjx-assistive-mml"), count("mjx-merror"),
    (document.querySelector("article")?.innerText ?? "").includes("\\\\(")];
}"""
# A wide table or formula may scroll inside its container; the page may not.
SIDEWAYS = (
    "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
)
UNFOLD = (
    "() => document.querySelectorAll('article details').forEach((details) => "
    "(details.open = true))"
)
# The page measures what became visible in the next frame.
NEXT_FRAMES = (
    "() => new Promise((done) => requestAnimationFrame(() => "
    "requestAnimationFrame(done)))"
)
SCROLLED_CODE = """(columns) => [...document.querySelectorAll("article pre")]
  .filter(pre => pre.clientWidth && pre.scrollWidth > pre.clientWidth)
  .map(pre => pre.innerText.split("\\n").reduce(
    (longest, line) => [...line].length > [...longest].length ? line : longest))
  .filter(line => [...line].length <= columns)"""
# Pages outside the book have no theme to wait for.
IN_DARK = "() => (document.documentElement.dataset.theme ?? 'dark') === 'dark'"
# The theme fades elements in, and axe would measure intermediate colours.
SETTLE = """() => document.getAnimations()
  .filter((animation) => Number.isFinite(animation.effect.getComputedTiming().endTime))
  .forEach((animation) => animation.finish())"""
# Contrast is the slowest rule of axe, and a chapter has thousands of coloured words of
# code. Contrast depends on an element's colour and font and on the backgrounds of its
# ancestors, so axe checks at most three of the elements that agree in all of these.
MARK_LOOKS = """() => {
  const looks = new Map(), seen = new Map();
  const ground = (element) => {
    if (!element) return "";
    if (!seen.has(element)) {
      const style = getComputedStyle(element), above = ground(element.parentElement);
      const own = [style.backgroundColor, style.backgroundImage, style.opacity,
        style.filter, style.mixBlendMode, style.position, style.zIndex].join();
      const plain = "rgba(0, 0, 0, 0),none,1,none,normal,static,auto";
      const look = own === plain ? above : above + "/" + own;
      seen.set(element, look);
    }
    return seen.get(element);
  };
  for (const element of document.body.querySelectorAll("*")) {
    element.removeAttribute("data-look");
    const words = [...element.childNodes].some(
      (node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!(words || element.matches("input, select, textarea"))) continue;
    const box = element.getBoundingClientRect();
    if (box.width <= 1 || box.height <= 1 || !element.checkVisibility({
      opacityProperty: true, visibilityProperty: true})) continue;
    const style = getComputedStyle(element);
    const look = [style.color, style.fontSize, style.fontWeight, style.textShadow,
      ground(element)].join("|");
    if (!looks.has(look)) looks.set(look, []);
    looks.get(look).push(element);
  }
  for (const alike of looks.values())
    for (const index of [0, alike.length >> 1, alike.length - 1])
      alike[index].setAttribute("data-look", "");
  axe.configure({rules: [{id: "color-contrast", selector: "[data-look]"}]});
}"""
AXE = """(only) => axe.run(document, {
    resultTypes: ["violations"], selectors: false, preload: false,
    ...(only.length ? {runOnly: only} : {})})
  .then((result) => result.violations.map((rule) => {
    const why = (node) => (node.any[0] || node.all[0] || node.none[0] || {}).message;
    return [rule.id, rule.nodes.map(
      (node) => node.html.slice(0, 160) + " | " + why(node))];
}))"""


def violations(page, only: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """Return axe's violations on a page by rule; without rules, of all of them."""
    page.evaluate(SETTLE)
    page.evaluate(MARK_LOOKS)
    return dict(page.evaluate(AXE, list(only)))


def gather(page, axe_script: str) -> Facts:
    """Collect the facts of a page that is open in a desktop viewport in light mode."""
    math = Math(*page.evaluate(MATH))
    fold = _fold(page)
    figures = tuple(map(_figure, page.locator(".genai-frames").all()))
    sounds = tuple(page.evaluate(SOUNDS))
    sideways = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": DESK["height"]})
        sideways[width] = page.evaluate(SIDEWAYS)
    # Folded content must be accessible too.
    page.evaluate(UNFOLD)
    page.evaluate(NEXT_FRAMES)
    scrolled_code = tuple(page.evaluate(SCROLLED_CODE, COLUMNS))
    page.evaluate(axe_script)
    light = violations(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(IN_DARK)
    dark = violations(page, DARK_RULES)
    copied = _copied(page)
    return Facts(
        elsewhere=tuple(page.elsewhere), missing=tuple(page.missing),
        errors=tuple(page.errors), math=math, sideways=sideways,
        scrolled_code=scrolled_code, light=light, dark=dark, figures=figures, fold=fold,
        copied=copied, sounds=sounds,
    )  # fmt: skip


def _fold(page) -> Fold:
    folds = page.locator("details.hide", has_text="Show the solution")
    if not (count := folds.count()):
        return Fold(0, False, False)
    code = folds.first.locator("div.highlight")
    before = code.is_visible()
    folds.first.locator("summary").click()
    return Fold(count, before, code.is_visible())


def _figure(figure) -> Figure:
    picture = figure.locator("img").first
    slider = figure.locator("input[type=range]").last
    label = figure.locator("output").last

    def shown() -> Shown:
        source, text = map(picture.get_attribute, ("src", "alt"))
        return Shown(source, text, label.inner_text())

    before = shown()
    slider.press("ArrowRight")
    moved = shown()
    spoken = slider.get_attribute("aria-valuetext")
    width = picture.evaluate(
        "image => image.decode().then(() => image.naturalWidth, () => 0)"
    )
    slider.press("Home")
    return Figure(before, moved, spoken, width, shown())


def _copied(page) -> str | None:
    # The first cell with unfolded code.
    block = page.locator(
        "div.cell:not(.tag_hide-input) div.cell_input div.highlight"
    ).first
    if not block.count():
        return None
    block.scroll_into_view_if_needed()
    block.hover()
    block.locator("button.copybtn").click()
    return page.evaluate("() => navigator.clipboard.readText()")
