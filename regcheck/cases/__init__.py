"""Strategies for cases: Hypothesis draws what matters structurally, a seeded generator fills in the data."""

from regcheck.cases.grouped import *  # noqa: F403
from regcheck.cases.norms import *  # noqa: F403
