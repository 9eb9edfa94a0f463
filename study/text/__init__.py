"""Text as people, shells, spreadsheets and pages read it: counted, quoted, escaped, redacted."""
