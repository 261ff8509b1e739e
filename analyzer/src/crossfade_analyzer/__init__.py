"""Crossfade's analyzer: verdicts from raw samples, recomputable to the bit. Knows no Kubernetes."""
