"""Strategies for files that are almost valid: most code of a reader comes after its first check."""

import io
import json
import struct
import tarfile

from hypothesis import strategies as st

JSON = st.recursive(
    # Numbers are small or huge: others would only use much memory.
    st.none()
    | st.booleans()
    | st.integers(-3, 300)
    | st.integers(2**70, 2**80)
    | st.floats()
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_NUMBERS = [struct.pack(form, value) for form in ("<H", "<I", ">I", "<Q") for value in (0, 0x7FFF, 0xFFFF)]
_NUMBERS += [
    b"\xff" * 4,
    b"\xff" * 8,
    b"\x80" + b"\0" * 7,
    b"\0" * 8,
    b"-1",
    b"1e999",
    b"9" * 5000,
    b"\n",
    b"../",
]


@st.composite
def altered(draw, originals, most=6):
    """One of `originals` with up to `most` changes: bits flipped, bytes replaced, removed, repeated, cut."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(0, most))):
        start = draw(st.integers(0, len(data)))
        stop = start + draw(st.integers(0, 64))
        match draw(st.sampled_from(["flip", "replace", "insert", "remove", "repeat", "cut"])):
            case "flip" if start < len(data):
                data[start] ^= 1 << draw(st.integers(0, 7))
            case "replace":
                number = draw(st.sampled_from(_NUMBERS))
                data[start : start + len(number)] = number
            case "insert":
                data[start:start] = draw(st.sampled_from(_NUMBERS) | st.binary(max_size=16))
            case "remove":
                del data[start:stop]
            case "repeat":
                data[start:stop] = data[start:stop] * draw(st.sampled_from([2, 3, 100, 3000]))
            case "cut":
                del data[start:]
    return bytes(data)


@st.composite
def altered_json(draw, original):
    """The JSON text of `original` with up to three values replaced or removed."""
    value = json.loads(json.dumps(original))
    for _ in range(draw(st.integers(0, 3))):
        places = list(_places(value))
        if not places:
            break
        within, key = draw(st.sampled_from(places))
        if draw(st.booleans()):
            del within[key]
        else:
            within[key] = draw(JSON)
    return json.dumps(value).encode()


def _places(value):
    """Every (container, key) in a JSON value."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


def files(**strategies):
    """A strategy for files from strategies for their contents; `__` in a name means a dot."""
    return st.fixed_dictionaries({name.replace("__", ".").encode(): s for name, s in strategies.items()})


def summed(tar):
    """The tar file with correct header checksums, so that a reader accepts the headers."""
    data = bytearray(tar)
    for start in range(0, len(data) - tarfile.BLOCKSIZE + 1, tarfile.BLOCKSIZE):
        block = data[start : start + tarfile.BLOCKSIZE]
        if block[257:262] == b"ustar":
            block[148:156] = b" " * 8
            data[start + 148 : start + 156] = b"%06o\0 " % sum(block)
    return bytes(data)


def repacked(form, members):
    """A .zip or .tar of `members`, name -> bytes, as bytes; `form` opens it for writing."""
    file = io.BytesIO()
    with form(file) as archive:
        for name, content in members.items():
            if isinstance(archive, tarfile.TarFile):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                archive.writestr(name, content)
    return file.getvalue()
