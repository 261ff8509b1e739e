"""A real Kubernetes on this machine: kind where a container engine answers, else one node from its own programs.

Run ``python -m dev.cluster --help``. ``docs/local-cluster.md`` tells how it is built and how to look inside.
"""
