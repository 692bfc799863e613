"""Add orders."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "orders",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("item", sa.String, nullable=False),
        sa.Column("amount", sa.Integer, sa.CheckConstraint("amount > 0"), nullable=False),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("orders")
