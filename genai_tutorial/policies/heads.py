"""Chunks of moves as targets and their average, and three heads of a policy:
regression, a mixture of normal distributions, and a flow.

Each head turns a context, which is what the policy knows, into a flat vector of
actions. Actions should have a standard deviation near 1.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from genai_tutorial.diffusion import (
    FLOW,
    Denoise,
    Denoiser,
    KnownRegion,
    StraightPath,
    diffusion_loss,
    flow_euler,
    last_sample,
)


def make_chunks(
    moves: Float[Tensor, "time number"], length: int
) -> tuple[Float[Tensor, "time length number"], Bool[Tensor, "time length"]]:
    """Return at each time of one episode the moves from there on, and which of them the
    episode has; after its end, moves are zero.

    Raises:
        ValueError: If `length` is below 1.

    >>> chunks, inside = make_chunks(torch.tensor([[1.0], [2.0], [3.0]]), 2)
    >>> chunks[:, :, 0]
    tensor([[1., 2.],
            [2., 3.],
            [3., 0.]])
    >>> inside[-1]
    tensor([ True, False])
    """
    if length < 1:
        raise ValueError(f"A chunk has at least one move, got length {length}.")
    time = torch.arange(len(moves), device=moves.device)
    later = time[:, None] + torch.arange(length, device=moves.device)
    inside = later < len(moves)
    chunks = moves[later.clamp(max=len(moves) - 1)]
    return torch.where(inside[:, :, None], chunks, 0.0), inside


def temporal_ensemble(
    chunks: Sequence[Float[Tensor, "batch length number"]], rate: float = 0.01
) -> Float[Tensor, "batch number"]:
    """Average all predictions of the present move. The oldest has weight 1, each newer
    one the weight of the one before times exp(-rate).

    Args:
        chunks: The chunks predicted at all steps until now, oldest first.

    Raises:
        ValueError: If there is no chunk.

    Source: Zhao et al., Learning Fine-Grained Bimanual Manipulation with Low-Cost
        Hardware, section IV.A, https://arxiv.org/abs/2304.13705

    >>> old, new = torch.tensor([[[0.0], [1.0]]]), torch.tensor([[[3.0], [9.0]]])
    >>> temporal_ensemble([old, new], rate=0.0)
    tensor([[2.]])
    """
    if not chunks:
        raise ValueError("Give at least one chunk.")
    recent = chunks[-chunks[0].shape[1] :]
    votes = [chunk[:, len(recent) - 1 - k] for k, chunk in enumerate(recent)]
    weights = torch.exp(-rate * torch.arange(len(votes), dtype=votes[0].dtype))
    total = sum(weight * vote for weight, vote in zip(weights, votes, strict=True))
    return total / weights.sum()


_WIDTH = 128
_LOG_DEVIATIONS = -2.0, 1.0  # without a lower limit, moves of exactly 0 decide the loss


class RegressionHead(nn.Module):
    """Predicts the mean of all actions, with the squared error as its loss."""

    def __init__(self, context: int, actions: int):
        super().__init__()
        self.network = _network(context, actions)

    def loss(
        self,
        context: Float[Tensor, "batch context"],
        actions: Float[Tensor, "batch action"],
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """Return the mean squared error; the generator is not used."""
        return (self.network(context) - actions).square().mean()

    @torch.no_grad()
    def sample(
        self, context: Float[Tensor, "batch context"], generator: torch.Generator
    ) -> Float[Tensor, "batch action"]:
        """Return the predicted mean; nothing is random."""
        return self.network(context)


def mixture_log_likelihood(
    actions: Float[Tensor, "batch action"],
    logits: Float[Tensor, "batch component"],
    means: Float[Tensor, "batch component action"],
    log_deviations: Float[Tensor, "batch component action"],
) -> Float[Tensor, "batch"]:
    """Compute the log-likelihood of actions in nats under a mixture of normal
    distributions whose numbers are independent within a component.

    Source: Bishop, Mixture Density Networks, equations 22 and 23,
        https://publications.aston.ac.uk/id/eprint/373/
    """
    scaled = (actions[:, None] - means) * (-log_deviations).exp()
    constant = 0.5 * torch.log(torch.tensor(2 * torch.pi))
    per_number = -0.5 * scaled.square() - log_deviations - constant
    return torch.logsumexp(logits.log_softmax(1) + per_number.sum(2), dim=1)


class MixtureHead(nn.Module):
    """Predicts a mixture of normal distributions, a mixture density network.

    A sample is the mean of a component that is drawn with its weight: the deviations
    serve the training only.
    """

    def __init__(self, context: int, actions: int, components: int = 4):
        super().__init__()
        self.components = components
        self.network = _network(context, components * (1 + 2 * actions))

    def parameters_of(
        self, context: Float[Tensor, "batch context"]
    ) -> tuple[
        Float[Tensor, "batch component"],
        Float[Tensor, "batch component action"],
        Float[Tensor, "batch component action"],
    ]:
        """Return the logits of the weights, the means and the logarithms of the
        standard deviations.
        """
        output = self.network(context).unflatten(1, (self.components, -1))
        means, log_deviations = output[:, :, 1:].chunk(2, dim=2)
        return output[:, :, 0], means, log_deviations.clamp(*_LOG_DEVIATIONS)

    def loss(
        self,
        context: Float[Tensor, "batch context"],
        actions: Float[Tensor, "batch action"],
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """Return the negative log-likelihood in nats per number; the generator is not
        used.
        """
        likelihood = mixture_log_likelihood(actions, *self.parameters_of(context))
        return -likelihood.mean() / actions.shape[1]

    @torch.no_grad()
    def sample(
        self, context: Float[Tensor, "batch context"], generator: torch.Generator
    ) -> Float[Tensor, "batch action"]:
        """Draw a component for each context and return its mean."""
        logits, means, _ = self.parameters_of(context)
        weights = logits.softmax(1).cpu()
        chosen = torch.multinomial(weights, 1, generator=generator)[:, 0]
        return means[torch.arange(len(means)), chosen.to(means.device)]


class FlowHead(nn.Module):
    """Turns noise into actions by flow matching on a straight path."""

    def __init__(self, context: int, actions: int, steps: int = 10):
        super().__init__()
        self.actions, self.steps = actions, steps
        self.network = _network(context + 1 + actions, actions)

    def forward(
        self,
        x: Float[Tensor, "batch action"],
        t: Float[Tensor, "batch"],
        context: Float[Tensor, "batch context"],
    ) -> Float[Tensor, "batch action"]:
        """Predict the velocity from actions to noise."""
        return self.network(torch.cat([context, t[:, None], x], dim=1))

    def loss(
        self,
        context: Float[Tensor, "batch context"],
        actions: Float[Tensor, "batch action"],
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """Return the squared error of the velocity at random times."""
        return diffusion_loss(
            self, StraightPath(), FLOW, actions, context, generator=generator
        )

    @torch.no_grad()
    def sample(
        self, context: Float[Tensor, "batch context"], generator: torch.Generator
    ) -> Float[Tensor, "batch action"]:
        """Draw noise and follow the flow to actions in `steps` steps."""
        return self._follow(
            Denoiser(self, StraightPath(), FLOW, context), context, generator
        )

    @torch.no_grad()
    def complete(
        self,
        context: Float[Tensor, "batch context"],
        first: Float[Tensor, "batch known"],
        generator: torch.Generator,
    ) -> Float[Tensor, "batch action"]:
        """Draw actions whose first numbers are given, by inpainting.

        Raises:
            ValueError: If none or all numbers are given.

        Source: Black et al., Real-Time Execution of Action Chunking Flow Policies,
            section 3, https://arxiv.org/abs/2506.07339 (there with guidance by a
            gradient, here `KnownRegion`)
        """
        if not 0 < first.shape[1] < self.actions:
            raise ValueError(
                f"first must hold from 1 to {self.actions - 1} numbers, got "
                f"{first.shape[1]}."
            )
        whole = first.new_zeros(len(first), self.actions)
        whole[:, : first.shape[1]] = first
        known = torch.arange(self.actions, device=first.device) < first.shape[1]
        denoise = Denoiser(self, StraightPath(), FLOW, context)
        return self._follow(KnownRegion(denoise, whole, known), context, generator)

    def _follow(
        self, denoise: Denoise, context: Tensor, generator: torch.Generator
    ) -> Tensor:
        noise = torch.randn(len(context), self.actions, generator=generator)
        timesteps = denoise.path.timesteps(self.steps)
        return last_sample(flow_euler(denoise, noise.to(context.device), timesteps))


def _network(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, _WIDTH),
        nn.SiLU(),
        nn.Linear(_WIDTH, _WIDTH),
        nn.SiLU(),
        nn.Linear(_WIDTH, _WIDTH),
        nn.SiLU(),
        nn.Linear(_WIDTH, outputs),
    )
