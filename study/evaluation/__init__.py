"""Which configuration is better, and how sure that is: confirm, compare, recheck, and their statistics."""
