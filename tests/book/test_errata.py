"""What the list of errata calls wrong stands no longer in the book."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def still_wrong(errata: str, texts: list[str]) -> list[str]:
    """Return the wrong sentences of the list that one of the texts still has."""
    rows = [line.split("|")[1:-1] for line in errata.splitlines() if line[:1] == "|"]
    wrong = [cells[2].strip() for cells in rows[2:] if cells[4].strip()]
    return [one for one in wrong if any(one in text for text in texts)]


def test_errata_are_corrected_in_the_text():
    errata = ROOT / "book" / "errata.md"
    pages = [*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("book/*.md")]
    texts = [path.read_text("utf8") for path in pages if path != errata]
    assert still_wrong(errata.read_text("utf8"), texts) == []


def test_a_wrong_sentence_that_stands_is_found():
    errata = (
        "| edition | page | it says | correct | corrected on |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| 1.0 | 4 | Two is odd. | Two is even. | 2026-12-24 |\n"
        "| 1.0 | 5 | Six is odd. | Six is even. | 2026-12-24 |\n"
    )
    assert still_wrong(errata, ["Two is even.", "So six: Six is odd."]) == [
        "Six is odd."
    ]
