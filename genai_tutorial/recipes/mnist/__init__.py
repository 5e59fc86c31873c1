"""Recipes for the models of handwritten digits."""
