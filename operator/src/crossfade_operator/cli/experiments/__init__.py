"""Experiments as people plan, see, steer and decide them."""
