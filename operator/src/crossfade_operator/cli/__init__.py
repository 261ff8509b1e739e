"""kubectl-crossfade."""
