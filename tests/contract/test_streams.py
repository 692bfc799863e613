"""Both packages treat the standard streams alike, though neither may import the other."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_same_code_in_both() -> None:
    """The two modules about standard streams are the same, so that what is mended in one is mended in both."""
    ours, theirs = ("ci/src/floe_ci/cli/streams.py", "testing/src/floe_testing/streams.py")
    assert (ROOT / ours).read_text(encoding="utf-8") == (ROOT / theirs).read_text(encoding="utf-8")
