from dev.cluster.pytest_plugin import control_plane, kubernetes_client  # noqa: F401
