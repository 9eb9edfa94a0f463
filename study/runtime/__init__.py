"""The process and its machine: imports that may fail, and data that may be large."""
