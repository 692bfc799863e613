"""Dagster for the tests: one real job, and what its processes need to start well."""
