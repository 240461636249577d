"""Pictures of files as a data set: what it is called, its fields, its classes, its notes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from mulligan.data.dataset import DataSet, build, labels
from mulligan.data.index import Index
from mulligan.data.kinds import Place, called, origin
from mulligan.data.labelling import class_of_each
from mulligan.data.packed import Skipped
from mulligan.data.sources import Source
from mulligan.errors import DataError
from mulligan.fields import Fields, Image, Label
from mulligan.places import shown


def described(
    path: Place,
    source: Source,
    entries: Index,
    pixels: Tensor,
    notes: list[str],
    sha256: str = "",
) -> DataSet:
    """The data set of these entries and their pixels, called after this path.

    sha256: of the arrays, if it is known. Raises DataError if nothing is left.
    """
    source.skipped.sort()
    if not entries:
        raise nothing(path, source.skipped)
    if source.skipped:
        notes.append(skip_note(source.skipped))
    found = class_of_each(source.labels, entries.names(), notes)
    fields: Fields = {"real": Image(pixels.shape[1], pixels.shape[2], pixels.shape[3])}
    arrays = {"real": pixels}
    if found:
        values, names = found
        fields["label"], arrays["label"] = Label(names), labels(values)
    return build(
        called(path),
        fields,
        arrays,
        source=origin(path),
        files=entries.listed(),
        skipped=source.skipped,
        notes=notes,
        sha256=sha256,
    )


def nothing(path: Place, skipped: Sequence[Skipped]) -> DataError:
    reasons = f"; {skip_note(skipped)}" if skipped else ""
    return DataError(
        f"{shown(str(path))} holds no picture that can be used{reasons}",
        "give a folder, zip or tar with JPEG, PNG, GIF, BMP, WebP or TIFF pictures",
    )


def skip_note(skipped: Sequence[Skipped]) -> str:
    first = skipped[0]
    count = "1 file skipped:" if len(skipped) == 1 else f"{len(skipped)} files skipped, such as"
    return f"{count} {first['file']} ({first['reason']})"
