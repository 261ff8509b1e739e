"""kopf decorators: they translate, and nothing else."""
