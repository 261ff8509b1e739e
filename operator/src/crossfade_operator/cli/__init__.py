"""kubectl-crossfade: look at rollouts and steer them. Knows the API's objects, not the controller; needs no kopf."""
