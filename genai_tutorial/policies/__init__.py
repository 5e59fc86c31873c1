"""Policies that generate actions: imitate demonstrations, one chunk of moves at a time.

Read `chunks`, then `heads`, three ways from what a policy sees to its moves;
`instructed` puts them on a network that sees an image and reads an instruction.
"""

from .chunks import make_chunks, temporal_ensemble
from .heads import (
    FlowHead,
    MixtureHead,
    RegressionHead,
)
from .instructed import InstructedPolicy, InstructedPolicyConfig
