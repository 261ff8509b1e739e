"""The demo: a good model earns its slices and is promoted, a bad one is found and rolled back, on a real cluster."""
