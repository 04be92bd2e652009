"""Errors of use and of the machine room."""

from __future__ import annotations


class UsageError(Exception):
    """Something the user asked for cannot be done; the message is one sentence with the remedy."""


class WorkerError(Exception):
    """A worker could not be started or reached: no fault of the layer under test."""
