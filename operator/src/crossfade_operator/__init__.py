"""Crossfade's controllers: slices of users, earned by evidence. Start reading at `runtime/reconcile.py`."""
