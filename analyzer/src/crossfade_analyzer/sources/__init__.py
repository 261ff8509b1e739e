"""Where counts come from: raw Prometheus samples, turned into integer increments."""
