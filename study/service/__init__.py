"""The HTTP service, which accepts studies, runs them from a queue and shows them on a web page."""
