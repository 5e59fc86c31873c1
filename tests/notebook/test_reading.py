from genai_tutorial.notebook.reading import (
    folded_sections,
    reading_minutes,
    with_minutes,
)


def markdown(source: str) -> dict:
    return {"cell_type": "markdown", "metadata": {}, "source": [source]}


def code(source: str, *outputs: dict, tags: tuple[str, ...] = ()) -> dict:
    metadata = {"tags": list(tags)}
    parts = {"cell_type": "code", "metadata": metadata, "source": source}
    return parts | {"outputs": list(outputs)}


FIGURE = {"data": {"image/png": "", "text/plain": "[Figure]"}}
SOURCE = {
    "data": {"text/plain": "def f():\n    return 1\n"},
    "metadata": {"genai_tutorial": {"source": {"name": "f"}}},
}


def test_reading_minutes_counts_words_lines_figures_and_equations():
    cells = [
        markdown("word " * 200),  # one minute
        code("\n".join(["x = 1", "", "y = 2"] * 15)),  # 30 lines: two minutes
        code("show(figure)\n" * 30, FIGURE, FIGURE, tags=("hide-input",)),  # one
        markdown("$$a\n= b$$ $$c$$"),  # one
        code("show_source(f)\n" * 28, SOURCE),  # 28 and 2 lines: two minutes
        markdown("## Exercises\n\n" + "word " * 2000),
        code("z = 3\n" * 300),
    ]
    assert reading_minutes({"cells": cells}) == 7


def test_reading_minutes_leaves_out_what_is_folded_and_addresses():
    text = "[one link](http://x.org/a b c) $x + y$ <br>"
    folded = "<details><summary>Show</summary>" + "word " * 900 + "</details>"
    assert reading_minutes({"cells": [markdown(text), markdown(folded)]}) == 0
    assert reading_minutes({"cells": [markdown(f"{text} " * 100)]}) == 1


def test_reading_minutes_leaves_out_folded_sections_up_to_the_next_heading():
    cells = [
        markdown("### Further: proofs"),
        markdown("word " * 900),
        code("x = 1\n" * 90),
        markdown("### Result\n\n" + "word " * 398),
        markdown("## Further reading"),
    ]
    assert folded_sections(cells) == [range(0, 3)]
    assert reading_minutes({"cells": cells}) == 2


def test_minutes_are_written_into_the_table_of_the_opening():
    opening = "60 minutes of your time\n| 8 | 60 minutes | 40 s |"
    expected = "60 minutes of your time\n| 8 | 45 minutes | 40 s |"
    assert with_minutes(opening, 45) == expected
