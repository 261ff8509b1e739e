"""Decisions: found, explained, compared, verified and carried away."""
