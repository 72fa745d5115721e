"""One loader a format; `__init__` of each step lists nothing: see `registry.py`."""
