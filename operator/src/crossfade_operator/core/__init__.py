"""Pure decisions: no clock, no logger, no await."""
