"""Runs in a cluster that is there already, and somebody else's: which one, what may be done in it, what is owned."""
