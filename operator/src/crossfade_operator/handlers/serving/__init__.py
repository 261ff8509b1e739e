"""The serving controller's watches of what people write."""
