"""Correct ways to sum, to take a mean and a variance, and to normalise, each in the arithmetic of its input.

Data lie as (n, groups): a loop over n is vectorised over groups, and every sum is over the first axis.
"""

import numpy as np

# --- sums


def left_to_right(x):
    """A running sum."""
    total = x[0].copy()
    for row in x[1:]:
        total += row
    return total


def right_to_left(x):
    """A running sum from the end."""
    return left_to_right(x[::-1])


def pairwise(x):
    """A tree of sums of two."""
    while len(x) > 1:
        half = len(x) // 2
        x = np.concatenate([x[:half] + x[half : 2 * half], x[2 * half :]])
    return x[0]


def lanes(x, width=8):
    """As vector instructions sum: `width` running sums, added as a tree, then what is left over."""
    whole = len(x) // width * width
    if not whole:
        return left_to_right(x)
    total = pairwise(left_to_right(x[:whole].reshape(-1, width, *x.shape[1:])))
    for row in x[whole:]:
        total = total + row
    return total


def compensated(x):
    """Neumaier's sum (Zeitschrift für Angewandte Mathematik und Mechanik 54, 1974)."""
    total, lost = x[0].copy(), np.zeros_like(x[0])
    for row in x[1:]:
        new = total + row
        lost += np.where(np.abs(total) >= np.abs(row), (total - new) + row, (row - new) + total)
        total = new
    return total + lost


# --- mean and biased variance


def two_pass(total, *, reciprocal=False, corrected=False):
    """The variance from the centred values; `corrected` takes off the square of what their sum should not be.

    Source of the correction: Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983, eq. 1.7.
    """

    def statistics(x):
        n = x.dtype.type(len(x))
        share = (lambda v: v * (1 / n)) if reciprocal else (lambda v: v / n)
        mean = share(total(x))
        centred = x - mean
        squares = total(centred * centred)
        if corrected:
            squares = np.maximum(squares - share(np.square(total(centred))), 0)
        return mean, share(squares)

    return statistics


def welford(x):
    """One pass that updates mean and squares (Welford, Technometrics 4, 1962)."""
    mean, squares = x[0].copy(), np.zeros_like(x[0])
    for k, row in enumerate(x[1:], 2):
        step = row - mean
        mean = mean + step / x.dtype.type(k)
        squares = squares + step * (row - mean)
    return mean, squares / x.dtype.type(len(x))


def merged(x):
    """Means and squares of parts, merged as a tree (Chan, Golub and LeVeque 1983, eq. 2.1)."""
    shape = (-1, *[1] * (x.ndim - 1))
    mean, squares, counts = x, np.zeros_like(x), np.ones(len(x))
    while len(mean) > 1:
        half = len(mean) // 2
        a, b, rest = slice(half), slice(half, 2 * half), slice(2 * half, None)
        both = counts[a] + counts[b]
        part = (counts[b] / both).astype(x.dtype).reshape(shape)
        weight = (counts[a] * counts[b] / both).astype(x.dtype).reshape(shape)
        step = mean[b] - mean[a]
        mean, squares, counts = (
            np.concatenate([mean[a] + step * part, mean[rest]]),
            np.concatenate([squares[a] + squares[b] + step * step * weight, squares[rest]]),
            np.concatenate([both, counts[rest]]),
        )
    return mean[0], squares[0] / x.dtype.type(len(x))


def shifted(x):
    """One pass over x − K with K the first value: not covered by the bounds."""
    n, d = x.dtype.type(len(x)), x - x[0]
    mean = left_to_right(d) / n
    return x[0] + mean, np.maximum(left_to_right(d * d) / n - mean * mean, 0)


def one_pass(x):
    """E[x²] − E[x]², a wrong algorithm."""
    n = x.dtype.type(len(x))
    mean = left_to_right(x) / n
    return mean, np.maximum(left_to_right(x * x) / n - mean * mean, 0)


# --- 0 and the mean of squares, where no mean is subtracted


def squares(total, *, reciprocal=False):
    """The squares' own mean."""

    def statistics(x):
        n = x.dtype.type(len(x))
        summed = total(x * x)
        return np.zeros_like(summed), summed * (1 / n) if reciprocal else summed / n

    return statistics


def norm_squared(x):
    """(‖x‖/√n)²."""
    root = np.sqrt(left_to_right(x * x)) / np.sqrt(x.dtype.type(len(x)))
    return np.zeros_like(root), root * root


def of_peak(x):
    """Of x divided by its peak, times the peak's square."""
    peak = np.max(np.abs(x), axis=0)
    small = x / np.where(peak > 0, peak, x.dtype.type(1))
    return np.zeros_like(peak), left_to_right(small * small) / x.dtype.type(len(x)) * peak * peak


def only_variance(x):
    """The variance in place of the mean of squares, a wrong algorithm."""
    mean, variance = two_pass(left_to_right)(x)
    return np.zeros_like(mean), variance


# --- γ·(x − mean)/σ + β with σ = √(var + ε)


def subtracted(x, mean, sigma, gamma, beta):
    """(x − mean)·s, then the affine map."""
    return (x - mean) * (1 / sigma) * gamma + beta


def divided(x, mean, sigma, gamma, beta):
    """(x − mean)/σ, then the affine map."""
    return gamma * ((x - mean) / sigma) + beta


def folded(x, mean, sigma, gamma, beta):
    """x·k + (β − mean·k), k = γ·s."""
    k = gamma * (1 / sigma)
    return x * k + (beta - mean * k)


# By name, each with its statistics and its map.
COVERED = {
    "two passes, left to right": (two_pass(left_to_right), subtracted),
    "two passes, right to left": (two_pass(right_to_left), folded),
    "two passes, pairwise": (two_pass(pairwise), divided),
    "two passes, eight lanes, times 1/n": (two_pass(lanes, reciprocal=True), folded),
    "two passes, compensated": (two_pass(compensated), subtracted),
    "two passes, corrected": (two_pass(left_to_right, corrected=True), subtracted),
    "Welford": (welford, subtracted),
    "Welford, merged": (merged, divided),
}
NOT_COVERED = {"one pass, shifted by the first value": (shifted, subtracted)}
WRONG = {"one pass": (one_pass, subtracted)}
SUMS = (left_to_right, right_to_left, pairwise, lanes, compensated)

# As COVERED and WRONG, of rms_norm; β is 0.
UNCENTRED = {
    "squares, left to right": (squares(left_to_right), subtracted),
    "squares, right to left": (squares(right_to_left), divided),
    "squares, pairwise": (squares(pairwise), folded),
    "squares, eight lanes, times 1/n": (squares(lanes, reciprocal=True), subtracted),
    "squares, compensated": (squares(compensated), divided),
    "norm over √n": (norm_squared, subtracted),
    "divided by the peak": (of_peak, divided),
}
VARIANCE = {"variance": (only_variance, subtracted)}

# --- dx for g = dy·γ


def closed(x, mean, s, g):
    """s·(g − mean g − z·mean(g·z))."""
    n, z = x.dtype.type(len(x)), (x - mean) * s
    return s * (g - left_to_right(g) / n - z * (left_to_right(g * z) / n))


def chain(x, mean, s, g):
    """By the chain rule through variance and mean (Ioffe and Szegedy 2015, section 3)."""
    n, centred = x.dtype.type(len(x)), x - mean
    variance = left_to_right(g * centred) * (-s * s * s / 2)
    middle = -s * left_to_right(g) - variance * (2 * left_to_right(centred) / n)
    return g * s + variance * (2 * centred / n) + middle / n


def linear(x, mean, s, g):
    """g·s + b·x + c with b and c of each group."""
    n = x.dtype.type(len(x))
    first, second = pairwise(g), pairwise(g * x)
    b = (first * mean - second) * s * s * s / n
    return g * s + b * x + (-b * mean - first * s / n)


GRADIENTS = (closed, chain, linear)


def uncentred(x, _mean, s, g):
    """s·(g − z·mean(g·z))."""
    n, z = x.dtype.type(len(x)), x * s
    return s * (g - z * (left_to_right(g * z) / n))


def uncentred_chain(x, _mean, s, g):
    """By the chain rule through the mean of squares."""
    square = left_to_right(g * x) * (-s * s * s / 2)
    return g * s + square * (2 * x / x.dtype.type(len(x)))


def uncentred_linear(x, _mean, s, g):
    """g·s + b·x with b of each group."""
    return g * s - pairwise(g * x) * s * s * s / x.dtype.type(len(x)) * x


UNCENTRED_GRADIENTS = (uncentred, uncentred_chain, uncentred_linear)

# --- (1 − w)·old + w·new


def weighted(old, new, w):
    """(1 − w)·old + w·new."""
    return (1 - w) * old + w * new


def moved(old, new, w):
    """old + w·(new − old)."""
    return old + w * (new - old)


def kept(old, new, w):
    """keep·old + (1 − keep)·new with keep = 1 − w."""
    keep = 1 - w
    return keep * old + (1 - keep) * new


AVERAGES = (weighted, moved, kept)
