"""Science: what a model writes that a chemist can check, one package per subject."""
