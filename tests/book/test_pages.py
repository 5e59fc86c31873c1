"""Every page of the built book, opened in a browser whose network ends at this
machine.
"""

import pytest

from tests.book.conftest import DESK, PHONE, THEME_RULES, all_pages

# Below what contains it, a wide table or formula may scroll; the page may not.
SIDEWAYS = (
    "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
)
AXE = """() => axe.run(document, {resultTypes: ["violations"]}).then((result) => result.violations.map((rule) => {
  const why = (node) => (node.any[0] || node.all[0] || node.none[0] || {}).message;
  return [rule.id, rule.nodes.map((node) => node.html.slice(0, 160) + " | " + why(node))];
}))"""  # noqa: E501


def violations(page) -> dict[str, list[str]]:
    """Return what axe finds on a page, by rule, less what the theme does itself."""
    return {
        rule: nodes for rule, nodes in page.evaluate(AXE) if rule not in THEME_RULES
    }


@pytest.mark.parametrize("path", all_pages())
def test_page(path, open_page, axe_script):
    page = open_page(path)
    assert page.elsewhere == [], "the page asks another host"
    assert page.missing == [], "something on the page is not there"
    assert page.errors == [], "a script failed"
    if page.locator("span.math, div.math").count():
        assert page.locator("mjx-container").count() > 0, "no formula was typeset"
        assert page.locator("mjx-merror").count() == 0, "a formula has an error"
        assert "\\(" not in page.locator("article").inner_text(), (
            "a formula was left as it is written"
        )

    assert page.evaluate(SIDEWAYS) <= 0, "the page scrolls sideways on a desk"
    page.set_viewport_size(PHONE)
    assert page.evaluate(SIDEWAYS) <= 0, "the page scrolls sideways on a phone"

    page.set_viewport_size(DESK)
    page.evaluate(axe_script)
    # Folded things are read too, once the reader unfolds them.
    page.evaluate(
        "() => document.querySelectorAll('article details').forEach((details) => "
        "(details.open = true))"
    )
    page.wait_for_timeout(
        600
    )  # the theme fades in what is unfolded, and axe would measure a colour on its way
    assert violations(page) == {}, "accessibility in light"
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    page.wait_for_timeout(400)
    assert violations(page) == {}, "accessibility in dark"


def test_axe_sees_a_picture_without_text(open_page, axe_script):
    # The check above is worth something only if it would find a fault.
    page = open_page("book/intro.html")
    page.evaluate(
        "() => document.querySelector('article').append(Object.assign(new Image(), "
        "{src: 'data:,'}))"
    )
    page.evaluate(axe_script)
    assert "image-alt" in violations(page)


def test_a_page_that_asks_another_host_is_noticed(open_page):
    page = open_page("book/intro.html")
    page.evaluate("() => fetch('https://example.org/').catch(() => null)")
    assert page.elsewhere == ["https://example.org/"]
