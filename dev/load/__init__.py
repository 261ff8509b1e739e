"""Listeners of the demo's ranking model, over real HTTP: an open-loop load at a set rate, counted by who answered."""
