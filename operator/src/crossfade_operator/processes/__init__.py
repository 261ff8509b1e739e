"""The controllers as processes: settings, adapters, queues and handlers are made and joined here, and nowhere else."""
