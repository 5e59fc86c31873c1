"""Every recipe takes a step on the pretend device, and its published model is sampled
there.
"""

from dataclasses import replace

import pytest

from genai_tutorial.recipes import (
    RunSettings,
    factbook,
    factbook_draft,
    load_corpus,
    load_recipe,
    sample,
    shakespeare,
)
from genai_tutorial.recipes.catalogue import RECIPES
from genai_tutorial.recipes.sampling import set_options
from genai_tutorial.runtime import seed_everything
from genai_tutorial.training import Checkpoint, Process
from tests.device import pretend
from tests.device.both import moved

# Settings that decide how long the data takes to make, for recipes that have them.
SMALL = {
    "scenes": 100, "pictures": 200, "clips": 64, "written": 16, "questions": 60,
    "copies": 1, "reward_steps": 1, "budget": 60, "exercises": 100,
    "tokenizer_exercises": 100, "utterances": 40, "non_speech": 4, "sentences": 30,
    "traces": 8, "rounds": 1, "games": 4, "game_steps": 60, "updates": 1,
    "batch_size": 4, "answers": 2, "examples": 16, "prompt_length": 96,
}  # fmt: skip
SHORT = {"tokens": 4, "steps": 2}
CAPTION = "a small red circle above a blue square"
PROMPTS = {
    "shapes-diffusion": CAPTION,
    "shapes-stream": "a red circle above a blue square",
    "shapes-latent": CAPTION,
    "emoji-latent": "fire engine",
    "shapes-video": "a small red circle moves left slowly",
}
SAMPLED = [recipe for recipe in RECIPES if recipe.published and recipe.makes]


def smaller(recipe):
    # Not `getattr`: some of the names are properties that make the data.
    known = vars(recipe)
    settings = {name: SMALL[name] for name in SMALL if isinstance(known.get(name), int)}
    if hasattr(getattr(recipe, "pictures", None), "count"):
        settings["pictures"] = replace(recipe.pictures, count=SMALL["pictures"])
    return replace(recipe, **settings)


def small_corpus(copies):
    corpus = load_corpus(copies)
    sources = {name: documents[:20] for name, documents in corpus.sources.items()}
    return replace(corpus, sources=sources)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_recipe_takes_a_step(recipe, tmp_path, monkeypatch):
    if hasattr(recipe, "training_rows"):  # the teacher would read the whole corpus
        whole = type(recipe).training_rows
        monkeypatch.setattr(
            type(recipe), "training_rows", lambda *args: whole(*args)[:20]
        )
    # The corpus and the held-out text would be read whole.
    for module in (factbook, factbook_draft):
        monkeypatch.setattr(module, "load_corpus", small_corpus)
    measure = shakespeare.evaluate_language_model
    monkeypatch.setattr(
        shakespeare,
        "evaluate_language_model",
        lambda model, ids, window: measure(model, ids[:1000], window),
    )
    device = pretend.register()
    seed_everything(recipe.seed)
    checkpoint = Checkpoint(tmp_path / "run.safetensors", every=1, resume=False)
    run = RunSettings(1, device, Process(), checkpoint, progress=False)
    model = smaller(recipe).fit(run).model
    assert all(weight.device == device for weight in model.parameters())
    assert all(weight.isfinite().all() for weight in model.parameters())


@pytest.mark.parametrize("recipe", SAMPLED, ids=lambda recipe: recipe.name)
def test_published_model_is_sampled(recipe):
    known = vars(recipe.options)
    options = {name: value for name, value in SHORT.items() if name in known}
    if recipe.name in PROMPTS:
        options["prompt"] = PROMPTS[recipe.name]
    loaded = moved(load_recipe(recipe), pretend.register())
    found = sample(recipe, loaded, set_options(recipe, options), 1, 0).items
    assert len(found) == 1
