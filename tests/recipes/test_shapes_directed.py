"""The recipes of the ControlNet and the editor: training, loading, untrained models."""

from dataclasses import replace

import pytest
import torch

from genai_tutorial.recipes import load, name_objects
from genai_tutorial.recipes.shapes_directed import SHAPES_CONTROL, SHAPES_EDITOR
from genai_tutorial.tasks.shapes import Scene, SceneObject, load_shapes, outlines
from tests.recipes.conftest import run_recipe


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [SHAPES_CONTROL, SHAPES_EDITOR])
def test_first_loss_is_the_painters_and_the_result_fits_the_file(recipe, tmp_path):
    small = replace(recipe, examples=80, batch_size=32, steps=2, warmup_steps=0)
    trained = run_recipe(small, tmp_path)
    # the painter's own loss; half-trained models are far above
    assert 0.05 < trained.notes["losses"][0] < 0.45
    recipe.build().load_state_dict(trained.model.state_dict())
    assert recipe.wrap(trained.model.eval(), {})[0] is trained.model


@pytest.mark.slow
def test_control_net_trains_all_its_weights_and_none_of_the_painters(tmp_path):
    small = replace(SHAPES_CONTROL, examples=80, batch_size=16, steps=4, warmup_steps=0)
    trained = run_recipe(small, tmp_path)
    painter = load("shapes-latent").model
    start = SHAPES_CONTROL.build()
    start.copy_from(painter.network)
    for part in ("middle_zero", "skip_zeros", "middle", "stem", "hint"):
        pairs = zip(
            getattr(trained.model, part).parameters(),
            getattr(start, part).parameters(),
            strict=True,
        )
        assert any(not torch.equal(one, other) for one, other in pairs), part


@pytest.mark.slow
def test_scale_zero_draws_what_the_painter_draws():
    loaded = load("shapes-control")
    shapes = load_shapes(3, 5, objects=(1,))
    captions = [name_objects(scene) for scene in shapes.scenes]
    hints = outlines(shapes.images)
    drawn = loaded.draw(captions, hints, seed=0, scale=0)
    plain = loaded.painter.draw(captions, steps=15, guidance=2.0, seed=0)
    assert (drawn - plain).abs().max() < 1e-5
    other = loaded.draw(captions, hints, seed=0)
    assert (other - plain).abs().max() > 0.1


def test_names_of_objects_have_articles_and_no_positions():
    scene = Scene(
        (SceneObject("orange", "circle", 0, 0, 8), SceneObject("red", "cross", 9, 9, 8))
    )
    assert name_objects(scene) == "an orange circle and a red cross"
