"""How a revision earns its slices, or loses them: a pure function of what is wanted, recorded and seen.

`machine.decide` is the page to read; `checks` says what a step waits for and what ends it, `requests` what a person
asked for, `records` how a decision is written down, `report` how it is shown.
"""
