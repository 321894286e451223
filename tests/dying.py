"""Runs `ganjax`, logs every operation on the files of a folder, and kills itself at one of these operations.

`run` runs a command line with the experiments of `small_runs.py`. Every operation on a file below `folder`
is a line in `log`. At operation `at` (the first is 0) the process kills itself with SIGKILL: "before" it,
"during" it (half of the bytes are written) or "after" it; that is the last line of `log`. With `at` = -1 it
is not killed.
"""

import builtins
import io
import os
import signal
import sys
import threading

MOMENTS = ("before", "during", "after")


class Operations:
    """Counts operations on files below `folder`, in all threads, and ends the process at one of them."""

    def __init__(self, folder, log, at, moment):
        self.folder, self.at, self.moment = os.path.abspath(folder), at, moment
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        self.count, self.lock = 0, threading.Lock()

    def due(self, number, name, path):
        """Whether the process ends at this operation."""
        return number == self.at

    def end(self):
        """End the process."""
        os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, setattr=setattr):
        """From now on, count what Python does to files; what C code writes is not counted."""
        for name in ("unlink", "mkdir", "rmdir", "chmod"):
            setattr(os, name, self.counted(name, getattr(os, name)))
        setattr(os, "replace", self.counted("replace", os.replace, which=1))
        setattr(os, "fsync", self.counted("fsync", os.fsync))
        plain = io.open

        def open(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, **options):
            if set(mode) & set("wa+x") and not options:
                return self.opened(file, mode, buffering, encoding, errors, newline)
            return plain(file, mode, buffering, encoding, errors, newline, **options)

        setattr(io, "open", open)
        setattr(builtins, "open", open)

    def opened(self, file, mode, buffering, encoding, errors, newline):
        """Like `open` for writing, but every write to the system is counted."""
        raw = Raw(self, file, mode.replace("b", "").replace("t", ""))
        if buffering == 0:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

    def counted(self, name, function, which=0):
        def call(*arguments, **options):
            if "dir_fd" in options:  # from shutil.rmtree
                folder = options["dir_fd"]
                path = os.path.join(path_of(folder) if folder is not None else "", arguments[which])
            else:
                path = path_of(arguments[which])
            return self.do(name, path, lambda: function(*arguments, **options))

        return call

    def do(self, name, path, whole, half=None):
        """Do `whole`, and count it if `path` is in the folder."""
        if not os.path.abspath(path).startswith(self.folder):
            return whole()
        with self.lock:
            path = os.path.relpath(path, self.folder)
            due, self.count = self.due(self.count, name, path), self.count + 1
            os.write(self.log, f"{name} {path}\n".encode())
            if due and self.moment != "after":
                if half and self.moment == "during":
                    half()
                self.end()
        result = whole()
        if due:
            self.end()
        return result


class Raw(io.FileIO):
    """A file without a buffer: each of its writes is one system call."""

    def __init__(self, operations, file, mode):
        self.operations, self.path = operations, path_of(file)
        operations.do("open", self.path, lambda: super(Raw, self).__init__(file, mode))

    def write(self, content):
        content = memoryview(content).cast("B")
        return self.operations.do(
            "write",
            self.path,
            whole=lambda: super(Raw, self).write(content),
            half=lambda: super(Raw, self).write(content[: len(content) // 2]),
        )

    def truncate(self, size=None):
        return self.operations.do("truncate", self.path, lambda: super(Raw, self).truncate(size))


def path_of(file):
    """The path of a file, given as a path or an open file descriptor."""
    return os.readlink(f"/proc/self/fd/{file}") if isinstance(file, int) else os.fspath(file)


def run(folder, log, at, moment, words, said):
    """Run `ganjax WORDS` in this process, which ends with it; what it prints goes to the file `said`."""
    output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(output, stream)
    sys.argv = ["ganjax", *words]
    import small_runs

    Operations(folder, log, at, moment).watch()
    small_runs.command_line()
