"""Schedules and samplers against diffusers' schedulers: coefficients, single steps, and
whole trajectories.

Their scheduler is handed one output of the model at a time; ours asks the model itself.
Both get the same model, a fixed function that is no denoiser at all, and the same
noise. Everything is computed in double precision.
"""

from itertools import pairwise

import diffusers
import pytest
import torch

from genai_tutorial import diffusion
from genai_tutorial.diffusion import FLOW, IMAGE, NOISE, VELOCITY, Denoiser
from tests.drawn import normal
from tests.parity.weights import same

# They turn tensors into arrays in a way that NumPy 2 warns about.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

SHAPE = (2, 3, 8, 8)
SCHEDULES = {
    "linear": (
        diffusion.linear_schedule(1000),
        {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02},
    ),
    "scaled linear": (
        diffusion.scaled_linear_schedule(1000),
        {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    ),
    "cosine": (diffusion.cosine_schedule(1000), {"beta_schedule": "squaredcos_cap_v2"}),
}
PREDICTIONS = {"epsilon": NOISE, "sample": IMAGE, "v_prediction": VELOCITY}


def model(x, t, condition=None):
    """A smooth, bounded stand-in for a network that depends on timestep and pixel."""
    return torch.sin(3 * x + t.to(x.dtype).view(-1, 1, 1, 1) / 100) + 0.3 * x.flip(-1)


def start(seed):
    return normal(*SHAPE, seed=seed, dtype=torch.float64)


def seeded():
    return torch.Generator().manual_seed(7)


def pair(kind, name, steps, **settings):
    """A schedule of ours, and their scheduler for it, in double precision."""
    schedule, theirs = SCHEDULES[name]
    settings = {"timestep_spacing": "trailing"} | theirs | settings
    scheduler = theirs_in_double(getattr(diffusers, kind)(1000, **settings), schedule)
    scheduler.set_timesteps(steps)
    assert scheduler.timesteps.tolist() == schedule.timesteps(steps)
    scheduler.final_alpha_cumprod = torch.ones((), dtype=torch.float64)
    return schedule, scheduler


def theirs_in_double(scheduler, schedule):
    """Replace their single-precision tables by ours in double precision, so that the
    formulas are compared.
    """
    ours = schedule.alpha_bar.float()
    same(scheduler.alphas_cumprod, ours, rtol=2e-5, atol=1e-7)
    scheduler.alphas_cumprod = schedule.alpha_bar.clone()
    scheduler.alphas, scheduler.betas = schedule.alphas.clone(), schedule.betas.clone()
    scheduler.one = torch.ones((), dtype=torch.float64)
    if hasattr(scheduler, "alpha_t"):
        scheduler.alpha_t = schedule.alpha_bar.sqrt()
        scheduler.sigma_t = (1 - schedule.alpha_bar).sqrt()
        scheduler.lambda_t = scheduler.alpha_t.log() - scheduler.sigma_t.log()
    return scheduler


def their_trajectory(scheduler, x, **settings):
    """Return each state of x of their scheduler, from noise to image."""
    states = []
    for t in scheduler.timesteps:
        scaled = scheduler.scale_model_input(x, t)
        output = model(scaled, t.double().expand(len(x)))
        x = scheduler.step(output, t, x, return_dict=False, **settings)[0]
        states.append(x)
    return states


def assert_same(ours, theirs, tolerance=1e-5):
    ours = [step.x for step in ours]
    assert len(ours) == len(theirs)
    for number, (mine, reference) in enumerate(zip(ours, theirs, strict=True)):
        scale = reference.abs().max().item()
        difference = (mine - reference).abs().max().item()
        assert difference <= tolerance * max(1.0, scale), (
            f"step {number} differs by {difference} at a scale of {scale}"
        )


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name):
    schedule, settings = SCHEDULES[name]
    scheduler = diffusers.DDPMScheduler(1000, **settings)
    ours = schedule.alpha_bar.float()
    same(scheduler.alphas_cumprod, ours, rtol=2e-5, atol=1e-7)
    x0, noise, t = start(1), start(2), torch.tensor([3, 950])
    found = schedule.add_noise(x0, noise, t.float())
    same(found, scheduler.add_noise(x0, noise, t), rtol=0)
    levels = schedule.levels(t.float(), x0)
    found = VELOCITY.target(diffusion.Denoised(x0, noise), levels)
    same(found, scheduler.get_velocity(x0, noise, t), rtol=0)


@pytest.mark.parametrize("name", ["linear", "scaled linear"])
def test_zero_terminal_snr(name):
    schedule, settings = SCHEDULES[name]
    scheduler = diffusers.DDIMScheduler(1000, rescale_betas_zero_snr=True, **settings)
    cured = diffusion.zero_terminal_snr(schedule).alpha_bar.float()
    same(scheduler.alphas_cumprod, cured, rtol=2e-5, atol=1e-6)
    assert scheduler.alphas_cumprod[-1] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "steps"),
    [("epsilon", 20), ("sample", 20), ("v_prediction", 20), ("epsilon", 1000)],
)
@pytest.mark.parametrize("name", SCHEDULES)
def test_ddpm(name, kind, steps):
    schedule, scheduler = pair(
        "DDPMScheduler", name, steps, clip_sample=False, prediction_type=kind
    )
    theirs = their_trajectory(scheduler, start(0), generator=seeded())
    denoise = Denoiser(model, schedule, PREDICTIONS[kind])
    times = schedule.timesteps(steps)
    assert_same(diffusion.ddpm(denoise, start(0), times, seeded()), theirs)


@pytest.mark.parametrize("kind", PREDICTIONS)
@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("name", SCHEDULES)
def test_ddim(name, eta, kind):
    schedule, scheduler = pair(
        "DDIMScheduler", name, 50, clip_sample=False, prediction_type=kind
    )
    theirs = their_trajectory(scheduler, start(0), generator=seeded(), eta=eta)
    denoise = Denoiser(model, schedule, PREDICTIONS[kind])
    ours = diffusion.ddim(
        denoise, start(0), schedule.timesteps(50), eta=eta, generator=seeded()
    )
    assert_same(ours, theirs)


def test_ddim_with_a_limit():
    schedule, scheduler = pair("DDIMScheduler", "linear", 50, clip_sample=True)
    theirs = their_trajectory(scheduler, start(0), use_clipped_model_output=True)
    denoise = Denoiser(model, schedule, NOISE, limit=1.0)
    assert_same(diffusion.ddim(denoise, start(0), schedule.timesteps(50)), theirs)


def test_ddim_from_pure_noise():
    schedule, scheduler = pair(
        "DDIMScheduler", "linear", 50, clip_sample=False, prediction_type="v_prediction"
    )
    cured = diffusion.zero_terminal_snr(schedule)
    scheduler.alphas_cumprod = cured.alpha_bar.clone()
    theirs = their_trajectory(scheduler, start(0))
    denoise = Denoiser(model, cured, VELOCITY)
    assert_same(diffusion.ddim(denoise, start(0), cured.timesteps(50)), theirs)


@pytest.mark.parametrize("kind", PREDICTIONS)
@pytest.mark.parametrize("steps", [10, 25])
@pytest.mark.parametrize("name", SCHEDULES)
def test_dpm_solver(name, steps, kind):
    schedule, scheduler = pair(
        "DPMSolverMultistepScheduler", name, steps, algorithm_type="dpmsolver++",
        solver_order=2, prediction_type=kind,
    )  # fmt: skip
    times = schedule.timesteps(steps)
    sigmas = [schedule.sigmas[int(t)] for t in times]
    scheduler.sigmas = torch.tensor([*sigmas, 0.0], dtype=torch.float64)
    theirs = their_trajectory(scheduler, start(0))
    denoise = Denoiser(model, schedule, PREDICTIONS[kind])
    assert_same(diffusion.dpm_solver(denoise, start(0), times), theirs)


@pytest.mark.parametrize("steps", [1, 4, 28])
def test_flow_euler(steps):
    times = diffusion.StraightPath().timesteps(steps)
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(1000, shift=1.0)
    # as the pipelines of Stable Diffusion 3 and FLUX do
    scheduler.set_timesteps(sigmas=times)
    sigmas = torch.tensor([*times, 0.0], dtype=torch.float64)
    same(scheduler.sigmas.double(), sigmas, rtol=0, atol=1e-6)
    scheduler.sigmas = sigmas
    x, theirs = start(0), []
    for t, sigma in zip(scheduler.timesteps, times, strict=True):
        output = model(x, torch.full((2,), sigma))
        x = scheduler.step(output, t, x, return_dict=False)[0].double()
        theirs.append(x)
    denoise = Denoiser(model, diffusion.StraightPath(), FLOW)
    assert_same(diffusion.flow_euler(denoise, start(0), times), theirs)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_mean_flow(steps):
    def average(x, r, t):
        return model(x, 100 * t) - r.view(-1, 1, 1, 1)

    scheduler = diffusers.FlowMapEulerDiscreteScheduler()
    scheduler.set_timesteps(steps)
    x, times = start(0), [*scheduler.timesteps, torch.tensor(0.0)]
    for later, earlier in pairwise(times):
        r, t = (torch.full((2,), time / 1000) for time in (earlier, later))
        x = scheduler.step(average(x, r, t), later, x, earlier).prev_sample.double()
    same(diffusion.mean_flow(average, start(0), steps), x, rtol=0, atol=1e-6)


# --- The numbers in diffusers' own tests ----------------------------------------------
