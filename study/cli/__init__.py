"""The command `study`: arguments in, lines and exit codes out."""
