"""What a study will do, before anything is trained."""
