"""Serves the articles with Django REST framework, without change or with a bug: `drf.py BUG`. Prints its port."""

from __future__ import annotations

import sys
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
BUG = sys.argv[1] if len(sys.argv) > 1 else ""

settings.configure(
    SECRET_KEY="tests",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    TIME_ZONE="UTC",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework", "django_filters"],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()

import django_filters  # noqa: E402
from dialects import STATUSES, articles  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.urls import path  # noqa: E402
from django_filters.rest_framework import DjangoFilterBackend  # noqa: E402
from rest_framework import filters, generics, pagination, renderers, serializers  # noqa: E402


class ArticleRow(models.Model):
    class Meta:
        app_label = "articles"

    title = models.CharField(max_length=200)
    created = models.DateTimeField()
    words = models.IntegerField(null=True)
    status = models.CharField(max_length=20, choices=[(each, each) for each in STATUSES])
    tags = models.JSONField()
    author = models.CharField(max_length=50, null=True)


class ArticleSerializer(serializers.ModelSerializer):
    class Meta:
        model = ArticleRow
        fields = "__all__"


class Numbers(django_filters.BaseInFilter, django_filters.NumberFilter):
    """Several numbers."""


class ArticleFilter(django_filters.FilterSet):
    id__in = Numbers(field_name="id", lookup_expr="in")

    class Meta:
        model = ArticleRow
        fields = {
            "status": ["exact"],
            "words": ["gte", "lt"],
            "title": ["iexact", "icontains", "startswith"],
            "author": ["isnull"],
            "created": ["gte"],
        }


if BUG == "exclusive bound":
    ArticleFilter.base_filters["words__gte"].lookup_expr = "gt"
if BUG == "case matters":
    ArticleFilter.base_filters["title__iexact"].lookup_expr = "exact"


class Pages(pagination.PageNumberPagination):
    page_size = 10
    max_page_size = 20
    page_size_query_param = "page_size"

    def get_paginated_response(self, data):
        response = super().get_paginated_response(data)
        if BUG == "count of the page":
            response.data["count"] = len(data)
        return response


class Ordering(filters.OrderingFilter):
    def get_ordering(self, request, queryset, view):
        found = super().get_ordering(request, queryset, view)
        return [each.lstrip("-") for each in found or ()] if BUG == "sign ignored" else found

    def filter_queryset(self, request, queryset, view):
        # Ties are in the order of the database without this. It is the advice of Django's documentation on pagination.
        found = super().filter_queryset(request, queryset, view)
        return found.order_by(*found.query.order_by, "id")


class Articles(generics.ListAPIView):
    queryset = ArticleRow.objects.all()
    serializer_class = ArticleSerializer
    pagination_class = Pages
    renderer_classes = [renderers.JSONRenderer]
    filter_backends = [DjangoFilterBackend, filters.SearchFilter, Ordering]
    filterset_class = ArticleFilter
    ordering_fields = ["created", "words", "id"]
    search_fields = ["title"]


urlpatterns = [path("articles/", Articles.as_view())]


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        """Log nothing."""


if __name__ == "__main__":
    with connection.schema_editor() as editor:
        editor.create_model(ArticleRow)
    ArticleRow.objects.bulk_create(ArticleRow(**each) for each in articles(47))
    with make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet) as server:
        print(server.server_port, flush=True)
        server.serve_forever()
