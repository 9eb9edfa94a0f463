"""The model that is kept: one scikit-learn pipeline, evaluated once on the test set, then used to predict."""
