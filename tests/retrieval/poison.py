"""Documents that were made to do harm, generated when a test asks for them; none is kept in the repository."""

import io
import zipfile
import zlib
from collections.abc import Callable

from retrieval_fakes import write_pdf

Poison = Callable[[], bytes]

CONTENT_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
)
LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1 if n > 1 else str()};" * 10}">' for n in range(1, 12))
    + "]><a>&a11;</a>"
)
XXE = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
CONTAINER = (
    '<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="o.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)


def zipped(members: dict[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip file of members."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()


def xml_bomb() -> bytes:
    """Return a Word file whose text is 300 MB of one element."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", CONTENT_TYPES)
        with archive.open("word/document.xml", "w", force_zip64=True) as member:
            for _ in range(300):
                member.write(b"<w:p>" * 200_000)
    return made.getvalue()


def lying_zip() -> bytes:
    """Return a Word file that says of a member of 30 MB that it has 10 bytes."""
    data = bytearray(
        zipped({"[Content_Types].xml": CONTENT_TYPES, "word/document.xml": b"<a>" + b" " * 30_000_000})
    )
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    return bytes(data)


def many_members() -> bytes:
    """Return a zip file whose end record tells of 65,000 members."""
    data = bytearray(zipped({"a": b"x"}))
    at = data.rfind(b"PK\x05\x06")
    data[at + 8 : at + 12] = (65_000).to_bytes(2, "little") * 2
    return bytes(data)


def looping_pdf() -> bytes:
    """Return a PDF whose page tree is its own child."""
    return (
        b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type/Pages/Kids[2 0 R 2 0 R]/Count 9>>endobj\n"
        b"trailer<</Root 1 0 R>>\n%%EOF"
    )


def stretched_pdf() -> bytes:
    """Return a PDF that says it has ten million pages."""
    return (
        b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 10000000>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
    )


def picture_bomb() -> bytes:
    """Return a Word file with a picture that says it has 10^9 points in a kilobyte."""
    import docx

    made = io.BytesIO()
    document = docx.Document()
    document.add_paragraph("An adult pays 64.")
    document.save(made)
    head = b"IHDR" + (1).to_bytes(4, "big") + (10**9).to_bytes(4, "big") + b"\x08\x06\0\0\0"
    picture = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + head + zlib.crc32(head).to_bytes(4, "big")
    with zipfile.ZipFile(made, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/media/image1.png", picture + b"\0" * 1000)
    return made.getvalue()


def pdf_of_points() -> bytes:
    """Return a PDF whose page shows a picture of 10^10 points and a line of text."""
    shown = b"q 9 0 0 9 0 0 cm /I Do Q BT /F 12 Tf 10 10 Td (An adult pays 64.) Tj ET"
    points = zlib.compress(b"\0" * 100_000)
    size = b"/Width 100000/Height 100000/BitsPerComponent 8/ColorSpace/DeviceGray/Filter/FlateDecode"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Resources"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        page + b"<</Font<</F 5 0 R>>/XObject<</I 6 0 R>>>>>>",
        b"<</Length " + str(len(shown)).encode() + b">>stream\n" + shown + b"\nendstream\n",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</Type/XObject/Subtype/Image"
        + size
        + b"/Length "
        + str(len(points)).encode()
        + b">>stream\n"
        + points
        + b"\nendstream\n",
    ]
    numbered = [str(n).encode() + b" 0 obj" + one + b"endobj\n" for n, one in enumerate(objects, 1)]
    return b"%PDF-1.7\n" + b"".join(numbered) + b"trailer<</Root 1 0 R>>\n%%EOF"


REFUSED: dict[str, tuple[str, Poison, str]] = {
    "xml bomb": ("a.docx", xml_bomb, "unpacks to far more"),
    "zip that lies": ("a.docx", lying_zip, "broken|unpacks to far more|cannot be read"),
    "zip of many": ("a.xlsx", many_members, "packs more than"),
    "zip cut off": ("a.pptx", lambda: zipped({"a.xml": b"<a/>" * 100})[:60], "broken"),
    "zip without the format": ("a.pptx", lambda: zipped({"../../a.txt": b"x"}), "broken"),
    "laughs": ("a.docx", lambda: zipped({"word/document.xml": LAUGHS}), "declares entities"),
    "laughs in 16 bits": (
        "a.docx",
        lambda: zipped({"word/document.xml": LAUGHS.encode("utf-16")}),
        "declares entities",
    ),
    "outside entity": ("a.xlsx", lambda: zipped({"xl/workbook.xml": XXE}), "declares entities"),
    "outside entity in a book": (
        "a.epub",
        lambda: zipped({"META-INF/container.xml": CONTAINER, "o.opf": XXE}),
        "cannot be read",
    ),
    "book without chapters": ("a.epub", lambda: zipped({"a": b"x"}), "no part"),
    "pdf in a loop": ("a.pdf", looping_pdf, "no page holds text|not a PDF|broken"),
    "pdf of 10 million pages": ("a.pdf", stretched_pdf, "pages are too many|no page holds text"),
    "pdf cut off": ("a.pdf", lambda: write_pdf("Some text.")[:300], "not a PDF"),
    "mail of many parts": (
        "a.eml",
        lambda: (
            b"Content-Type: multipart/mixed; boundary=b\n\n"
            + b"--b\nContent-Type: text/plain\n\nx\n" * 10_000
        ),
        "more than 1,000 parts",
    ),
    "html nested deep": ("a.html", lambda: b"<div>" * 100_000 + b"x", "nested too deeply"),
    "code nested deep": ("a.md", lambda: b"\0" * 100, "not text"),
    "table of one field": ("a.csv", lambda: b'"' + b"x" * 3_000_000, "no table that can be read"),
    "office file of the old kind": (
        "a.docx",
        lambda: b"\xd0\xcf\x11\xe0" + b"x" * 99,
        "an old office document",
    ),
    "picture": ("a.txt", lambda: b"\x89PNG\r\n\x1a\n" + b"\xff" * 99, "a picture"),
}
"""Each with its name, its bytes, and what the refusal says."""

TAKEN: dict[str, tuple[str, Poison]] = {
    "python nested deep": ("a.py", lambda: b"x = " + b"(" * 50_000),
    "json nested deep": ("a.json", lambda: b"[" * 100_000),
    "markdown of brackets": ("a.md", lambda: b"# " + b"[" * 50_000 + b"\n\ntext " + b"![" * 50_000),
    "long line": ("a.txt", lambda: b"x" * 3_000_000),
    "16 bits without a mark": ("a.txt", lambda: "plain words\n".encode("utf-16-le") * 50),
    "hidden characters": ("a.md", "a\u202e\u200b\U000e0041b 价格".encode),
    "name of a device": ("CON.txt", lambda: b"text"),
    "name with a line end": ("a\nb.txt", lambda: b"text"),
    "picture bomb in a Word file": ("a.docx", picture_bomb),
    "picture bomb in a PDF": ("a.pdf", pdf_of_points),
}
"""What looks like harm and is read all the same."""
