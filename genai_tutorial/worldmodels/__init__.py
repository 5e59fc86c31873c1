"""World models: learn a world from its frames, dream in it, and play."""

from genai_tutorial.worldmodels.dream import (
    Dream,
    DreamState,
    Imagined,
    ModelPlayer,
    Policy,
    dream_starts,
    dream_step,
    imagine,
    sample_codes,
    state_after,
)
from genai_tutorial.worldmodels.dynamics import (
    REWARDS,
    GatedRecurrentUnit,
    Prediction,
    WorldModel,
    WorldModelConfig,
)
from genai_tutorial.worldmodels.learning import (
    RATES,
    LossWeights,
    WorldModelLoss,
    WorldModelTraining,
    train_world_model,
    world_model_loss,
)
from genai_tutorial.worldmodels.recording import Recording, Windows, record
from genai_tutorial.worldmodels.representation import (
    CategoricalEncoder,
    FrameDecoder,
    categorical_kl,
    mix_uniform,
    one_hot_sample,
    straight_through,
)
from genai_tutorial.worldmodels.world import Player, Step, World

__all__ = [
    "RATES",
    "REWARDS",
    "CategoricalEncoder",
    "Dream",
    "DreamState",
    "FrameDecoder",
    "GatedRecurrentUnit",
    "Imagined",
    "LossWeights",
    "ModelPlayer",
    "Player",
    "Policy",
    "Prediction",
    "Recording",
    "Step",
    "Windows",
    "World",
    "WorldModel",
    "WorldModelConfig",
    "WorldModelLoss",
    "WorldModelTraining",
    "categorical_kl",
    "dream_starts",
    "dream_step",
    "imagine",
    "mix_uniform",
    "one_hot_sample",
    "record",
    "sample_codes",
    "state_after",
    "straight_through",
    "train_world_model",
    "world_model_loss",
]
