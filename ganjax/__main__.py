"""`python -m ganjax`: the command line."""

from ganjax.cli.main import main

if __name__ == "__main__":
    main()
