"""Removing what tests left behind."""
