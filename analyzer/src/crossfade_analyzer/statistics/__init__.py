"""The statistics engine: pure functions of plans and integer counts, one method per file.

`rollout` is the entry for rollouts (decisions, the same to the bit everywhere).
"""
