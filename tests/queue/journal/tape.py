"""What SQLite writes, recorded step by step: a VFS of ours around the one it uses.

Made with ctypes in the very library that the module sqlite3 is linked to, so that the
product's code runs unchanged. While a recording goes on, our VFS is the default one.
"""

import _sqlite3
import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import c_char_p, c_int, c_int64, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_OK = 0
_OPEN_CREATE = 0x4
# Of these files os_unix.c syncs the directory too, once, with the first sync after it has
# opened them: main journal, super-journal, write-ahead log.
_OPEN_NAMED_IN_DIRECTORY = 0x800 | 0x4000 | 0x80000
_VERSION = 3  # of both tables below, since SQLite 3.7.17

_OPEN = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
_DELETE = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)
_CLOSE = ctypes.CFUNCTYPE(c_int, c_void_p)
_WRITE = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_TRUNCATE = ctypes.CFUNCTYPE(c_int, c_void_p, c_int64)
_SYNC = ctypes.CFUNCTYPE(c_int, c_void_p, c_int)


@dataclass(frozen=True, slots=True)
class Create:
    """The file *number* has got the name *name*."""

    name: str
    number: int


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes went into a file."""

    number: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    """A file was cut to a size."""

    number: int
    size: int


@dataclass(frozen=True, slots=True)
class Sync:
    """A file was synced; *directory* says that the names in its directory were, too."""

    number: int
    directory: bool


@dataclass(frozen=True, slots=True)
class Delete:
    """A name was removed; *directory* says that this was synced at once."""

    name: str
    directory: bool


Step = Create | Write | Truncate | Sync | Delete


class Tape:
    """The recording: every change of the files in *directory*, in order.

    It begins with the files that are there already, as if they had just been written and synced.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        self.steps: list[Step] = []
        self._numbers: dict[str, int] = {}
        self._files = 0
        for path in sorted(self.directory.iterdir()):
            number = self.open(path.name)
            self.steps += [Write(number, 0, path.read_bytes()), Sync(number, directory=True)]

    @property
    def position(self) -> int:
        """How many steps have been recorded."""
        return len(self.steps)

    def open(self, name: str) -> int:
        """The number of the file of that name, which is made if there is none."""
        if name not in self._numbers:
            self._numbers[name] = self._files
            self._files += 1
            self.steps.append(Create(name, self._numbers[name]))
        return self._numbers[name]

    def delete(self, name: str, *, directory: bool) -> None:
        """The name was removed."""
        if self._numbers.pop(name, None) is not None:
            self.steps.append(Delete(name, directory))

    def unlink(self, path: Path) -> None:
        """Remove a file as the product does, without SQLite: nothing is synced."""
        path.unlink(missing_ok=True)
        self.delete(path.name, directory=False)


class _Vfs(ctypes.Structure):
    """sqlite3_vfs."""

    _fields_ = (
        ("version", c_int),
        ("file_bytes", c_int),
        ("longest_path", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("data", c_void_p),
        ("open", c_void_p),
        ("delete", c_void_p),
        ("others", c_void_p * 14),
    )


class _Methods(ctypes.Structure):
    """sqlite3_io_methods."""

    _fields_ = (
        ("version", c_int),
        ("close", c_void_p),
        ("read", c_void_p),
        ("write", c_void_p),
        ("truncate", c_void_p),
        ("sync", c_void_p),
        ("others", c_void_p * 13),
    )


@dataclass(slots=True)
class _Handle:
    """An open file: its number on the tape, and whether its next sync is the directory's too."""

    number: int
    directory: bool


class _Recorder:
    """Our VFS; it records while it has a `tape`."""

    def __init__(self, library: ctypes.CDLL, tape: Tape) -> None:
        self.address: int = library.sqlite3_vfs_find(None)
        self.vfs = _Vfs.from_buffer_copy(ctypes.string_at(self.address, ctypes.sizeof(_Vfs)))
        self.vfs.version = _checked(self.vfs.version)
        self.tape: Tape | None = tape
        self._handles: dict[int, _Handle] = {}
        self._tables: dict[int, _Methods] = {}
        self._kept: list[Any] = []
        self._true_open = _OPEN(self.vfs.open)
        self._true_delete = _DELETE(self.vfs.delete)
        self.vfs.name = b"tape"
        self.vfs.next = None
        self.vfs.open = self._pointer(_OPEN, self._open)
        self.vfs.delete = self._pointer(_DELETE, self._delete)

    def _pointer(self, kind: Callable[..., Any], function: Callable[..., int]) -> int | None:
        callback = kind(function)
        self._kept.append(callback)
        return ctypes.cast(callback, c_void_p).value

    def _tape_for(self, name: int | None) -> tuple[Tape, str] | None:
        """The tape and the name on it of the file with that path; None for files elsewhere."""
        if not name or self.tape is None:
            return None
        path = Path(ctypes.string_at(name).decode())
        return (self.tape, path.name) if path.parent == self.tape.directory else None

    def _open(self, _: int, name: int | None, file: int, flags: int, out: int | None) -> int:
        done: int = self._true_open(self.address, name, file, flags, out)
        found = self._tape_for(name)
        if done == _OK and found is not None:
            directory = bool(flags & _OPEN_CREATE and flags & _OPEN_NAMED_IN_DIRECTORY)
            self._handles[file] = _Handle(found[0].open(found[1]), directory)
            # A sqlite3_file begins with the pointer to its methods.
            slot = c_void_p.from_address(file)
            slot.value = self._recording(slot.value or 0)
        return done

    def _delete(self, _: int, name: int, directory: int) -> int:
        done: int = self._true_delete(self.address, name, directory)
        found = self._tape_for(name)
        if done == _OK and found is not None:
            found[0].delete(found[1], directory=bool(directory))
        return done

    def _recording(self, address: int) -> int:
        """The address of a copy of the methods there that records."""
        if address not in self._tables:
            self._tables[address] = self._wrapped(address)
        return ctypes.addressof(self._tables[address])

    def _wrapped(self, address: int) -> _Methods:
        table = _Methods.from_buffer_copy(ctypes.string_at(address, ctypes.sizeof(_Methods)))
        table.version = _checked(table.version)
        true_close, true_write = _CLOSE(table.close), _WRITE(table.write)
        true_truncate, true_sync = _TRUNCATE(table.truncate), _SYNC(table.sync)
        handles = self._handles

        def close(file: int) -> int:
            handles.pop(file)
            done: int = true_close(file)
            return done

        def write(file: int, data: int, size: int, offset: int) -> int:
            done: int = true_write(file, data, size, offset)
            if self.tape is not None:
                content = ctypes.string_at(data, size)
                self.tape.steps.append(Write(handles[file].number, offset, content))
            return done

        def truncate(file: int, size: int) -> int:
            done: int = true_truncate(file, size)
            if self.tape is not None:
                self.tape.steps.append(Truncate(handles[file].number, size))
            return done

        def sync(file: int, flags: int) -> int:
            done: int = true_sync(file, flags)
            handle = handles[file]
            if self.tape is not None and done == _OK:
                self.tape.steps.append(Sync(handle.number, handle.directory))
                handle.directory = False
            return done

        table.close, table.write = self._pointer(_CLOSE, close), self._pointer(_WRITE, write)
        table.truncate, table.sync = self._pointer(_TRUNCATE, truncate), self._pointer(_SYNC, sync)
        return table


def _checked(version: int) -> int:
    # A later version has more entries behind ours; copied without them, it is the one we know.
    if version < _VERSION:
        raise AssertionError(f"SQLite has VFS version {version}; {_VERSION} is needed")
    return _VERSION


_recorders: list[_Recorder] = []  # never let go: a connection closed too late still calls them


@contextmanager
def recording(directory: Path) -> Iterator[Tape]:
    """Record what SQLite changes in *directory*; connections must be opened and closed within."""
    # A Python that has SQLite built in offers its symbols itself.
    library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
    library.sqlite3_vfs_find.restype = c_void_p
    library.sqlite3_vfs_find.argtypes = [c_char_p]
    library.sqlite3_vfs_register.argtypes = [c_void_p, c_int]
    library.sqlite3_vfs_unregister.argtypes = [c_void_p]
    tape = Tape(directory)
    recorder = _Recorder(library, tape)
    _recorders.append(recorder)
    ours = ctypes.addressof(recorder.vfs)
    library.sqlite3_vfs_register(ours, 1)
    try:
        yield tape
    finally:
        library.sqlite3_vfs_unregister(ours)
        library.sqlite3_vfs_register(recorder.address, 1)
        recorder.tape = None
