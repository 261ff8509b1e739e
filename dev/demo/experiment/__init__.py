"""The second performance: a model that an experiment proves, a rollout that waits for it, and one that is given up."""
