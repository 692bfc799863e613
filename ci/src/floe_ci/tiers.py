"""The tiers that tests are in."""

from __future__ import annotations

from typing import Final, Literal, get_args

from floe_ci.errors import UserError, suggest

TierName = Literal["unit", "integration", "e2e"]
TIERS: Final[tuple[TierName, ...]] = get_args(TierName)


def parse_tier(text: str) -> TierName:
    """Return the tier named `text`.

    Raises:
        UserError: There is none of that name; the message lists them.
    """
    for tier in TIERS:
        if tier == text:
            return tier
    hint = suggest(text, TIERS)
    nearest = f" {hint}" if hint.endswith("?") else ""
    msg = f"unknown tier '{text}':{nearest} The tiers are {', '.join(TIERS)}."
    raise UserError(msg)
