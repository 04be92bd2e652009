"""The validation of the bounds as Markdown."""

import bounds_algorithms as algorithms

PREFACE = """# Validation of the bounds

Generated, never edited, by

```
python tests/benchmarks/bounds.py --rows {rows} --seed {seed} --output reports/bounds.md
```

with {versions}, on {machine}{missing}. Without `--seed` a run draws its own; `--resume` goes on from `bounds.json`.

Correct implementations, written in different ways, must stay within every bound of `regcheck/bounds/`, and come near
it. Judged were **{judged:,} rows** of {data:,} rows of data in {chunks:,} chunks, drawn by the recipes of the cases: a
row is one quantity of one group (a sample, a channel, a vector of weights, a problem) as one implementation gives it.
*Worst* is the largest error in units of the bound; an *alarm* is a row beyond it, or one that is no number; *labelled*
rows are ill-conditioned, or overflow, and no accuracy is claimed for them.

The oracle is float64 for float16, bfloat16 and float32, and the platform's long double for float64; its unit roundoff
is part of u. Its own sums err by n units of its roundoff, 2⁻²⁹ and 2⁻¹¹ times what the bounds allow for n additions.

Worst values near 1 are attained by reason, not by chance:

- in half precision computed in float32 the error is the rounding of the result, which is the bound;
- γ·x̂ + β formed as x·k + (β − mean·k) rounds twice where x̂ is small beside β, and the bound allows two roundings;
- a solver that goes as far as it promised is where strong convexity allows it to be, and no farther.

The gradient of l1 in float64 is exact: a strength is a float64, and nothing is rounded. `float16` alone is computed in
float16; bfloat16 is PyTorch's, whose backward pass of layer_norm in half precision keeps its statistics in half and is
not judged. The gradients of γ and β of layer_norm and rms_norm, over batches of 7 rows, are NumPy's alone.
"""


def text(tally, about, rows):
    """The report."""
    missing = f"; not installed: {', '.join(about['missing'])}" if about["missing"] else ""
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    preface = PREFACE.format(
        rows=rows,
        seed=about["seed"],
        versions=versions,
        machine=about["machine"],
        missing=missing,
        judged=tally.rows,
        data=tally.data,
        chunks=tally.chunks,
    )
    return "\n".join([preface, *summary(tally), *uncovered(tally), *details(tally)])


def covered(key):
    """Whether the bounds claim to hold for the implementation of a line."""
    return key[3] not in algorithms.NOT_COVERED


def summary(tally):
    """A line for each quantity, of all implementations that are covered."""
    lines = ["## By quantity", "", "| family | quantity | dtype | rows | labelled | alarms | worst | of |"]
    lines += ["| --- | --- | --- | ---: | ---: | ---: | ---: | --- |"]
    for name in sorted({key[:3] for key in tally.lines}):
        found = {key[3]: line for key, line in tally.lines.items() if key[:3] == name and covered(key)}
        first = max(found, key=lambda who: found[who].worst)
        rows, labelled, alarms = (sum(getattr(v, k) for v in found.values()) for k in ("rows", "labelled", "alarms"))
        lines.append(
            f"| {' | '.join(name)} | {rows:,} | {labelled:,} | {alarms:,} | {found[first].worst:.3g} | {first} |"
        )
    return [*lines, ""]


def uncovered(tally):
    """What the bounds do not claim to hold for."""
    chosen = {key: line for key, line in tally.lines.items() if not covered(key)}
    text = "Correct, but less accurate than the bounds allow; `regcheck/bounds/normalised.py` says why."
    return ["## Not covered", "", text, "", *_table(chosen)] if chosen else []


def details(tally):
    """Every line."""
    return ["## By implementation", "", *_table({key: line for key, line in tally.lines.items() if covered(key)})]


def _table(lines):
    made = ["| family | quantity | dtype | implementation | rows | labelled | alarms | worst | at |"]
    made += ["| --- | --- | --- | --- | ---: | ---: | ---: | ---: | --- |"]
    for key, line in sorted(lines.items()):
        made.append(
            f"| {' | '.join(key)} | {line.rows:,} | {line.labelled:,} | {line.alarms:,} | {line.worst:.3g} "
            f"| {line.where} |"
        )
    return [*made, ""]
