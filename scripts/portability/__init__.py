"""Maintainers' tool."""
