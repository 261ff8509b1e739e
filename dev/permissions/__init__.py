"""Who may do what: `docs/reference/permissions.md`, from the rendered chart.

`python -m dev.permissions` writes the page (it needs helm, so `make generate` leaves it out). The integration tests of
the chart show that it is fresh, and try every cell of it on a real API server, as each identity.
"""
