"""Rollouts as people see and steer them."""
