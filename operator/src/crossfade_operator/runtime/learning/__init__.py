"""The learning side's turns: the page to read first is `reconcile.py`."""
