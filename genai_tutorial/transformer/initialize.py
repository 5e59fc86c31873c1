"""Initialization of a decoder's weights."""

import math

import torch
from torch import nn

from .config import DecoderConfig


@torch.no_grad()
def initialize(model: nn.Module, config: DecoderConfig, seed: int) -> None:
    """Initialize a decoder: random matrices, gains of one, biases of zero.

    Source: Radford et al., Language Models are Unsupervised Multitask Learners, section
        2.3 (scaling by depth)
    """
    settings = config.initialization
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        writes_to_stream = name.endswith("output.weight")
        if parameter.dim() == 1:
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)
        elif name.endswith("convolution.weight"):
            parameter.zero_()  # short convolutions start as the identity
        elif settings.zero_outputs and (writes_to_stream or name == "head.weight"):
            parameter.zero_()
        elif settings.std is not None:
            depth_scale = 1 / math.sqrt(2 * config.layers) if writes_to_stream else 1.0
            parameter.normal_(0.0, settings.std * depth_scale, generator=generator)
        elif name == "token_embedding.weight" and not config.tied_embeddings:
            parameter.normal_(0.0, 1.0, generator=generator)
        else:
            parameter.normal_(
                0.0, 1 / math.sqrt(parameter.shape[-1]), generator=generator
            )
