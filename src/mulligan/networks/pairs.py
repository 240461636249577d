"""Pairs of networks by name, for recipes whose paper introduced a loss and not a network."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from torch import nn

from mulligan.errors import UsageError
from mulligan.fields import Field, Image, Points
from mulligan.networks import coders, compact, labelled, mlp, points, resnet, strided

BODIES = ("auto", "mlp", "points", "dcgan", "plain", "resnet", "compact")
CODERS = ("auto", "mlp", "plain")
MLP_UNITS = 256
WIDTHS = {"points": 128, "dcgan": 32, "plain": 32, "resnet": 16, "compact": 32}

Judge = Literal["projection", "planes"]


def resolve(body: str, field: Field, bodies: tuple[str, ...] = BODIES) -> str:
    """`auto` made definite: mlp for points, plain for images; other names as they are.

    Raises UsageError for a name that is none of `bodies`.
    """
    if body not in bodies:
        raise UsageError(
            f"body {body!r} is unknown; it is one of {', '.join(bodies)}", "use --body auto"
        )
    if body != "auto":
        return body
    return "plain" if isinstance(field, Image) else "mlp"


def pair(
    body: str,
    field: Field,
    latent: int,
    width: int = 0,
    classes: int = 0,
    judge: Judge = "projection",
    outputs: int = 1,
) -> tuple[nn.Module, nn.Module]:
    """A generator and a discriminator for the given field.

    body: auto, mlp, points (for narrow modes), dcgan (batch norm in both), plain, resnet or
    compact (batch norm in the generator alone). None is spectrally normalised; `spectral` does
    that to any network.
    width: units of each hidden layer, or channels: of the finest hidden map (dcgan, plain), of the
    discriminator's blocks (resnet), of the coarsest map (compact); 0 chooses by body.
    classes: where there are any, both networks take (..., label), label (N,).
    judge: how the discriminator then takes it, see `labelled`; projection has one output.
    outputs: the discriminator's scores are (N,), or (N, outputs) where there are several.
    Raises UsageError for points with a convolutional body, and for an unknown body.
    """
    if not classes:
        return generator(body, field, latent, width), discriminator(body, field, width, outputs)
    inner = generator(body, field, latent + labelled.SIZE, width)
    made = labelled.Generator(inner, classes, latent, labelled.SIZE)
    if judge == "projection":
        assert outputs == 1, "the label's embedding makes one score of all outputs"
        inner = discriminator(body, field, width, labelled.SIZE)
        return made, labelled.Projection(inner, classes, labelled.SIZE)
    joined, shape = beside(field)
    inner = discriminator(body, joined, width, outputs)
    return made, labelled.Planes(inner, classes, shape)


def generator(body: str, field: Field, latent: int, width: int = 0) -> nn.Module:
    """From (N, latent) to samples. Arguments and errors as for `pair`."""
    body = resolve(body, field)
    if body == "mlp" and isinstance(field, (Image, Points)):
        return mlp.Generator(latent, field.shape, mlp_hidden(width))
    if body == "points":
        return points.Generator(latent, points_field(field).dims, width or WIDTHS[body])
    field, width = image_field(body, field), width or WIDTHS[body]
    if body == "resnet":
        return resnet.Generator(latent, field.channels, field.size, width)
    if body == "compact":
        return compact.Generator(latent, field.channels, field.size, width)
    return strided.Generator(latent, field.channels, field.size, width)


def discriminator(body: str, field: Field, width: int = 0, outputs: int = 1) -> nn.Module:
    """From samples to scores (N,), or (N, outputs). Arguments and errors as for `pair`."""
    body = resolve(body, field)
    if body == "mlp" and isinstance(field, (Image, Points)):
        return mlp.Discriminator(field.shape, mlp_hidden(width), outputs=outputs)
    if body == "points":
        dims = points_field(field).dims
        return points.Discriminator(dims, width or WIDTHS[body], outputs=outputs)
    field, width = image_field(body, field), width or WIDTHS[body]
    given = field.channels, field.size, width
    if body == "resnet":
        return resnet.Discriminator(*given, outputs=outputs)
    if body == "compact":
        return compact.Discriminator(*given, outputs=outputs)
    return strided.Discriminator(*given, norm=body == "dcgan", outputs=outputs)


def beside(field: Field) -> tuple[Field, tuple[int, ...]]:
    """The field with a label's plane or numbers joined on, and the shape of what is joined."""
    if isinstance(field, Image):
        return replace(field, channels=field.channels + 1), field.size
    if isinstance(field, Points):
        return replace(field, dims=field.dims + labelled.POINT_SIZE), (labelled.POINT_SIZE,)
    return field, ()


def coder(
    body: str, field: Field, latent: int, outputs: int, width: int = 0
) -> tuple[nn.Module, nn.Module]:
    """An encoder to (N, outputs) and a decoder from (N, latent), none of which couples rows.

    The decoder normalises each row's maps or units. Without, absolute error was seen to end in
    the median picture: tanh saturates and the codes grow without bound.
    body: auto, mlp or plain (fully connected layers and strided convolutions).
    width, errors: as for `pair`.
    """
    body = resolve(body, field, CODERS)
    if body == "mlp" and isinstance(field, (Image, Points)):
        hidden = mlp_hidden(width)
        encoder = mlp.Discriminator(field.shape, hidden, outputs=outputs)
        return encoder, mlp.Generator(latent, field.shape, hidden, norm=True)
    field, width = image_field(body, field), width or WIDTHS[body]
    return (
        coders.Encoder(field.channels, field.size, width, outputs),
        coders.Decoder(latent, field.channels, field.size, width),
    )


def mlp_hidden(width: int, layers: int = 3) -> tuple[int, ...]:
    """The units of each hidden layer; width 0 chooses."""
    return (width or MLP_UNITS,) * layers


def points_field(field: Field) -> Points:
    """The field, if it is points; else a UsageError that says which body fits."""
    if not isinstance(field, Points):
        raise UsageError(f"body 'points' needs points and the data are {field}", "use --body auto")
    return field


def image_field(body: str, field: Field) -> Image:
    """The field, if it is an image; else a UsageError that says which body fits."""
    if not isinstance(field, Image):
        raise UsageError(
            f"body {body!r} needs images and the data are {field}", "use --body mlp or --body auto"
        )
    return field
