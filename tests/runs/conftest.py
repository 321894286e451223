from run_fixtures import _kept_compilations, _own_folders, base, dots, tiles  # noqa: F401
