"""The NumPy backend: one readable Python function, large groups in tiles over threads."""
