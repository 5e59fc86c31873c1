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
    for ending, singular in (("ies", "y"), ("es", ""), ("s", "")):
        if word.endswith(ending):
            forms.append(word.removesuffix(ending) + singular)
    return forms + [OTHER_FORMS[form] for form in forms if form in OTHER_FORMS]


def entries(env) -> list[tuple[str, str, str]]:
    """Return the name, the anchor and the definition of each glossary entry."""
    found = []
    for item in env.get_doctree(GLOSSARY).findall(nodes.definition_list_item):
        text = next(item.findall(nodes.definition)).astext()
        definition = text.split("\n\n")[0].replace("\n", " ")
        for term in item.findall(nodes.term):
            words = [
                child.astext()
                for child in term.children
                if not isinstance(child, addnodes.index)
            ]
            if term["ids"]:
                found.append(("".join(words), term["ids"][0], definition))
    return found


def lead_to_entries(app, doctree, docname):
    if GLOSSARY not in app.env.found_docs or docname == GLOSSARY:
        return
    target = app.builder.get_relative_uri(docname, GLOSSARY)
    links = [
        link
        for link in doctree.findall(nodes.reference)
        if link.get("refuri") == target and "glossary" not in link.astext().lower()
    ]
    found = {plain(name): rest for name, *rest in entries(app.env)} if links else {}
    for link in links:
        form = next((form for form in candidates(link.astext()) if form in found), None)
        if form is None:
            logger.warning(
                "the glossary has no entry for %r; add it to book/glossary.md",
                link.astext(),
                location=link,
            )
            continue
        anchor, link["reftitle"] = found[form]
        link["refuri"] = f"{target}#{anchor}"
        link["classes"].append("glossary-word")


def setup(app):
    app.connect("doctree-resolved", lead_to_entries)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
