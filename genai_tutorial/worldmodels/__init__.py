"""World models: learn a world from its frames, dream in it, and play."""

from .actor_critic import (
    ActorCritic,
    Dreamer,
    Dreams,
    ReturnScale,
    actor_critic_loss,
    lambda_returns,
    learn_in_dreams,
)
from .dream import (
    Dream,
    DreamComparison,
    DreamPolicy,
    DreamState,
    Imagined,
    ModelPlayer,
    dream_beside_reality,
    dream_starts,
    dream_step,
    imagine,
    state_after,
)
from .latent_actions import Renaming, best_renaming, latent_action_loss
from .learning import (
    RATES,
    WorldModelLoss,
    WorldModelTraining,
    train_world_model,
    world_model_loss,
)
from .model import (
    CategoricalEncoder,
    WorldModel,
    WorldModelConfig,
    WorldPrediction,
    categorical_kl,
    straight_through_sample,
)
from .model_free import (
    PixelAgent,
    PixelPlayer,
    PlayedSteps,
    PPOLearner,
    learn_by_playing,
)
from .planning import (
    DreamStep,
    States,
    cross_entropy_search,
    planning_policy,
)
from .table_world import (
    TableWorld,
    action_values,
    five_places,
)
from .world import (
    GymnasiumWorld,
    Player,
    Recording,
    Windows,
    World,
    WorldStep,
    minigrid_world,
    record_games,
)
