"""World models: learn a world from its frames, dream in it, and play."""

from genai_tutorial.worldmodels.world import Player, Step, World

__all__ = ["Player", "Step", "World"]
