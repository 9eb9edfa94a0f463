"""What is known of a study, and who may write it."""
