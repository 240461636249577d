"""Pairs of networks by name, for recipes whose paper introduced a loss and not a network."""

from __future__ import annotations

from torch import nn

from mulligan.errors import UsageError
from mulligan.fields import Field, Image, Points
from mulligan.networks import coders, mlp, strided

BODIES = ("auto", "mlp", "dcgan", "plain")
MLP_UNITS = 256
STRIDED_WIDTH = 32


def resolve(body: str, field: Field) -> str:
    """`auto` made definite: mlp for points, plain for images; other names as they are.

    Raises UsageError for an unknown name.
    """
    if body not in BODIES:
        raise UsageError(
            f"body {body!r} is unknown; it is one of {', '.join(BODIES)}", "use --body auto"
        )
    if body != "auto":
        return body
    return "plain" if isinstance(field, Image) else "mlp"


def pair(body: str, field: Field, latent: int, width: int = 0) -> tuple[nn.Module, nn.Module]:
    """A generator and a discriminator for the given field.

    body: auto, mlp, dcgan (batch norm in both) or plain (batch norm in the generator alone).
    width: units of each hidden layer, or channels of the finest hidden map; 0 chooses by body.
    Raises UsageError for points with a convolutional body, and for an unknown body.
    """
    body = resolve(body, field)
    if body == "mlp" and isinstance(field, (Image, Points)):
        hidden = mlp_hidden(width)
        return mlp.Generator(latent, field.shape, hidden), mlp.Discriminator(field.shape, hidden)
    field, width = image_field(body, field), width or STRIDED_WIDTH
    return (
        strided.Generator(latent, field.channels, field.size, width),
        strided.Discriminator(field.channels, field.size, width, norm=body == "dcgan"),
    )


def coder(
    body: str, field: Field, latent: int, outputs: int, width: int = 0
) -> tuple[nn.Module, nn.Module]:
    """An encoder to (N, outputs) and a decoder from (N, latent), none of which couples rows.

    The decoder normalises each row's maps or units. Without, absolute error was seen to end in
    the median picture: tanh saturates and the codes grow without bound.
    body: auto, mlp or plain (fully connected layers and strided convolutions).
    width, errors: as for `pair`.
    """
    body = resolve(body, field)
    if body == "mlp" and isinstance(field, (Image, Points)):
        hidden = mlp_hidden(width)
        encoder = mlp.Discriminator(field.shape, hidden, outputs=outputs)
        return encoder, mlp.Generator(latent, field.shape, hidden, norm=True)
    field, width = image_field(body, field), width or STRIDED_WIDTH
    return (
        coders.Encoder(field.channels, field.size, width, outputs),
        coders.Decoder(latent, field.channels, field.size, width),
    )


def mlp_hidden(width: int, layers: int = 3) -> tuple[int, ...]:
    """The units of each hidden layer; width 0 chooses."""
    return (width or MLP_UNITS,) * layers


def image_field(body: str, field: Field) -> Image:
    """The field, if it is an image; else a UsageError that says which body fits."""
    if not isinstance(field, Image):
        raise UsageError(
            f"body {body!r} needs images and the data are {field}", "use --body mlp or --body auto"
        )
    return field
