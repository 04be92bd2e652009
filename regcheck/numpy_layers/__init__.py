"""Layers written in NumPy, under test like any other: one file a family. They are not the oracle.

They speak the plain protocol (`parameters`, `state`, `forward`, `backward`, `seed`; `value`, `gradient`, `prox`;
`minimise`) and need NumPy and the standard library alone.
"""
