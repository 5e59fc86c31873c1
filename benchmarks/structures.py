"""Molecules in space, peptides and crystals: what chapter 29 does not measure live.

For each seed:

- ruler: the ruler's scores of held-out molecules, of the same with noise or with random
  elements, and of an untrained network;
- live: the equivariant network and a plain Transformer with random rotations, trained
  for the same processor time;
- steps: samples of the published model with 10 to 200 steps, their novelty, and the
  hands of their amino acids beside those of the data;
- placed: AlphaFold 3's diffusion module in small;
- etkdg: RDKit's placement of the same molecules, told the hands or not, with the errors
  of both atom by atom, with equivalent atoms exchanged, and with either hand;
- peptides: a model with labels, a judge, and their controls; the split by clusters
  beside a random one;
- crystals: charge balance, formulas of a language model, the energy forest and what it
  likes best, distances and symmetry.

    OMP_NUM_THREADS=1 python benchmarks/structures.py --folder runs --seeds 0 1 2

About five minutes per seed on one quiet core. Finished parts are kept in the folder and
not repeated. `--smoke` runs a small version and keeps no record.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache, partial

import torch
from crystal_symmetry import shaken, space_group
from formula_model import (
    EnergyForest,
    fits_model,
    formula_key,
    train_formula_model,
    write_formulas,
)
from torch import nn

from genai_tutorial.data import (
    HEAVY_ELEMENTS,
    Compound,
    Ligand,
    graph_key,
    load_compounds,
    load_crystals,
    load_ligand_split,
    load_peptide_split,
    load_peptides,
)
from genai_tutorial.recipes import held_out_molecule_loss, load
from genai_tutorial.runtime import keep_record, run_parts
from genai_tutorial.science.crystals import (
    closest_distance,
    has_anion,
    is_charge_balanced,
    random_positions,
    scrambled_compounds,
)
from genai_tutorial.science.peptides import (
    STUTTERS,
    PeptideJudge,
    flipped,
    measure_peptides,
    peptide_loss,
    shuffled,
    train_peptide_model,
    write_peptides,
)
from genai_tutorial.science.structures import (
    AtomTransformer,
    EquivariantConfig,
    EquivariantNetwork,
    Geometry,
    StructureNetwork,
    accepted_smiles,
    aligned_rmsd,
    alpha_carbon_hands,
    bond_pairs,
    draw_sizes,
    equivariance_error,
    expert_positions,
    judge_structure,
    judge_structures,
    molecule_loss,
    noised,
    place_atoms,
    random_rotations,
    sample_molecules,
    shuffled_elements,
    structure_loss,
    symmetric_rmsd,
    to_graphs,
    to_positions,
    to_table,
)
from genai_tutorial.science.structures.diffusion import rotate
from genai_tutorial.training import (
    EMA,
    OptimizerSettings,
    TensorBatches,
    build_optimizer,
    scale_learning_rates,
    train_step,
)

LIVE_SECONDS, PLACED_STEPS = 30.0, 600
NOISES = (0.05, 0.1, 0.2, 0.3)
STEP_COUNTS = (10, 20, 50, 200)
PREDICTIONS = 5  # as many structures as AlphaFold 3 draws
OPTIMIZER = OptimizerSettings(
    matrix_lr=0.02, head_lr=0.005, vector_lr=0.005, betas=(0.9, 0.99)
)

split = cache(load_ligand_split)


def scores(molecules: Sequence[Ligand | Geometry]) -> dict:
    """Return the ruler's scores, and the share that RDKit accepts."""
    accepted = sum(accepted_smiles(molecule) is not None for molecule in molecules)
    return asdict(judge_structures(molecules)) | {"accepted": accepted / len(molecules)}


def train_for(
    model: nn.Module,
    batches: TensorBatches,
    loss: Callable,
    budget: float,
    evaluate: Callable[[nn.Module], float],
    *,
    in_steps: bool = False,
) -> tuple[nn.Module, dict]:
    """Train for so many seconds of processor time, or so many steps, and return the
    average of the weights with the held-out loss after each quarter.
    """
    optimizer, average = build_optimizer(model, OPTIMIZER), EMA(model, 0.99)
    curve, step, spent = [], 0, 0.0
    while spent < budget:
        start = time.process_time()
        scale_learning_rates(
            optimizer, min(1, (step + 1) / 50) * max(0.02, 1 - spent / budget)
        )
        train_step(model, next(batches), loss, optimizer)
        average.update(model)
        step += 1
        spent += 1 if in_steps else time.process_time() - start
        if spent >= budget * (len(curve) + 1) / 4:
            with torch.no_grad():
                curve.append([round(spent, 1), step, evaluate(average.model)])
    return average.model, {"steps": step, "held_out": curve}


def bond_agreement(molecules: Sequence[Ligand]) -> tuple[float, float]:
    """Return how well distances find the bonds that are known: the share of found bonds
    that are real (precision), and the share of real bonds that are found (recall).
    """
    counts: Counter[str] = Counter()
    for molecule in molecules:
        found = {tuple(pair) for pair in bond_pairs(molecule).tolist()}
        real = {tuple(sorted(pair)) for pair in molecule.bonds.tolist()}
        counts["found"] += len(found)
        counts["real"] += len(real)
        counts["both"] += len(found & real)
    return counts["both"] / counts["found"], counts["both"] / counts["real"]


def ruler(seed: int, small: bool) -> dict:
    held_out = split()[1][: 20 if small else None]
    generator = torch.Generator().manual_seed(seed)
    network = EquivariantNetwork(EquivariantConfig(len(HEAVY_ELEMENTS)), seed)
    sizes = draw_sizes(held_out, len(held_out), generator)
    precision, recall = bond_agreement(held_out)
    return {
        "bond_precision": precision,
        "bond_recall": recall,
        "real": scores(held_out),
        "noise": {
            str(sigma): scores(noised(held_out, sigma, generator)) for sigma in NOISES
        },
        "random_elements": scores(shuffled_elements(held_out, generator)),
        "untrained": scores(sample_molecules(network, sizes, 50, generator)),
    }


def rotated_molecule_loss(
    model: nn.Module, x: torch.Tensor, mask: torch.Tensor, *, generator: torch.Generator
) -> torch.Tensor:
    """Return `molecule_loss` of the molecules in random orientations: data augmentation
    for a network that is not equivariant.
    """
    x = rotate(x, random_rotations(len(x), generator))
    return molecule_loss(model, x, mask, generator=generator)


def live(seed: int, small: bool) -> dict:
    train, held_out = split()
    table, unseen = to_table(train), to_table(held_out)
    networks = {
        "equivariant": (
            EquivariantNetwork(EquivariantConfig(len(HEAVY_ELEMENTS)), seed),
            molecule_loss,
        ),
        "transformer": (
            AtomTransformer(len(HEAVY_ELEMENTS), seed=seed),
            rotated_molecule_loss,
        ),
    }
    measured = {}
    for name, (network, loss) in networks.items():
        generator = torch.Generator().manual_seed(seed)
        rotations = random_rotations(len(held_out), generator)
        at = torch.full((len(held_out),), 300.0)
        before = equivariance_error(network, unseen, rotations, at)
        model, run = train_for(
            network,
            TensorBatches(table, 64, seed),
            partial(loss, generator=generator),
            1.0 if small else LIVE_SECONDS,
            lambda model: held_out_molecule_loss(model, *unseen),
        )
        drawn = 10 if small else 200
        sizes = draw_sizes(train, drawn, generator)
        measured[name] = run | {
            "parameters": sum(weight.numel() for weight in model.parameters()),
            "equivariance_error_untrained": before,
            "equivariance_error": equivariance_error(model, unseen, rotations, at),
            "mirror_error": equivariance_error(model, unseen, -rotations, at),
            "sampled": scores(sample_molecules(model, sizes, 50, generator)),
        }
    return measured


def steps(seed: int, small: bool) -> dict:
    model = load("molecules-3d")
    train = split()[0]
    known = {graph_key(ligand.symbols, ligand.bonds) for ligand in train}
    generator = torch.Generator().manual_seed(seed)
    measured: dict = {"sampled": {}}
    hands = []
    for count in STEP_COUNTS:
        drawn = 10 if small else 200 if count == 50 else 100
        sizes = draw_sizes(train, drawn, generator)
        start = time.process_time()
        molecules = sample_molecules(model, sizes, count, generator)
        seconds = time.process_time() - start
        sound = [molecule for molecule in molecules if judge_structure(molecule).sound]
        keys = [graph_key(each.symbols, bond_pairs(each)) for each in sound]
        hands += [hand for each in sound for hand in alpha_carbon_hands(each)]
        measured["sampled"][str(count)] = scores(molecules) | {
            "seconds": round(seconds, 2),
            "different": len(set(keys)),
            "new": len(set(keys) - known),
        }
    real = [hand for each in train for hand in alpha_carbon_hands(each)]
    measured["left_hands"] = {
        "sampled": [hands.count(1), len(hands)],
        "training": [real.count(1), len(real)],
    }
    return measured


def placed(seed: int, small: bool) -> dict:
    train, held_out = split()
    held_out = held_out[: 10 if small else None]
    graphs, unseen = to_graphs(train), to_graphs(held_out)
    positions = [to_positions(part) for part in (train, held_out)]
    generator = torch.Generator().manual_seed(seed)
    network = StructureNetwork(seed=seed)
    model, run = train_for(
        network,
        TensorBatches((positions[0], *graphs), 64, seed),
        partial(structure_loss, generator=generator),
        4 if small else PLACED_STEPS,
        lambda model: float(
            structure_loss(
                model,
                positions[1],
                *unseen,
                generator=torch.Generator().manual_seed(0),
            )
        ),
        in_steps=True,
    )
    trained = predicted(model, unseen, 50, generator)
    known = [row for row, molecule in enumerate(held_out) if placeable(molecule)]
    return run | {
        "molecules": len(known),
        **summary([held_out[row] for row in known], [trained[row] for row in known]),
    }


def placeable(molecule: Ligand) -> bool:
    """Return whether ETKDG places the molecule: all but one of the held-out ones."""
    return expert_positions(molecule, 1) is not None


def etkdg(seed: int, small: bool) -> dict:
    held_out = list(filter(placeable, split()[1][: 10 if small else None]))
    return {"molecules": len(held_out)} | {
        name: summary(
            held_out,
            [
                expert_positions(molecule, PREDICTIONS, seed, handed=handed)
                for molecule in held_out
            ],
        )
        for name, handed in (("bonds", False), ("bonds and hands", True))
    }


def predicted(model, graphs, count, generator) -> torch.Tensor:
    """Return five predicted positions of each molecule, padded."""
    *_, last = place_atoms(model, graphs.repeated(PREDICTIONS), count, generator)
    return last.unflatten(0, (-1, PREDICTIONS))


def summary(molecules: Sequence[Ligand], predictions: Sequence[torch.Tensor]) -> dict:
    """Return the errors with the atoms in their order, with equivalent atoms exchanged,
    and with the better of both mirror images.
    """
    ordered, symmetric, unhanded = [], [], []
    for molecule, padded in zip(molecules, predictions, strict=True):
        positions = padded[:, : len(molecule)]
        target = molecule.positions.expand(PREDICTIONS, -1, -1)
        mask = torch.ones(target.shape[:2], dtype=torch.bool)
        ordered.append(aligned_rmsd(positions, target, mask))
        symmetric.append(symmetric_rmsd(molecule, positions))
        mirrored = symmetric_rmsd(molecule, -positions)
        unhanded.append(torch.minimum(symmetric[-1], mirrored))
    return errors(torch.stack(ordered)) | {
        "symmetric": errors(torch.stack(symmetric)),
        "either_hand": errors(torch.stack(unhanded)),
    }


def errors(rmsd: torch.Tensor) -> dict:
    best = rmsd.min(dim=1).values
    return {
        "median_of_first": rmsd[:, 0].median().item(),
        "median_of_best": best.median().item(),
        "best_below_half_angstrom": (best < 0.5).double().mean().item(),
    }


def peptides(seed: int, small: bool) -> dict:
    parts = load_peptide_split(seed)
    drawn, count = (20, 40) if small else (400, 160)
    generator = torch.Generator().manual_seed(seed)
    judge = PeptideJudge.train(parts.judge, seed)
    stopped = train_peptide_model(parts.model, parts.validation, steps=count, seed=seed)
    longer = train_peptide_model(
        parts.model,
        parts.validation,
        steps=5 * count // 2,
        evaluate_every=5 * count // 20,
        seed=seed,
    )
    model = stopped.model
    real = [each.sequence for each in parts.held_out if each.antimicrobial]
    other = [each.sequence for each in parts.held_out if not each.antimicrobial]
    written = write_peptides(model, drawn, antimicrobial=True, generator=generator)
    rows = {
        "real antimicrobial": real,
        "real other": other,
        "sampled antimicrobial": written,
        "sampled other": write_peptides(
            model, drawn, antimicrobial=False, generator=generator
        ),
        "real antimicrobial, shuffled": shuffled(real, generator),
        "sampled antimicrobial, shuffled": shuffled(written, generator),
        "typed by hand": list(STUTTERS),
        "overfitted antimicrobial": write_peptides(
            longer.last, drawn, antimicrobial=True, generator=generator
        ),
    }
    everything = load_peptides()
    order = torch.randperm(len(everything), generator=generator).tolist()
    border = len(parts.held_out)
    relatives = PeptideJudge.train(
        [everything[k] for k in order[border : border + len(parts.judge)]], seed
    )
    return {
        "peptides": {
            name: len(getattr(parts, name))
            for name in ("model", "judge", "validation", "held_out")
        },
        "judge_auroc": judge.auroc(parts.held_out),
        "judge_auroc_random_split": relatives.auroc(
            [everything[k] for k in order[:border]]
        ),
        "loss": peptide_loss(model, parts.held_out),
        "loss_flipped": peptide_loss(model, flipped(parts.held_out)),
        "loss_frequencies": frequency_loss(parts.model, parts.held_out),
        "loss_8_gram": n_gram_loss(parts.model, parts.held_out, 8),
        "validation": stopped.losses,
        "validation_longer": longer.losses,
        "rows": {
            name: asdict(measure_peptides(sequences, judge, parts.model))
            for name, sequences in rows.items()
        },
    }


def frequency_loss(train, held_out) -> float:
    """Return the loss of the frequencies of residues and ends, in nats per token."""
    tokens = "".join(each.sequence + "." for each in train)
    shares = {letter: tokens.count(letter) / len(tokens) for letter in set(tokens)}
    unseen = "".join(each.sequence + "." for each in held_out)
    return -sum(torch.tensor(shares[letter]).log().item() for letter in unseen) / len(
        unseen
    )


def n_gram_loss(train, held_out, order: int) -> float:
    """Return the loss per residue of counts: each order is smoothed towards the one
    below, with a hundred pseudo-counts, and seven tenths of a prediction are counted in
    peptides with the same label (both tuned on the validation peptides).
    """
    counts, seen = Counter(), Counter()
    start = "^" * (order - 1)
    for each in train:
        text = start + each.sequence + "."
        for end in range(order, len(text) + 1):
            for n in range(1, order + 1):
                for label in (each.antimicrobial, "all"):
                    counts[label, text[end - n : end]] += 1
                    seen[label, text[end - n : end - 1]] += 1

    def predicted(label, text: str) -> float:
        share = counts[label, text[-1]] / seen[label, ""]
        for n in range(2, order + 1):
            share = counts[label, text[-n:]] + 100 * share
            share /= seen[label, text[-n:-1]] + 100
        return share

    losses = []
    for each in held_out:
        text = start + each.sequence + "."
        for end in range(order, len(text) + 1):
            gram = text[end - order : end]
            share = 0.7 * predicted(each.antimicrobial, gram)
            losses.append(-math.log(share + 0.3 * predicted("all", gram)))
    return sum(losses) / len(losses)


def crystals(seed: int, small: bool) -> dict:
    generator = torch.Generator().manual_seed(seed)
    compounds = [each for each in load_compounds() if len(each.amounts) > 1]
    order = torch.randperm(len(compounds), generator=generator).tolist()
    held_out = [compounds[k] for k in order[:400]]
    train = [compounds[k] for k in order[400:]]
    salts = [each for each in compounds if has_anion(each.amounts)]
    known = [each for each in train if has_anion(each.amounts)]
    known = [each for each in known if fits_model(each.amounts)]
    model = train_formula_model(known, steps=20 if small else 150, seed=seed)
    written = write_formulas(model, 50 if small else 1000, generator=generator)
    formed = [amounts for amounts in written if amounts is not None]
    keys = {formula_key(each.amounts) for each in known}
    new = [amounts for amounts in formed if formula_key(amounts) not in keys]
    forest = EnergyForest.train(train, seed)
    nonsense = scrambled_compounds(known, generator)
    predicted = forest.predict(nonsense)
    liked = [nonsense[k] for k in predicted.argsort()[:20].tolist()]
    true = torch.tensor([each.energy for each in held_out])
    error = forest.predict([each.amounts for each in held_out]) - true
    cells = load_crystals()[: 20 if small else None]
    anywhere = random_positions(cells, generator)
    return {
        "balanced": {
            "real": balanced([each.amounts for each in salts]),
            "scrambled": balanced(scrambled_compounds(salts, generator)),
            "real, alloys too": balanced([each.amounts for each in compounds]),
            "scrambled, alloys too": balanced(
                scrambled_compounds(compounds, generator)
            ),
            "sampled": balanced(formed),
            "sampled and new": balanced(new),
        },
        "sampled": len(written),
        "well_formed": len(formed),
        "different": len({formula_key(amounts) for amounts in formed}),
        "new": len({formula_key(amounts) for amounts in new}),
        "examples": [spelled(amounts) for amounts in new[:12]],
        "energy_r_squared": forest.r_squared(held_out),
        "energy_mean_error": error.abs().mean().item(),
        "energy_mean_error_constant": (true - energies_mean(train)).abs().mean().item(),
        "liked_best": {
            "predicted": predicted.sort().values[:20].mean().item(),
            "lowest_real": min(each.energy for each in train),
            "balanced": balanced(liked),
            "examples": [spelled(amounts) for amounts in liked[:8]],
        },
        "apart": {
            str(limit): {
                "real": apart(cells, limit),
                "random": apart(anywhere, limit),
            }
            for limit in (0.5, 1.0, 1.5)
        },
        "symmetry": {
            str(sigma): sum(
                space_group(shaken(cell, sigma, generator)) > 2 for cell in cells
            )
            / len(cells)
            for sigma in (0.0, 0.02, 0.05, 0.1)
        },
        "symmetry_random": sum(space_group(cell) > 2 for cell in anywhere)
        / len(anywhere),
    }


def balanced(formulas) -> float:
    return sum(map(is_charge_balanced, formulas)) / max(len(formulas), 1)


def apart(cells, limit: float) -> float:
    return sum(closest_distance(cell) > limit for cell in cells) / len(cells)


def energies_mean(compounds: Sequence[Compound]) -> float:
    return sum(each.energy for each in compounds) / len(compounds)


def spelled(amounts) -> str:
    return "".join(
        element + (f"{count:g}" if count != 1 else "")
        for element, count in amounts.items()
    )


PARTS = {
    "ruler": ruler,
    "peptides": peptides,
    "crystals": crystals,
    "live": live,
    "placed": placed,
    "etkdg": etkdg,
    "steps": steps,
}

if __name__ == "__main__":
    record = run_parts("structures", PARTS, __doc__)
    if record is not None:
        keep_record("structures", record)
