"""Comparisons of configurations and their uncertainty: confirm, compare, recheck, and the statistics behind them."""
