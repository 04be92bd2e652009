"""Bounds on what a dropout multiplies and adds, and on what is read of it from its results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck.reference import alpha_dropout as reference

if TYPE_CHECKING:
    from regcheck.bounds.roundoff import Arithmetic

Array = np.ndarray[Any, np.dtype[Any]]

DOUBLE = 2.0**-53  # unit roundoff of what a layer's own constants are computed in


def noise_read(n: Array, x: Array, ar: Arithmetic) -> Array:
    """Bound on y/x − n, elementwise, for y = x·n with n = 1 + s·z, where z and s are known in more digits.

    z, s and their product round, or less: 3u|n − 1|. The sum with 1 rounds, and the product with x: 2u|n|. Every one of
    these is stored: u is that of storage. y and s·z may underflow:

        B = u·(3|n − 1| + 2|n|) + 2η/|x| + η
    """
    rounded = ar.u_out * (3 * np.abs(n - 1) + 2 * np.abs(n))
    return np.asarray(rounded + ar.eta_out * (2 / np.abs(x) + 1))


def noised(x: Array, n: Array, at: Array | float, ar: Arithmetic) -> Array:
    """Bound on y − x·n, elementwise, n having been read from the result v·n of another number v = `at`.

    Both results have one and the same z. As x·n they have an error of u|x·n|; as x + (x·s)·z, one of
    u|x|(|n| + 2|n − 1|), which is the larger. The result for v is scaled by x/v, with its error. All may underflow, the
    two products with x too:

        B = 2u·|x|(|n| + 2|n − 1|) + 3η(1 + |x/v|)
    """
    rounded = 2 * ar.u_out * np.abs(x) * (np.abs(n) + 2 * np.abs(n - 1))
    return np.asarray(rounded + 3 * ar.eta_out * (1 + np.abs(x / at)))


def alpha_kept(x: Array, rate: float, ar: Arithmetic) -> Array:
    """Bound on y − (a·x + b), elementwise, of alpha dropout.

    a = ((1 − p)(1 + pα′²))^(−½) in double precision, v its unit roundoff: α′ = −λα is two constants and a product, 3v;
    its square 7v; the product with p, the sum, 1 − p and the product with that 4v: 11v, of which the root takes half; a
    root and a quotient 2v: 8v in all. b = −aα′p has 8v + 3v + 2v. Then a is stored, multiplied by x and
    added: 3u|ax|; b is stored and added: 2u|b|. Both may underflow:

        B = (8v + 3u)·|ax| + (13v + 2u)·|b| + 2η
    """
    a, b, _ = reference.constants(rate)
    u = ar.u_out
    return np.asarray((8 * DOUBLE + 3 * u) * np.abs(a * x) + (13 * DOUBLE + 2 * u) * b + 2 * ar.eta_out)


def alpha_dropped(rate: float, ar: Arithmetic) -> float:
    """Bound on y − (a·α′ + b) of alpha dropout.

    a·α′ has 8v + 3v + v; a and α′ are stored, multiplied and added: 4u. b as in `alpha_kept`:

        B = (12v + 4u)·|aα′| + (13v + 2u)·|b| + 2η
    """
    a, b, _ = reference.constants(rate)
    u = ar.u_out
    product = (12 * DOUBLE + 4 * u) * a * abs(reference.SATURATION)
    return float(product + (13 * DOUBLE + 2 * u) * b + 2 * ar.eta_out)


def alpha_gradient(expected: Array, ar: Arithmetic) -> Array:
    """Bound on dx − a·g, elementwise: a has 8v, is stored and multiplied: (8v + 2u)·|ag| + η."""
    return np.asarray((8 * DOUBLE + 2 * ar.u_out) * np.abs(expected) + ar.eta_out)
