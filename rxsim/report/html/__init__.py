"""Results as one HTML page."""

from rxsim.report.html.page import build_page

__all__ = ["build_page"]
