"""Decisions about experiments: `machine.decide` turns a view into the next status."""
