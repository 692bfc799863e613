"""What this framework raises."""


class FloeTestingError(Exception):
    """An error whose message says what to do; a fixture shows it without a traceback."""


class NoClusterError(FloeTestingError):
    """There is no cluster that a test could ask."""


class NamespaceUnreadableError(FloeTestingError):
    """The cluster can't be asked what it has in a namespace."""
