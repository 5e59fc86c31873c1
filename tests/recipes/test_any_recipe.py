"""`train`, `load` and `sample`, with a new kind of model and the digit classifier."""

import dataclasses
import json
import re
from dataclasses import asdict, dataclass, fields
from typing import ClassVar

import pytest
import torch
from PIL import Image
from torch import nn

from genai_tutorial import recipes
from genai_tutorial.cli.model_table import ModelRow
from genai_tutorial.data import MNIST_SOURCE
from genai_tutorial.recipes import (
    ImageSamples,
    Recipe,
    RunSettings,
    Trained,
    digit_classifier,
)
from genai_tutorial.training import AdamW, TensorBatches, load_checkpoint
from tests.recipes.conftest import Killed


class Painter(nn.Module):
    def __init__(self, sides):
        super().__init__()
        self.paint = nn.Linear(2, sides[0] * sides[1])
        self.register_buffer("seen", torch.tensor(0))

    def forward(self, x):
        return self.paint(x)


@dataclass(frozen=True, kw_only=True)
class PainterOptions:
    digit: int | None = None
    guidance: float | int | None = None

    def __post_init__(self):
        if self.digit is not None and self.digit > 5:
            raise ValueError(f"digit must be from 0 to 5, got {self.digit}.")


@dataclass(frozen=True, kw_only=True)
class PainterRecipe(Recipe):
    """A recipe for a model of grey images, with an average, a counter, and a loss that
    draws from two random generators.
    """

    name: str = "painter"
    title: str = "A painter of nothing much"
    config: tuple[int, int] = (4, 6)
    steps: int = 9
    batch_size: int = 3
    ema_decay: float = 0.7
    colours: int = 0
    dies_after: int | None = None
    published: bool = False

    source: ClassVar = MNIST_SOURCE
    makes: ClassVar = "images"
    options: ClassVar = PainterOptions()
    metric: ClassVar = "weights"
    in_words: ClassVar = "{seen} things seen"

    def build(self):
        assert isinstance(self.config, tuple)
        return Painter(self.config)

    def fit(self, run: RunSettings) -> Trained:
        torch.manual_seed(self.seed)
        model = self.build()
        calls = iter(range(1000 if self.dies_after is None else self.dies_after))

        def loss(model, x, generator):
            if next(calls, None) is None:
                raise Killed
            model.seen += 1
            noise = torch.randn(x.shape, generator=generator)
            return (model(x + noise) - torch.rand(1)).square().mean()

        checkpoint = dataclasses.replace(run.checkpoint, every=2)
        run = dataclasses.replace(run, checkpoint=checkpoint)
        x = torch.rand(20, 2, generator=torch.Generator().manual_seed(0))
        return run.fit(
            self,
            model,
            TensorBatches((x,), self.batch_size, self.seed),
            loss,
            AdamW(model.parameters(), lr=0.1),
            generator=torch.Generator().manual_seed(1),
            notes={"colours": "none"},
        )

    def measure(self, model):
        return {
            "weights": float(model.paint.weight.detach().sum()),
            "seen": int(model.seen),
        }

    def score(self, loaded, n, seed):
        return [self.measure(loaded)["weights"]] * n

    def sample(self, loaded, options: PainterOptions, count, seed):
        generator = torch.Generator().manual_seed(seed)
        shape = (count, 3, *self.config) if self.colours else (count, *self.config)
        images = torch.rand(shape, generator=generator)
        return ImageSamples(images * (options.guidance or 1))


@pytest.fixture
def use_recipes(monkeypatch, tmp_path):
    """Put these recipes in the place of the book's."""

    def put(*chosen):
        monkeypatch.setattr("genai_tutorial.recipes.catalogue.RECIPES", chosen)
        row = ModelRow("images", "1", "1", "draws sides", "digit guidance", "")
        for module in ("model_commands", "models"):
            rows = {recipe.name: row for recipe in chosen}
            monkeypatch.setattr(f"genai_tutorial.cli.{module}.MODELS", rows)

    put(PainterRecipe())
    return put


def test_recipe_of_a_model_that_makes_nothing_says_so():
    with pytest.raises(ValueError, match="digit-classifier makes nothing that"):
        recipes.recipe("digit-classifier").sample(None, None, 1, seed=0)


@pytest.mark.parametrize("killed_after", [1, 3, 8])
def test_recipe_resumes_a_killed_run_to_the_same_bytes(
    use_recipes, tmp_path, killed_after
):
    expected = recipes.train("painter", folder=tmp_path / "whole", progress=False)
    use_recipes(PainterRecipe(dies_after=killed_after))
    with pytest.raises(Killed):
        recipes.train("painter", folder=tmp_path / "stopped", progress=False)
    if killed_after > 1:
        assert (
            load_checkpoint(tmp_path / "stopped" / "painter.run.safetensors")["step"]
            == killed_after // 2 * 2
        )
    use_recipes(PainterRecipe())
    weights = recipes.train(
        "painter", resume=True, folder=tmp_path / "stopped", progress=False
    )
    assert weights.read_bytes() == expected.read_bytes()
    cards = [recipes.card("painter", tmp_path / name) for name in ("whole", "stopped")]
    assert cards[0]["metrics"] == cards[1]["metrics"]


def test_recipe_file_holds_the_ema_in_16_bits(use_recipes, tmp_path):
    recipes.train("painter", folder=tmp_path, progress=False)
    model = recipes.load("painter", tmp_path)
    run = load_checkpoint(tmp_path / "painter.run.safetensors")
    averaged = run["average"]["model"]["paint.weight"]
    assert torch.equal(model.paint.weight, averaged.half().float())
    assert not torch.equal(averaged, run["model"]["paint.weight"])
    assert model.seen.dtype == torch.int64
    assert model.seen == 9
    assert not model.training


def test_recipe_card_has_the_metrics_of_the_rounded_weights(use_recipes, tmp_path):
    recipes.train("painter", steps=4, folder=tmp_path, progress=False)
    about = recipes.card("painter", tmp_path)
    loaded = recipes.load("painter", tmp_path)
    assert about["metrics"] == PainterRecipe().measure(loaded)
    assert about["recipe"] == json.loads(json.dumps(asdict(PainterRecipe())))
    assert about["command"] == "genai-tutorial train painter --steps 4"
    assert about["parameters"] == 3 * 24
    assert about["colours"] == "none"
    assert about["data"]["attribution"] == MNIST_SOURCE.attribution


@dataclass(frozen=True, kw_only=True)
class SharingPainterRecipe(PainterRecipe):
    tokenizer_file: ClassVar = "painters-tokenizer.json"

    def fit(self, run):
        notes = {"tokenizer": {"words": ["red", "blue"]}}
        return dataclasses.replace(super().fit(run), notes=notes)

    def wrap(self, model, card):
        return model, card["tokenizer"]


def test_tokenizer_file_is_written_beside_the_card_and_read_by_load(
    use_recipes, tmp_path
):
    """`train` writes a shared tokenizer into the folder, compact, and not on the
    card.
    """
    use_recipes(SharingPainterRecipe())
    recipes.train("painter", steps=1, folder=tmp_path, progress=False)
    written = (tmp_path / "painters-tokenizer.json").read_text()
    assert written == '{"words":["red","blue"]}\n'
    card = recipes.card("painter", tmp_path)
    assert card["tokenizer_file"] == "painters-tokenizer.json"
    assert "tokenizer" not in card
    assert recipes.load("painter", tmp_path)[1] == {"words": ["red", "blue"]}
    (tmp_path / "painters-tokenizer.json").unlink()
    with pytest.raises(FileNotFoundError, match="names it as its tokenizer"):
        recipes.load("painter", tmp_path)


@pytest.mark.slow
def test_digit_classifier_resumes(resumes):
    whole = digit_classifier.DIGIT_CLASSIFIER
    config = dataclasses.replace(whole.config, channels=(8, 8, 8), features=4)
    tiny = dataclasses.replace(whole, config=config, steps=7, warmup_steps=2)
    resumes(tiny, digit_classifier, "random_affine")


@pytest.fixture
def trained(use_recipes, tmp_path, monkeypatch):
    recipes.train("painter", steps=1, folder=tmp_path, progress=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_sample_images_depend_on_the_seed(trained):
    first, again, other = (
        recipes.sample_by_name("painter", 5, seed=seed, folder=trained)
        for seed in (0, 0, 1)
    )
    assert first.shape == (5, 4, 6)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("colours", [0, 1])
@pytest.mark.parametrize("count", [1, 7, 23])
def test_sample_command_draws_rows_of_ten(
    command, use_recipes, trained, count, colours
):
    use_recipes(PainterRecipe(colours=colours))
    out = trained / "new folder" / "grid.png"
    arguments = ["sample", "painter", "--folder", trained, "--count", count]
    arguments += ["--seed", 3, "--out", out]
    new = f"The folder {out.parent} is created.\n"
    assert command(*arguments) == (0, f"The images are in {out}.\n", new)
    gap = 2 if count > 1 else 0
    images = recipes.sample_by_name("painter", count, seed=3, folder=trained)
    with Image.open(out) as page:
        scale = 84 // 4
        assert page.size == (
            min(count, 10) * (6 * scale + gap) + gap,
            -(-count // 10) * (4 * scale + gap) + gap,
        )
        for number, image in enumerate(images):
            for row, column in ((0, 0), (3, 5), (2, 1)):
                middle = gap + scale // 2
                across = number % 10 * (6 * scale + gap) + column * scale + middle
                down = number // 10 * (4 * scale + gap) + row * scale + middle
                pixel = image[..., row, column].expand(3).mul(255).round().int()
                assert list(page.getpixel((across, down))) == pixel.tolist()
    before = out.read_bytes()
    assert command(*arguments)[0] == 0
    assert out.read_bytes() == before
    assert [path.name for path in out.parent.iterdir()] == ["grid.png"]


def test_sample_command_names_the_picture_after_the_model(command, trained):
    done = (0, "The images are in painter.png.\n", "")
    assert command("sample", "painter", "--folder", trained) == done
    assert (trained / "painter.png").is_file()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            ["prompt=a cat"],
            "painter has no option prompt; its options are digit, guidance.",
        ),
        (["steps=5"], "painter has no option steps; its options are"),
        (["top_p=0.5"], "painter has no option top_p; its options are"),
        (["digit=7"], "digit must be from 0 to 5, got 7."),
        (["digit=1.5"], "digit must be an integer, got '1.5'; its options are"),
        (["guidance=strong"], "guidance must be a number, got 'strong'"),
        (["digit=1", "digit=2"], "The option digit is given twice."),
        (["digit"], "Options are written key=value, got 'digit'; its options are"),
        (["--digit", "7"], "No such option: --digit"),
        (["--count", "0"], "--count"),
        (["guidance=nan"], "the images are not finite"),
        (["--out", "grid.jpg"], "--out must end in .png, got grid.jpg."),
    ],
)
def test_sample_command_explains_unknown_options(command, trained, wrong, said):
    code, output, errors = command("sample", "painter", "--folder", trained, *wrong)
    assert (code, output) == (2, "")
    assert re.fullmatch(r"genai-tutorial: \S[^\n]*\n", errors)
    assert said in errors
    assert not list(trained.glob("*.png"))


def test_sample_command_says_that_a_model_makes_nothing(command):
    code, output, errors = command("sample", "digit-classifier")
    assert (code, output) == (2, "")
    assert "makes nothing that could be sampled: it is a network" in errors


def test_sample_refuses_the_wrong_kind(trained):
    with pytest.raises(ValueError, match="count must be at least 1, got 0"):
        recipes.sample_by_name("painter", 0, folder=trained)
    with pytest.raises(ValueError, match=r"digit must be an integer, got 1\.5"):
        recipes.sample_by_name("painter", digit=1.5, folder=trained)
    with pytest.raises(ValueError, match="digit must be an integer, got True"):
        recipes.sample_by_name("painter", digit=True, folder=trained)
    with pytest.raises(ValueError, match="painter has no option prompt"):
        recipes.sample_by_name("painter", prompt="a cat", folder=trained)


def test_sample_images_refuses_a_language_model():
    with pytest.raises(ValueError, match="shakespeare draws no images"):
        recipes.sample_by_name("shakespeare")


def test_summary_is_printed_by_doctor_and_train(
    command, use_recipes, tmp_path, monkeypatch
):
    monkeypatch.setattr("genai_tutorial.recipes.trained_folder", lambda: tmp_path)
    code, output, _ = command("train", "painter", "--folder", tmp_path)
    assert code == 0
    assert "Measured: 9 things seen.\n" in output
    assert f'Try it: genai-tutorial sample painter --folder "{tmp_path}"' in output
    from genai_tutorial.cli.doctor import examine_models

    told = [finding.what for finding in examine_models()]
    assert told[-1] == f"painter (trained here, in {tmp_path}): 9 things seen"


DRAWING = [
    chosen.name
    for chosen in recipes.catalogue.RECIPES
    if chosen.published and chosen.makes == "images"
]


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWING)
def test_sample_images_works_for_every_published_model(name):
    known = {field.name for field in fields(recipes.recipe(name).options)}
    values = {"digit": 7, "steps": 2, "guidance": 1.0, "prompt": "a red circle"}
    options = {key: value for key, value in values.items() if key in known}
    images = recipes.sample_by_name(name, 2, **options)
    assert len(images) == 2
    assert 0 <= images.min() < images.max() <= 1
    assert not torch.equal(images[0], images[1])
    if "digit" in known:
        with pytest.raises(ValueError, match="digit must be from 0 to 9, got 10"):
            recipes.sample_by_name(name, 1, digit=10)
    if "steps" in known:
        with pytest.raises(ValueError, match="steps must be"):
            recipes.sample_by_name(name, 1, **options | {"steps": 0})
