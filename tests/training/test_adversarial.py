import pytest
import torch

from genai_tutorial.gan import (
    NON_SATURATING,
    WASSERSTEIN,
    AdversarialLoss,
    PointDiscriminator,
    PointGenerator,
    gradient_penalty,
    r1_penalty,
)
from genai_tutorial.training import (
    EMA,
    Checkpoint,
    Players,
    Schedule,
    TensorBatches,
    discriminator_step,
    draw_noise,
    fit_adversarial,
)
from genai_tutorial.training.adversarial import generator_step


def points(count=512):
    return torch.randn(
        count, 2, generator=torch.Generator().manual_seed(9)
    ) + torch.tensor([3.0, 0.0])


def play(
    steps,
    *,
    seed=0,
    loss=NON_SATURATING,
    path=None,
    every=5,
    batches=None,
    ema=False,
    lr=2e-3,
    penalty=None,
    penalty_every=1,
    **settings,
):
    generator, discriminator = (
        PointGenerator(width=16, seed=seed),
        PointDiscriminator(width=16, seed=seed + 1),
    )
    optimizers = [
        torch.optim.Adam(net.parameters(), lr=lr, betas=(0.5, 0.99))
        for net in (generator, discriminator)
    ]
    noise = torch.Generator().manual_seed(seed)
    average = EMA(generator, decay=0.9) if ema else None
    players = Players(
        generator, discriminator, loss, *optimizers, noise, penalty, penalty_every
    )
    history = fit_adversarial(
        players,
        TensorBatches((points(),), batch_size=64, seed=seed)
        if batches is None
        else batches,
        steps=steps,
        ema=average,
        checkpoint=None if path is None else Checkpoint(path, every=every),
        progress=False,
        **settings,
    )
    return generator, discriminator, history, average


def same(first, second):
    return all(
        torch.equal(*pair)
        for pair in zip(
            first.state_dict().values(), second.state_dict().values(), strict=True
        )
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_fit_adversarial_matches_the_data_distribution(seed):
    settings = {
        "penalty": lambda discriminator, real, _: r1_penalty(discriminator, real),
        "schedule": Schedule(400),
    }
    _, _, history, ema = play(400, seed=seed, lr=5e-3, ema=True, **settings)
    made = ema.model(draw_noise(ema.model, 2000, torch.Generator().manual_seed(1)))
    assert (made.mean(dim=0) - torch.tensor([3.0, 0.0])).norm() < 0.3
    assert made.std(dim=0).min() > 0.5  # a cloud, not a point
    assert len(history.generator_losses) == len(history.discriminator_losses) == 400
    assert history.seconds > 0


def test_adversarial_steps_update_one_player_each():
    generator, discriminator = PointGenerator(), PointDiscriminator()
    before = [
        {name: weight.clone() for name, weight in net.state_dict().items()}
        for net in (generator, discriminator)
    ]
    noise = torch.Generator().manual_seed(0)

    def moved(net, old):
        return any(
            not torch.equal(weight, old[name])
            for name, weight in net.state_dict().items()
        )

    optimizer = torch.optim.SGD(discriminator.parameters(), lr=0.1)
    discriminator_step(
        generator, discriminator, points(8), (), NON_SATURATING, optimizer, noise
    )
    assert (moved(generator, before[0]), moved(discriminator, before[1])) == (
        False,
        True,
    )
    between = {
        name: weight.clone() for name, weight in discriminator.state_dict().items()
    }
    optimizer = torch.optim.SGD(generator.parameters(), lr=0.1)
    generator_step(generator, discriminator, 8, (), NON_SATURATING, optimizer, noise)
    assert (moved(generator, before[0]), moved(discriminator, between)) == (True, False)
    assert all(parameter.requires_grad for parameter in discriminator.parameters())


def test_discriminator_step_equals_the_step_by_hand():
    generator, discriminator = PointGenerator(), PointDiscriminator()
    real, noise = points(8), torch.Generator().manual_seed(4)
    fake = generator(
        torch.randn(8, 2, generator=torch.Generator().manual_seed(4))
    ).detach()
    expected = (
        NON_SATURATING.discriminator(discriminator(real), discriminator(fake)) + 3.0
    )
    gradients = torch.autograd.grad(expected, list(discriminator.parameters()))
    weights = [
        weight.detach() - 0.1 * gradient
        for weight, gradient in zip(discriminator.parameters(), gradients, strict=True)
    ]
    loss = discriminator_step(
        generator,
        discriminator,
        real,
        (),
        NON_SATURATING,
        torch.optim.SGD(discriminator.parameters(), lr=0.1),
        noise,
        penalty=lambda *_: torch.tensor(3.0),
    )
    assert loss == pytest.approx(expected.item() - 3.0, rel=1e-5)
    torch.testing.assert_close(list(discriminator.parameters()), weights)


def test_penalty_every_multiplies_the_penalty_by_the_interval():
    slopes = []

    def penalty(discriminator, real, fake):
        value = r1_penalty(discriminator, real)
        slopes.append(value.item())
        return value

    lazy = play(9, penalty=penalty, penalty_every=4)[1]
    assert len(slopes) == 3  # at steps 0, 4 and 8
    first_heavy = play(1, penalty=lambda d, real, fake: 4 * r1_penalty(d, real))[1]
    assert same(play(1, penalty=penalty, penalty_every=4)[1], first_heavy)
    assert not same(play(1, penalty=penalty)[1], first_heavy)
    assert not same(lazy, play(9)[1])


def test_watch_does_not_change_the_run():
    steps = []
    watched = play(10, watch=steps.append)[0]
    assert steps == list(range(11))
    assert same(watched, play(10)[0])


def test_ema_follows_the_generator():
    generator, _, _, ema = play(30, ema=True)
    assert ema.updates == 30
    assert not same(generator, ema.model)
    assert same(generator, play(30)[0])


def test_schedule_sets_both_learning_rates():
    still = play(5, schedule=lambda step: 0.0)
    start = play(1, lr=0.0)
    assert same(still[0], start[0])
    assert same(still[1], start[1])
    assert not same(play(5, schedule=Schedule(5))[0], play(5)[0])


def test_fit_adversarial_resumes_to_the_same_weights(tmp_path):
    settings = {
        "loss": WASSERSTEIN,
        "ema": True,
        "penalty_every": 3,
    }
    settings["schedule"] = Schedule(20)

    def run(steps, path=None):
        # a new one each time: it is not part of the checkpoint
        places = torch.Generator().manual_seed(0)

        def penalty(d, real, fake):
            return gradient_penalty(d, real, fake, generator=places.manual_seed(0))

        return play(steps, path=path, penalty=penalty, **settings)

    whole = run(20)
    run(13, tmp_path / "run.safetensors")
    resumed = run(20, tmp_path / "run.safetensors")
    for part in (0, 1):
        assert same(whole[part], resumed[part])
    assert same(whole[3].model, resumed[3].model)
    assert whole[2].generator_losses == resumed[2].generator_losses
    assert whole[2].discriminator_losses == resumed[2].discriminator_losses


def test_fit_adversarial_refuses_the_checkpoint_of_another_run(tmp_path):
    play(2, path=tmp_path / "run.safetensors")
    with pytest.raises(ValueError, match="has no average, and this run needs one"):
        play(4, path=tmp_path / "run.safetensors", ema=True)
    with pytest.raises(ValueError, match="from a run with the schedule None"):
        play(4, path=tmp_path / "run.safetensors", schedule=Schedule(4))


def test_fit_adversarial_stops_when_a_loss_is_not_finite():
    endless = AdversarialLoss(
        lambda real, fake: real.mean() * float("inf"), NON_SATURATING.generator
    )
    with pytest.raises(FloatingPointError, match="At step 1 the losses are"):
        play(3, loss=endless)


def test_fit_adversarial_refuses_bad_settings(tmp_path):
    with pytest.raises(ValueError, match="penalty_every must be at least 1, got 0"):
        play(3, penalty_every=0)
    with pytest.raises(ValueError, match="at least one step, got 0"):
        play(0)
    with pytest.raises(ValueError, match="ran out after 1 steps of 3"):
        play(3, batches=iter([(points(4),)]))
    with pytest.raises(ValueError, match="only if its batches can"):
        play(3, batches=iter([(points(4),)]), path=tmp_path / "run.safetensors")
