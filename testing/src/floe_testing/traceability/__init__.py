"""Which requirements the tests show to be met: from documents, markers and the results of runs.

`checker` tells the story; the plugin is imported with every run of pytest, and so nothing is imported here.
"""
