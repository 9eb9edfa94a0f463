"""The limits of the process: imports that may fail, and memory that may run out."""
