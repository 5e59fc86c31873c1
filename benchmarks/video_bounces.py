"""Films that bounce: a task on which two frames, continued straight on, err.

A small red circle moves as in the films of chapter 17, and turns round where it touches
the border. Two frames are given, six are predicted. A small network learns it in latent
space from films that touch the left, the right and the lower wall, never the upper one.
It is tested on films that it has not seen, in which the circle turns round after the
two given frames: at walls that training touched, and at the upper one.

Beside it stand rules: an object that stands still; the last two frames continued
straight on (the caption's velocity gives the same path); the training film whose first
two frames are nearest, in latent space; the one that is nearest in its first place and
in its step to the second frame; and `reflect`, which knows the walls. The
published model `shapes-video`, which has never seen a bounce, completes the same films.

    # about two minutes on one core
    OMP_NUM_THREADS=1 python benchmarks/video_bounces.py --folder runs

Finished seeds are kept in the folder and are not repeated.
"""

from functools import partial

import torch
from finished import command_line, kept
from torch import Tensor, nn

from genai_tutorial.recipes import load
from genai_tutorial.runtime import describe_machine, keep_record
from genai_tutorial.tasks.motion import FRAMES, MOTIONS, Motion, track
from genai_tutorial.tasks.shapes import Scene, SceneObject, render

SEEDS, STEPS, BATCH, WIDTH, TESTED, KNOWN = (0, 1, 2, 3, 4), 1500, 64, 256, 60, 2
LOW, HIGH, DIAMETER = 1, 23, 8
"""The first and the last place of the circle, in pixels from the border."""

SIDE = HIGH - LOW + 1
EXAMPLES = {
    "walls of training": (Motion("right", "fast"), (16, 12)),
    "upper wall": (Motion("up", "fast"), (12, 8)),
}
"""A film for the figure, of each kind: motion and first place."""


def reflect(place: float, low: float, high: float) -> float:
    """Return where a straight path between two walls has come to.

    >>> [reflect(place, 1, 23) for place in (21, 23, 25, 45, 47)]
    [21, 23, 21, 1, 3]
    """
    lap = (place - low) % (2 * (high - low))
    return low + min(lap, 2 * (high - low) - lap)


def reflect_centre(place: float) -> float:
    """Return where the circle's centre has come to."""
    return reflect(place, LOW + DIAMETER / 2, HIGH + DIAMETER / 2)


def all_films() -> tuple[Tensor, list[tuple[Motion, int]]]:
    """Return the places of the circle in all films, of shape (film, frame, 2), and for
    each film its motion and the first frame beyond a wall if the path went straight on
    (`FRAMES` if there is none).
    """
    paths, about = [], []
    for motion in MOTIONS:
        right, down = motion.velocity
        for left in range(LOW, HIGH + 1):
            for top in range(LOW, HIGH + 1):
                straight = [
                    [left + right * frame, top + down * frame]
                    for frame in range(FRAMES)
                ]
                inside = [all(LOW <= at <= HIGH for at in place) for place in straight]
                about.append((motion, [*inside, False].index(False)))
                paths.append(
                    [[reflect(at, LOW, HIGH) for at in place] for place in straight]
                )
    return torch.tensor(paths), about


def circle_latents(autoencoder: nn.Module) -> Tensor:
    """Return the latents of the circle at each place, of shape (place, 256)."""
    places = range(LOW, HIGH + 1)
    scenes = [
        Scene((SceneObject("red", "circle", left, top, DIAMETER),))
        for left in places
        for top in places
    ]
    with torch.no_grad():
        latents = autoencoder.to_latents(
            render(scenes), torch.Generator().manual_seed(0)
        )
    return latents.flatten(1)


def nearest_motion(known: Tensor, films: Tensor) -> Tensor:
    """Return the index of the training film with the nearest first place and step,
    for known places (film, 2, 2). Steps weigh ten times as much.
    """
    keys = [
        torch.cat((places[:, 0], 10 * (places[:, 1] - places[:, 0])), dim=1).double()
        for places in (known, films)
    ]
    return torch.cdist(*keys).argmin(dim=1)


def train(films: Tensor, seed: int, steps: int) -> nn.Module:
    """Train the network on the latents of films, (film, frame, 256)."""
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Linear(KNOWN * 256, WIDTH),
        nn.ReLU(),
        nn.Linear(WIDTH, WIDTH),
        nn.ReLU(),
        nn.Linear(WIDTH, (FRAMES - KNOWN) * 256),
    )
    optimizer = torch.optim.AdamW(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        batch = films[torch.randint(len(films), (BATCH,), generator=generator)]
        output = network(batch[:, :KNOWN].flatten(1))
        loss = (output - batch[:, KNOWN:].flatten(1)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


def centres(frames: Tensor, last: Tensor) -> tuple[Tensor, int]:
    """Return the centres that the verifier reads, (film, frame, 2), and in how many
    frames there is no object; it then counts as standing at its last known place.
    """
    read = [[thing and thing.centre for thing in film.things] for film in track(frames)]
    lost = sum(centre is None for film in read for centre in film)
    places = [
        [centre or tuple(known.tolist()) for centre in film]
        for film, known in zip(read, last, strict=True)
    ]
    return torch.tensor(places), lost


def measure(latents: Tensor, autoencoder: nn.Module, steps: int, seed: int) -> dict:
    """Train with one seed, and test the network and the rules at both kinds of wall."""
    paths, about = all_films()
    rows = (paths[..., 0] - LOW) * SIDE + paths[..., 1] - LOW
    upper = torch.tensor([m.direction == "up" and hit < FRAMES for m, hit in about])
    late = torch.tensor([KNOWN < hit <= KNOWN + 3 for _, hit in about])
    generator = torch.Generator().manual_seed(seed)
    held_out = torch.rand(len(rows), generator=generator) < 0.2
    shown = {
        kind: next(
            i
            for i, (motion, _) in enumerate(about)
            if motion == wanted and tuple(paths[i, 0].tolist()) == start
        )
        for kind, (wanted, start) in EXAMPLES.items()
    }
    held_out[list(shown.values())] = True
    training = (~upper & ~held_out).nonzero()[:, 0]
    network = train(latents[rows[training]], seed, steps)
    measured = []
    for kind, tested in (
        ("walls of training", ~upper & held_out & late),
        ("upper wall", upper & late),
    ):
        chosen = tested.nonzero()[:, 0]
        order = torch.randperm(len(chosen), generator=generator)[: TESTED - 1]
        chosen = torch.cat((torch.tensor([shown[kind]]), chosen[order]))
        seen = latents[rows[chosen, :KNOWN]].flatten(1)
        with torch.no_grad():
            drawn = network(seen).view(-1, 4, 8, 8)
            frames = autoencoder.to_images(drawn).unflatten(0, (len(chosen), -1))
        known, true = (
            part.double() + DIAMETER / 2
            for part in (paths[chosen, :KNOWN], paths[chosen, KNOWN:])
        )
        places, lost = centres(frames, known[:, -1])
        step = known[:, -1:] - known[:, -2:-1]
        straight = known[:, -1:] + step * torch.arange(1, FRAMES - KNOWN + 1)[:, None]
        reflected = straight.clone().apply_(reflect_centre)
        distance = torch.cdist(seen, latents[rows[training, :KNOWN]].flatten(1))
        nearest = training[distance.argmin(dim=1)]
        alike = nearest_motion(paths[chosen, :KNOWN], paths[training, :KNOWN])
        guesses = {
            "network": places,
            "stands still": known[:, -1:].expand_as(true),
            "straight on": straight,
            "nearest training film": paths[nearest, KNOWN:] + DIAMETER / 2,
            "nearest, same motion": paths[training[alike], KNOWN:] + DIAMETER / 2,
            "reflects at the walls": reflected,
        }
        errors = {
            name: round((guess - true).norm(dim=2).mean().item(), 4)
            for name, guess in guesses.items()
        }
        axis = 0 if kind == "walls of training" else 1
        measured.append(
            {
                "seed": seed,
                "walls": kind,
                "films": len(chosen),
                "trained_on": len(training),
                "lost_frames": lost,
                **errors,
                "example": [round(at, 2) for at in places[0, :, axis].tolist()],
                "example_true": (paths[chosen[0], :, axis] + DIAMETER / 2).tolist(),
            }
        )
    return {"rows": measured}


def published(latents: Tensor, films: int) -> dict:
    """Let the published model complete such films, with their captions."""
    model = load("shapes-video")
    paths, about = all_films()
    rows = (paths[..., 0] - LOW) * SIDE + paths[..., 1] - LOW
    measured = []
    for kind in EXAMPLES:
        tested = [
            i
            for i, (motion, hit) in enumerate(about)
            if KNOWN < hit <= KNOWN + 3
            and (motion.direction == "up") == (kind == "upper wall")
        ]
        order = torch.randperm(len(tested), generator=torch.Generator().manual_seed(9))
        chosen = torch.tensor(tested)[order[:films]]
        with torch.no_grad():
            given = model.to_films(
                latents[rows[chosen, :KNOWN]].unflatten(2, (4, 8, 8))
            )
        captions = [f"a small red circle {about[i][0].text()}" for i in chosen]
        drawn = model.continue_films(given, captions, steps=15, guidance=2.0, seed=2)
        known = paths[chosen, KNOWN - 1] + DIAMETER / 2
        places, lost = centres(drawn[:, KNOWN:], known)
        true = paths[chosen, KNOWN:] + DIAMETER / 2
        measured.append(
            {
                "walls": kind,
                "films": films,
                "lost_frames": lost,
                "error": round((places - true).norm(dim=2).mean().item(), 4),
                "stands still": round(
                    (known[:, None] - true).norm(dim=2).mean().item(), 4
                ),
            }
        )
    return {"rows": measured}


def main() -> None:
    arguments = command_line(__doc__, SEEDS).parse_args()
    autoencoder = load("shapes-latent").autoencoder
    latents = circle_latents(autoencoder)
    steps, films = (20, 4) if arguments.smoke else (STEPS, 40)
    rows = []
    for seed in arguments.seeds:
        compute = partial(measure, latents, autoencoder, steps, seed)
        rows += kept(arguments.folder / f"network_{seed}.json", compute)["rows"]
    compute = partial(published, latents, films)
    model_rows = kept(arguments.folder / "published.json", compute)["rows"]
    if not arguments.smoke:
        keep_record(
            "video_bounces",
            {
                "task": f"two frames known, {STEPS} steps of {BATCH} films",
                "machine": describe_machine(),
                "rows": rows,
                "published": model_rows,
            },
        )


if __name__ == "__main__":
    main()
