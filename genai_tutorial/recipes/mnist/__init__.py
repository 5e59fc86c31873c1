"""Recipes of the models of handwritten digits."""
