"""Tasks for agents."""
