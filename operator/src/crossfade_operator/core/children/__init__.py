"""Manifests of what an endpoint or a rollout owns, as values for server-side apply."""
