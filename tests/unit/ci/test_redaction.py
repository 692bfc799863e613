"""Passwords are kept out of what a run leaves."""

from floe_ci.redaction import redact


def test_redacted() -> None:
    """Secrets are replaced wherever they stand, the longer of two first, and short ones are left."""
    text = "password=hunter22 url=postgres://u:hunter22-long@h a.b+c1 abc acb+c1"

    assert redact(text, ["hunter22", "hunter22-long", "a.b+c1", "abc", ""]) == (
        "password=*** url=postgres://u:***@h *** abc acb+c1"
    )
    assert redact("x", []) == "x"
