"""The errors a person sees."""


class ClusterError(Exception):
    """Something could not be done; the message says what and where, and the hint what to do about it."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(f"{problem}\n  {hint}" if hint else problem)
        self.problem = problem
        self.hint = hint
