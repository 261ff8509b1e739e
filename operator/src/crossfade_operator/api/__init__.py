"""The kinds, as frozen pydantic models; `crd.py` renders them."""
