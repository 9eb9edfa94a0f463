"""Print the results of the commands as lines and tables for a terminal."""
