"""The `ganjax` command, one file a subcommand."""
