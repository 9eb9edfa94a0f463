"""The plan of a study, computed before anything is trained."""
