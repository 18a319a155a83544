"""A mail server for the letters of the public pages."""

from tests.campaigns.conftest import sink

__all__ = ["sink"]
