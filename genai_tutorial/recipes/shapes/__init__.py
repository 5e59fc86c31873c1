"""Recipes of the models of captioned shapes."""
