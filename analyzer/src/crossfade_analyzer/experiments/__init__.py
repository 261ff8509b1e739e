"""Controlled experiments: observe, append, judge. Begin with `evaluator`."""
