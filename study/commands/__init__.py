"""The commands of `study`, arguments in and lines out. Nothing heavy is imported before a command needs it."""
