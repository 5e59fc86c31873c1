"""The schematics: a module for each chapter, which lists its own in `DRAWINGS`."""

import pkgutil
from importlib import import_module

DRAWINGS = tuple(
    draw
    for module in pkgutil.iter_modules(__path__)
    for draw in import_module(f"{__name__}.{module.name}").DRAWINGS
)
