"""Real services on this machine, without root and without containers, and the tests against them.

A worker, `python -m floe_ci.local`, owns every process and every file of a run. Whoever asks for the run holds
the other end of its standard input: when that closes, for whatever reason, the worker ends and removes it all.
"""
