"""Speed of graphc beside hand-written NumPy, JAX, PyTensor and torch.compile.

`python -m benchmarks` runs every case. A case is one file in `benchmarks/cases/` with a function
`cases(tiny)` that returns `Case` records; a new file is found without being registered.
"""
