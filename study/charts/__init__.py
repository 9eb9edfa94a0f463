"""Charts of a study's trials as plain records, drawn in the page of the report and as SVG files for MLflow."""
