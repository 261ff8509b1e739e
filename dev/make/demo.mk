.PHONY: demo demo-experiment demo-down demo-status

demo: .venv ## watch a good model promoted and a bad one rolled back, on a real cluster
	uv run --frozen python -m dev.demo

demo-experiment: .venv ## watch an experiment prove a model, its decision open a rollout's gate, and another say no
	uv run --frozen python -m dev.demo --experiment

demo-status: .venv ## show the demo's pods and its rollout
	uv run --frozen python -m dev.demo status

demo-down: .venv ## remove the demo's cluster
	uv run --frozen python -m dev.demo down
