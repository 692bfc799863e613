"""Drives one run on a cluster that is there: deploy, wait until ready, run the Job, collect.

Plain Kubernetes, with no Dagger in it: it needs a kubeconfig and `kubectl`. The module runs it in the
toolbox.
"""
