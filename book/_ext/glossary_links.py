"""Turn links to the glossary page into links to the entry itself.

Chapters link to the file, `[maximum likelihood](../book/glossary.md)`, which every
notebook viewer understands. In the book such a link leads to the entry for its text and
shows the definition on hover. A term without an entry is a warning, which fails the
build.
"""

from docutils import nodes
from sphinx import addnodes
from sphinx.util import logging

logger = logging.getLogger(__name__)
GLOSSARY = "book/glossary"
# Inflected forms and synonyms that the rules below do not map to an entry.
OTHER_FORMS = {
    "contrastive": "contrastive learning",
    "gaussian": "gaussian distribution",
    "held-out": "held-out data",
    "layernorm": "layer normalization",
    "learned vector for each position": "learned position embedding",
    "mixture": "mixture model",
    "normal distribution": "gaussian distribution",
    "normalized": "normalization",
    "pca": "principal component analysis",
    "responsible": "responsibility",
    "sampled": "sampling",
}


def plain(text: str) -> str:
    """Return a word in lower case, with straight apostrophes and short hyphens."""
    return " ".join(text.split()).lower().replace("’", "'").replace("–", "-")


def candidates(text: str) -> list[str]:
    """Return possible glossary entries for a word: unchanged, in the singular, or a
    synonym.

    >>> candidates("Optimizers")
    ['optimizers', 'optimizer']
    """
    word = plain(text)
    forms = [word]
    if word.endswith("ies"):
        forms.append(word[:-3] + "y")
    if word.endswith("es"):
        forms.append(word[:-2])
    if word.endswith("s"):
        forms.append(word[:-1])
    return forms + [OTHER_FORMS[form] for form in forms if form in OTHER_FORMS]


def entries(env) -> dict[str, tuple[str, str]]:
    """Return the anchor and the definition of each glossary entry, by its name in lower
    case.
    """
    found = {}
    for item in env.get_doctree(GLOSSARY).findall(nodes.definition_list_item):
        definition = (
            next(item.findall(nodes.definition))
            .astext()
            .split("\n\n")[0]
            .replace("\n", " ")
        )
        for term in item.findall(nodes.term):
            if term["ids"]:
                words = [
                    child
                    for child in term.children
                    if not isinstance(child, addnodes.index)
                ]
                found[plain("".join(child.astext() for child in words))] = (
                    term["ids"][0],
                    definition,
                )
    return found


def lead_to_words(app, doctree, docname):
    """Resolve the glossary links of a page."""
    if GLOSSARY not in app.env.found_docs:
        return
    target = (
        app.builder.get_relative_uri(docname, GLOSSARY) if docname != GLOSSARY else None
    )
    links = [
        link
        for link in doctree.findall(nodes.reference)
        if target and link.get("refuri") == target
    ]
    if not links:
        return
    words = entries(app.env)
    for link in links:
        if "glossary" in link.astext().lower():
            continue
        entry = next(
            (words[form] for form in candidates(link.astext()) if form in words), None
        )
        if entry is None:
            logger.warning(
                "the glossary has no entry for %r; add it to book/glossary.md",
                link.astext(),
                location=link,
            )
            continue
        anchor, definition = entry
        link["refuri"] = f"{target}#{anchor}"
        link["reftitle"] = definition
        link["classes"].append("glossary-word")


def setup(app):
    """Register the extension with Sphinx."""
    app.connect("doctree-resolved", lead_to_words)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
