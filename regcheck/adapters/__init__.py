"""Adapters: a native object as a canonical `Layer`; a framework is imported in its own file alone."""
