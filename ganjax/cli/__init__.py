"""The `ganjax` command: one file for each subcommand."""
