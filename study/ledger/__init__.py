"""The record of a study, and the lock that allows only one process to write to it."""
