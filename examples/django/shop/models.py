"""What is in the database."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Order(models.Model):
    """An order; its tags are an array, which only PostgreSQL has."""

    item = models.CharField(max_length=100)
    amount = models.PositiveIntegerField()
    tags = ArrayField(models.CharField(max_length=20), default=list)

    class Meta:
        """What the database itself sees to."""

        constraints = [models.CheckConstraint(condition=models.Q(amount__gt=0), name="amount_is_positive")]

    def __str__(self) -> str:
        """Return what was ordered."""
        return f"{self.amount} {self.item}"
