"""Results for people: terminal tables, figures, an HTML page, and reports for CI."""
