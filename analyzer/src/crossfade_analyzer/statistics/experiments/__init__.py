"""Controlled experiments: estimates, sequential designs, decision rule and planning. Reports use scipy; what a decision
compares with is computed once at planning and rounded."""
