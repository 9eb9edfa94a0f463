"""Format, quote, escape and redact text for terminals, shells, spreadsheets and pages."""
