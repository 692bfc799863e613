"""Portable CI and local test runs as code."""
