.PHONY: cluster-up cluster-down cluster-status images programs

cluster-up: .venv ## start a local Kubernetes: kind where Docker or Podman runs, else a node of its own
	uv run --frozen python -m dev.cluster up

cluster-down: .venv ## remove the local Kubernetes and all that it left
	uv run --frozen python -m dev.cluster down

cluster-status: .venv ## say what of the local Kubernetes runs
	uv run --frozen python -m dev.cluster status

images: .venv ## build the images that changed
	uv run --frozen python -m dev.cluster images

programs: .venv ## build the programs of the local Kubernetes (minutes, once per version)
	uv run --frozen python -m dev.cluster build-programs
