"""The HTTP API."""

from django.db.models import Sum
from django.http import HttpRequest, JsonResponse
from django.urls import path

from shop.models import Order


def total(_: HttpRequest, tag: str) -> JsonResponse:
    """Return the sum of the orders with a tag."""
    summed = Order.objects.filter(tags__contains=[tag]).aggregate(total=Sum("amount", default=0))
    return JsonResponse(summed)


urlpatterns = [path("total/<tag>", total)]
