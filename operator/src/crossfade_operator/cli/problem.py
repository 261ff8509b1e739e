"""What a person is told when a command cannot be carried out."""

from __future__ import annotations


class Problem(Exception):
    """A sentence about what is wrong, and optionally one about what to do. Ends the command with exit code 1."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
