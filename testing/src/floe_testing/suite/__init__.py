"""A suite of tests, read without being run."""
