"""Each rule for Markdown is broken once, and its check must report it."""

from pathlib import Path

import pytest

from tests.notebooks import markdown_checks
from tests.notebooks.breaks import Break, Breaks, add, cell
from tests.notebooks.sample import NAME, chapter_file, sample_notebook

breaks = Breaks()


@breaks(markdown_checks.links_resolve, "no_such.md is not tracked by git")
def _link_to_nothing(notebook):
    add(notebook, "[words](../book/no_such.md)")


@breaks(markdown_checks.links_resolve, "without #heading")
def _link_to_a_heading(notebook):
    add(notebook, "[words](../book/glossary.md#token)")


@breaks(markdown_checks.links_resolve, "path of one machine")
def _link_to_a_path(notebook):
    add(notebook, "[words](/etc/hosts)")


@breaks(markdown_checks.links_resolve, "must be a file")
def _link_with_another_scheme(notebook):
    add(notebook, "[words](ftp://example.org/words)")


@breaks(markdown_checks.links_resolve, "is on another host")
def _picture_on_another_host(notebook):
    add(notebook, "![A cat on a mat](https://example.org/cat.png)")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```{note}\nwords\n```", "a directive"),
        (":::{note}\nwords\n:::", "a directive"),
        ("See {cite}`vaswani`.", "a role"),
        ("Words.[^1]", "a footnote"),
        ("> [!NOTE]\n> words", "an alert"),
        ("- [ ] to do", "a task list"),
        ("(label)=", "a label"),
        ("% hidden", "a MyST comment"),
        ("<div>words</div>", "<div>"),
        ("words <span>in</span> line", "<span>"),
        ("> **Caution.** words", "Caution."),
    ],
)
def test_markdown_specific_to_one_viewer_is_reported(
    text: str, message: str, tmp_path: Path
):
    notebook = sample_notebook()
    add(notebook, text)
    problems = markdown_checks.markdown_is_plain(chapter_file(notebook, tmp_path))
    assert len(problems) == 1
    assert message in problems[0]


@breaks(markdown_checks.markdown_is_plain, "a directive")
def _directive(notebook):
    add(notebook, "```{figure} x.png\n```")


@breaks(markdown_checks.pictures_in_markdown_have_text, "no alternative text")
def _picture_without_text(notebook):
    add(notebook, "![](../book/images/colab.svg)")


@breaks(markdown_checks.pictures_in_markdown_have_text, "attachment")
def _attachment(notebook):
    cell(notebook, "## The idea").attachments = {"x.png": {"image/png": "AAAA"}}


@pytest.mark.parametrize(
    "text",
    [
        "Vaswani et al. say so.",
        "so it is (Ho, 2020).",
        "as in arXiv:1706.03762",
        "shown [3].",
    ],
)
def test_citation_without_link_is_reported(text: str, tmp_path: Path):
    notebook = sample_notebook()
    add(notebook, text)
    assert (
        len(markdown_checks.citations_are_links(chapter_file(notebook, tmp_path))) == 1
    )


@breaks(markdown_checks.citations_are_links, "is not a link")
def _citation_without_link(notebook):
    add(notebook, "Attention is all you need (Vaswani et al., 2017).")


@breaks(markdown_checks.citations_are_in_the_bibliography, "2006.11239 is not in")
def _paper_outside_the_bibliography(notebook):
    add(notebook, "[Ho et al.](https://arxiv.org/pdf/2006.11239v2)")


@breaks(markdown_checks.headings_in_order, "title must come first")
def _second_title(notebook):
    add(notebook, "# Another title")


@breaks(markdown_checks.headings_in_order, "skips a level")
def _level_left_out(notebook):
    add(notebook, "#### Too deep")


@breaks(markdown_checks.headings_in_order, "'## At scale' is missing")
def _section_missing(notebook):
    cell(notebook, "## At scale").source = "Text."


@breaks(markdown_checks.headings_in_order, "in the order")
def _sections_swapped(notebook):
    cell(notebook, "## At scale").source = "## In production"
    cell(notebook, "## In production\n\nText.").source = "## At scale"


@breaks(markdown_checks.opening_is_complete, "Colab badge")
def _badge_of_another_notebook(notebook):
    notebook.cells[0].source = notebook.cells[0].source.replace(NAME, "08_other.ipynb")


@breaks(markdown_checks.opening_is_complete, "reading time")
def _wrong_reading_time(notebook):
    notebook.metadata.genai_tutorial.reading_minutes = 45


@breaks(markdown_checks.opening_is_complete, "recorded [50], stated [20]", seconds=50)
def _running_time_of_another_run(notebook):
    pass


@breaks(markdown_checks.opening_is_complete, "recorded [20], stated []")
def _running_time_in_other_words(notebook):
    notebook.cells[0].source = notebook.cells[0].source.replace("20 s", "a moment")


@breaks(markdown_checks.opening_is_complete, "must name the room")
def _room_not_named(notebook):
    notebook.cells[0].source = notebook.cells[0].source.replace("`transformer`", "none")


@breaks(markdown_checks.vocabulary_links_to_the_glossary, "at least 3 words")
def _vocabulary_without_links(notebook):
    ending = cell(notebook, "## Summary")
    ending.source = ending.source.replace("[logit](../book/glossary.md)", "logit")


@breaks(markdown_checks.terms_are_introduced, "'hidden state' in bold")
def _term_not_bold(notebook):
    idea = cell(notebook, "## The idea")
    idea.source = idea.source.replace("**[hidden", "[hidden").replace("md)**", "md)")


@breaks(markdown_checks.terms_are_introduced, "link the term 'hidden state'")
def _term_without_a_link(notebook):
    idea = cell(notebook, "## The idea")
    idea.source = idea.source.replace(
        "[hidden state](../book/glossary.md)", "hidden state"
    )


@breaks(markdown_checks.terms_are_introduced, "use the term 'hidden state'")
def _term_never_used_again(notebook):
    idea = cell(notebook, "## The idea")
    idea.source = idea.source.replace("Hidden states\nhave one size.", "")


def test_markdown_checks_each_have_a_break():
    assert breaks.checks == set(markdown_checks.CHECKS)


@pytest.mark.parametrize("case", breaks.all, ids=str)
def test_markdown_check_reports_broken_rule(case: Break, tmp_path: Path):
    case.assert_reported(tmp_path)
