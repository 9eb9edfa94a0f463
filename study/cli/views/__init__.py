"""What commands print: each result as lines and tables for a terminal."""
