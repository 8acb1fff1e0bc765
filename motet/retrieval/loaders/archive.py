"""Zip files as documents come in them: what is packed to do harm is refused before anything is unpacked.

What does not live here: what the files inside mean (`docx`, `epub`, …).
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import TYPE_CHECKING, Any

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from motet.retrieval.unreadable import unreadable

if TYPE_CHECKING:
    from pathlib import Path

MAX_MEMBERS = 20_000
MAX_UNPACKED_BYTES = 150_000_000
MAX_RATIO = 400
"""Unpacked to packed, of a member over a megabyte; text of office files is packed 5 to 50 times."""

_DECLARED = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_XML = (".xml", ".rels", ".opf", ".ncx", ".vml")
_END = b"PK\x05\x06"
_AGAIN = "Save it again with the program that made it, or save its text."


class Archive:
    """A zip file in memory that was checked.

    Args:
        data: Its bytes.
        path: For messages.
        no_dtd: Refuse XML members that declare entities: office programs never write any.

    Raises:
        DocumentUnreadable: It is no zip file, a bomb, encrypted, or its XML declares entities.
    """

    def __init__(self, data: bytes, path: Path, *, no_dtd: bool = True) -> None:
        self._path = path
        if _count(data) > MAX_MEMBERS:
            raise unreadable(path, f"it packs more than {MAX_MEMBERS:,} files", _AGAIN)
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise unreadable(path, f"it is broken ({error})", _AGAIN) from None
        members = self._zip.infolist()
        if sum(member.file_size for member in members) > MAX_UNPACKED_BYTES or any(map(_is_bomb, members)):
            raise unreadable(path, "it unpacks to far more than it is", _AGAIN)
        if any(member.flag_bits & 1 for member in members):
            raise unreadable(path, "it is encrypted", "Save a copy without a password and add that.")
        self.names = [member.filename for member in members]
        self._left = MAX_UNPACKED_BYTES
        if no_dtd:
            for name in self.names:
                if name.lower().endswith(_XML) and _DECLARED.search(_plain(self.read(name))):
                    raise unreadable(path, f"its part {name[:80]!r} declares entities", _AGAIN)

    def read(self, name: str) -> bytes:
        """Return one member's bytes; the sizes that the file declares are not believed.

        Raises:
            DocumentUnreadable: There is no such member, it is broken, or all that was read is too much.
        """
        try:
            with self._zip.open(name) as member:
                found = member.read(self._left + 1)
        except KeyError:
            raise unreadable(self._path, f"it has no part {name[:80]!r}", _AGAIN) from None
        except (zipfile.BadZipFile, ValueError, OSError, RuntimeError, EOFError, *_zlib_errors()) as error:
            raise unreadable(self._path, f"its part {name[:80]!r} is broken ({error})", _AGAIN) from None
        if len(found) > self._left:
            raise unreadable(self._path, "it unpacks to far more than it is", _AGAIN)
        self._left -= (
            len(found) // 4
        )  # what is read twice (checked, then parsed) is not counted twice in full
        return found

    def xml(self, name: str) -> Any:
        """Return the root element of an XML member; entities and DTDs are refused.

        Raises:
            DocumentUnreadable: It is no XML, or declares entities.
        """
        try:
            return fromstring(self.read(name), forbid_dtd=True)
        except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
            raise unreadable(self._path, f"its part {name[:80]!r} cannot be read ({error})", _AGAIN) from None

    def property(self, name: str, tag: str) -> str:
        """Return the text of the first element with a tag in a member, without its namespace; "" for none."""
        if name not in self.names:
            return ""
        found = (element for element in self.xml(name).iter() if str(element.tag).rpartition("}")[2] == tag)
        return next((" ".join((element.text or "").split()) for element in found), "")


def _count(data: bytes) -> int:
    """Return how many members the end record tells, before a list of them is made."""
    at = data.rfind(_END, max(0, len(data) - 66_000))
    return int.from_bytes(data[at + 10 : at + 12], "little") if at >= 0 else 0


def _is_bomb(member: zipfile.ZipInfo) -> bool:
    return member.file_size > 1_000_000 and member.file_size > MAX_RATIO * max(1, member.compress_size)


def _plain(data: bytes) -> bytes:
    """Return XML so that its declarations can be found in it: UTF-16 hides them between zeros."""
    return data.replace(b"\0", b"") if b"\0" in data[:200] else data


def _zlib_errors() -> tuple[type[Exception], ...]:
    import lzma  # noqa: PLC0415  # only what a member may be packed with
    import zlib  # noqa: PLC0415

    return (zlib.error, lzma.LZMAError)
