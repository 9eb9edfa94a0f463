"""`study`: tune dense neural networks from one TOML file, and keep a record that can be trusted."""

__version__ = "0.1.0"
