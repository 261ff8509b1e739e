"""Reviews: what people say about an experiment, a rollout or a decision, and what that counts for."""
