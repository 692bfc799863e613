"""What the audit says of itself, without a rule behind it."""

from typing import Final

from floe_testing.audit.run import UNREADABLE
from floe_testing.audit.suppression import NO_REASON, UNUSED

OWN: Final = {
    UNREADABLE: ("unreadable", "A file that is no Python can't be looked at."),
    NO_REASON: ("suppression-without-reason", "A comment that silences a rule says why, after the bracket."),
    UNUSED: ("unused-suppression", "A comment that silences nothing hides what comes later."),
}
"""The name of each, and the reason."""
