"""One real control plane for all suites but the chart's, which installs policies that would bind the others too."""

from dev.cluster.pytest_plugin import control_plane, kubernetes_client

__all__ = ["control_plane", "kubernetes_client"]
