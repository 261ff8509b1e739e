"""Generated files: what is derived from the code and committed, so that people can read it without running anything.

`python -m dev.generate` writes them, `--check` only says which are stale. To add one, write a module with a function
`files() -> dict[str, str]` (path from the root to content) and name it in `dev/generate/__main__.py`.
"""
