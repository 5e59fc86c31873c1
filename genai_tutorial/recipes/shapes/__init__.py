"""Recipes for the models of captioned shapes."""
