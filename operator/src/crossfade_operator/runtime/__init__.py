"""Gather, decide, record, act: the page to read first is `reconcile.py`."""
