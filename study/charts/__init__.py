"""Charts of a study's trials as plain records: the report draws them in its page, MLflow gets them as SVG files."""
