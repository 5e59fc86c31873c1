"""An unknown word in a prompt: the nearest known words or names are offered."""

import pytest

from genai_tutorial import recipes
from genai_tutorial.cli import known_words
from genai_tutorial.cli.known_words import check_words
from genai_tutorial.cli.user_errors import UserError

WORDS = ("a", "circle", "red", "blue")


def test_a_prompt_of_known_words_is_accepted():
    check_words("painter", "A red circle", WORDS, ())


def test_each_unknown_word_gets_the_nearest_known_ones():
    with pytest.raises(UserError) as caught:
        check_words("painter", "a crimson disc crimson", WORDS, ())
    said = str(caught.value)
    assert said.startswith("painter has never seen 'crimson' or 'disc'.")
    assert "crimson: red, blue, " in said
    assert "disc: circle, " in said
    assert said.endswith('prompt="a red circle red".')


def test_a_model_of_names_offers_whole_names():
    names = ("fire engine", "green apple", "full moon")
    with pytest.raises(UserError) as caught:
        check_words("emoji", "moonlight", ("fire", "moon"), names)
    assert str(caught.value).endswith('prompt="full moon".')


def test_without_minilm_nothing_is_refused_here(monkeypatch):
    def missing():
        raise FileNotFoundError

    monkeypatch.setattr(known_words, "load_minilm", missing)
    check_words("painter", "a crimson disc", WORDS, ())


def test_sample_offers_words_instead_of_drawing(command, tmp_path):
    path = tmp_path / "x.png"
    prompt = "prompt=a crimson circle"
    code, _, errors = command("sample", "shapes-latent", prompt, "--out", path)
    first, said = errors.splitlines()
    assert code == 2
    assert first.startswith("shapes-latent has never seen 'crimson'.")
    assert "among its 27 words: crimson: " in said
    assert not path.exists()


@pytest.mark.slow
def test_names_of_emoji_are_made_of_known_words():
    recipe = recipes.recipe("emoji-latent")
    words = set(recipe.tokenizer().words)
    assert "fire engine" in recipe.known_names()
    assert all(words.issuperset(n.lower().split()) for n in recipe.known_names())
