"""Pixels out of real files of every format and mode."""

import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from mulligan.data.decode import (
    MOST_PIXELS,
    UnusableError,
    decode,
    opened,
    quiet_decoders,
    read_header,
)

S = (16, 16)


def encoded(image, kind="PNG", **options):
    held = io.BytesIO()
    image.save(held, kind, **options)
    return held.getvalue()


def solid(mode, colour, size=S):
    return Image.new(mode, (size[1], size[0]), colour)


def ramp16():
    return (np.arange(65536, dtype=np.uint32).reshape(256, 256)).astype(np.uint16)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_16_bit_ramp_stays_a_ramp(kind):
    content = encoded(Image.fromarray(ramp16()), kind)
    pixels = decode(content, (256, 256), 1)
    assert pixels.mean() == pytest.approx(127.5, abs=0.6)
    assert pixels[0, 0, 0] == 0
    assert pixels[0, 255, 255] == 255
    assert (np.diff(pixels[0].mean(axis=1)) > 0).all()
    assert read_header(io.BytesIO(content)) == (256, True)


def test_a_big_endian_16_bit_tiff_is_read_in_its_byte_order():
    header = struct.pack(">2sHI", b"MM", 42, 8)
    tags = [(256, 16), (257, 8), (258, 16), (259, 1), (262, 1), (273, 122), (277, 1), (278, 8),
            (279, 256)]  # fmt: skip
    directory = struct.pack(">H", len(tags))
    directory += b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in tags)
    pixels = np.full((8, 16), 0x80FF, dtype=">u2").tobytes()
    content = header + directory + struct.pack(">I", 0)
    content += b"\0" * (122 - len(content)) + pixels
    content = content.replace(
        struct.pack(">HHII", 258, 4, 1, 16), struct.pack(">HHIHH", 258, 3, 1, 16, 0)
    )
    assert (decode(content, (8, 16), 1) == 128).all()


PALETTE = [200, 30, 10, 0, 255, 0]


def palette_with_hole():
    image = Image.new("P", S, 0)
    image.putpalette(PALETTE)
    image.paste(1, (0, 0, 8, 16))
    return encoded(image, transparency=1)


def test_transparent_pixels_become_white_whatever_colour_they_hide():
    half = np.zeros((16, 16, 4), dtype=np.uint8)
    half[:, 8:] = (200, 30, 10, 255)
    half[:, :8] = (0, 255, 0, 0)
    grey = np.zeros((16, 16, 2), dtype=np.uint8)
    grey[:, 8:] = (90, 255)
    keyed = Image.fromarray(half[..., :3].copy())
    contents = {
        "RGBA": encoded(Image.fromarray(half)),
        "palette": palette_with_hole(),
        "keyed colour": encoded(keyed, transparency=(0, 255, 0)),
        "gif": encoded(Image.fromarray(half), "GIF"),
        "webp": encoded(Image.fromarray(half), "WEBP", lossless=True),
    }
    for name, content in contents.items():
        pixels = decode(content, S, 3)
        assert (pixels[:, :, :8] == 255).all(), name
        assert pixels[:, 3, 12].tolist() == [200, 30, 10], name
    pixels = decode(encoded(Image.fromarray(grey)), S, 1)
    assert (pixels[0, :, :8] == 255).all()
    assert (pixels[0, :, 8:] == 90).all()
    assert read_header(io.BytesIO(encoded(Image.fromarray(grey)))) == (16, True)


def test_a_tall_picture_is_put_on_the_background_from_top_to_bottom():
    pixels = np.random.default_rng(0).integers(0, 256, (600, 16, 4), dtype=np.uint8)
    image = Image.fromarray(pixels)
    white = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    made = decode(encoded(image), (600, 16), 3)
    assert (made.transpose(1, 2, 0) == np.asarray(white)).all()


def test_four_channels_keep_the_transparency():
    pixels = decode(palette_with_hole(), S, 4)
    assert pixels.shape == (4, 16, 16)
    assert (pixels[3, :, :8] == 0).all()
    assert pixels[:, 0, 15].tolist() == [200, 30, 10, 255]
    assert decode(encoded(solid("L", 7)), S, 4)[:, 0, 0].tolist() == [7, 7, 7, 255]


def test_half_transparent_is_mixed_with_white():
    pixels = decode(encoded(solid("RGBA", (0, 100, 255, 128))), S, 3)
    assert pixels[:, 0, 0].tolist() == pytest.approx([127, 177, 255], abs=1)


@pytest.mark.parametrize(
    ("image", "kind", "expected", "grey"),
    [
        (solid("1", 1), "PNG", [255] * 3, True),
        (solid("L", 77), "PNG", [77] * 3, True),
        (solid("RGB", (1, 2, 3)), "BMP", [1, 2, 3], False),
        (solid("CMYK", (0, 255, 255, 0)), "TIFF", [255, 0, 0], False),
        (solid("F", 0.5), "TIFF", [128] * 3, True),
        (solid("L", 77), "GIF", [77] * 3, True),
        (solid("RGB", (1, 2, 3)), "WEBP", [1, 2, 3], False),
    ],
)
def test_modes_give_the_expected_pixel(image, kind, expected, grey):
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(image, kind, **options)
    assert decode(content, S, 3)[:, 5, 5].tolist() == expected
    assert read_header(io.BytesIO(content)) == (16, grey)


def test_an_inverted_cmyk_jpeg_of_adobe_is_not_a_negative():
    content = encoded(solid("CMYK", (0, 255, 255, 0)), "JPEG", quality=95)
    assert b"Adobe" in content
    assert decode(content, S, 3)[:, 5, 5].tolist() == pytest.approx([254, 0, 0], abs=8)


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_float_pictures_outside_zero_to_one_are_refused(value):
    with pytest.raises(UnusableError, match=r"outside \[0, 1\]"):
        decode(encoded(solid("F", value), "TIFF"), S, 1)


def test_32_bit_integers_are_refused():
    with pytest.raises(UnusableError, match="no defined range"):
        decode(encoded(solid("I", 5), "TIFF"), S, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    upright = np.arange(10 * 16, dtype=np.uint8).reshape(10, 16)
    undo = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(undo[orientation]))
    pixels = decode(encoded(stored, exif=exif), (10, 16), 1)
    assert (pixels[0] == upright).all()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation_is_used(kind):
    frames = [solid("RGB", colour) for colour in [(200, 0, 0), (0, 200, 0), (0, 0, 200)]]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert decode(content, S, 3)[:, 4, 4].tolist() == [200, 0, 0]


def test_the_centre_is_cropped_to_the_wanted_aspect():
    wide = np.zeros((20, 60), dtype=np.uint8)
    wide[:, 20:40] = 255  # the centred square
    assert (decode(encoded(Image.fromarray(wide)), (20, 20), 1) == 255).all()
    assert (decode(encoded(Image.fromarray(wide.T.copy())), (20, 20), 1) == 255).all()
    assert (decode(encoded(Image.fromarray(wide)), (20, 60), 1)[0] == wide).all()


def test_resizing_averages_and_does_not_alias():
    lines = np.zeros((64, 64), dtype=np.uint8)
    lines[:, ::2] = 255  # finer than 16 pixels can show: must become grey
    pixels = decode(encoded(Image.fromarray(lines)), S, 1)[0, :, 2:-2]
    assert np.abs(pixels.astype(float) - 127.5).max() < 8


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("side", [37, 40, 64, 75])
def test_large_jpegs_are_loaded_smaller_and_look_the_same(side, orientation):
    rows = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    large = Image.fromarray(rows).resize((800, 600), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(large, "JPEG", quality=95, exif=exif)
    loaded = []
    with opened(content, (side, side)) as (image, _):
        loaded.append(image.size)
    assert loaded[0][1] == {37: 75, 40: 150, 64: 150, 75: 150}[side]  # twice side or more
    whole = encoded(large.rotate(-90, expand=True) if orientation == 6 else large)
    small, same = (decode(each, (side, side), 3).astype(float) for each in (content, whole))
    assert np.abs(small - same).mean() < 2


def test_small_jpegs_and_other_formats_are_loaded_whole():
    picture = Image.fromarray(np.zeros((600, 800, 3), dtype=np.uint8))
    for content, side in ((encoded(picture, "JPEG"), 160), (encoded(picture), 32)):
        with opened(content, (side, side)) as (image, _):
            assert image.size == (800, 600)


def test_colour_profiles_are_ignored():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    content = encoded(solid("RGB", (10, 20, 30)), icc_profile=profile)
    assert decode(content, S, 3)[:, 0, 0].tolist() == [10, 20, 30]


def png_claiming(width, height):
    def chunk(kind, body):
        check = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rest = chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + rest


@pytest.mark.parametrize("size", [(8001, 8001), (12_000, 12_000), (50_000, 50_000)])
def test_bombs_are_refused_by_their_header(size):
    assert size[0] * size[1] > MOST_PIXELS
    with quiet_decoders(), pytest.raises(UnusableError, match="more than 64 megapixels"):
        read_header(io.BytesIO(png_claiming(*size)))


@pytest.mark.parametrize("size", [(1, 1), (7, 100), (10_000, 1)])
def test_tiny_pictures_are_refused(size):
    with pytest.raises(UnusableError, match="too small"):
        read_header(io.BytesIO(encoded(Image.new("L", size))))


@pytest.mark.parametrize("kind", ["PPM", "ICO", "TGA", "PCX", "SGI", "EPS", "PDF"])
def test_other_formats_never_reach_a_decoder(kind):
    content = encoded(solid("RGB", (1, 2, 3)), kind)
    with pytest.raises(UnusableError, match="not a picture in one of the formats"):
        decode(content, S, 3)


def test_damaged_files_only_ever_raise_unusable():
    rng = random.Random(0)
    noise = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(noise)
    whole = [encoded(image, kind, exif=exif) for kind in ("JPEG", "PNG", "WEBP", "TIFF")]
    whole += [encoded(image, "GIF"), encoded(image, "BMP"), encoded(image, "TIFF")]
    outcomes = {"decoded": 0, "refused": 0}
    with quiet_decoders():
        for turn in range(700):
            content = bytearray(whole[turn % len(whole)])
            for _ in range(rng.randint(1, 8)):
                content[rng.randrange(len(content))] = rng.randrange(256)
            if turn % 3 == 0:
                del content[rng.randrange(len(content)) :]
            try:
                read_header(io.BytesIO(bytes(content)))
                pixels = decode(bytes(content), S, 3)
            except UnusableError:
                outcomes["refused"] += 1
            else:
                assert pixels.shape == (3, 16, 16)
                assert pixels.dtype == np.uint8
                outcomes["decoded"] += 1
    assert min(outcomes.values()) > 100
