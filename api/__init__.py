"""Entry points: HTTP, command line, pages, wiring and settings. It knows everybody."""
