# SPDX-License-Identifier: GPL-2.0-or-later
"""A VNC viewer that looks once (RFC 6143): what a server says, and a picture of its screen as PNG.

All that a viewer without a password says can be said at once, so that a shell in the dom0 may carry it.
"""
import base64
import re
import struct
import zlib

# Version; security type None; shared; 32 bits a pixel, little endian, RGB at 16, 8, 0; raw encoding; all of the screen.
SAYS = (b"RFB 003.008\n" + b"\x01" + b"\x01" +
        struct.pack(">B3xBBBBHHHBBB3x", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0) +
        struct.pack(">BxHi", 2, 1, 0) + struct.pack(">BBHHHH", 3, 0, 0, 0, 4096, 4096))


def ask(host, port, says, seconds=6):
    """What comes back within that time."""
    text = base64.b64encode(says).decode()
    out = host.sh(["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port} && echo {text} | base64 -d >&3 && "
                                 f"{{ timeout {seconds} cat <&3 || true; }} | gzip | base64 -w0"], 120)
    return zlib.decompress(base64.b64decode(out), 31)


def security(host, port):
    """The types that it offers: 1 none, 2 a password."""
    said = ask(host, port, b"RFB 003.008\n", 3)
    if not said.startswith(b"RFB 003.") or len(said) < 13:
        raise ValueError(f"no VNC server: {said[:40]}")
    return list(said[13:13 + said[12]])


def screen(host, port):
    """(width, height, its pixels as rows of RGB)."""
    said = ask(host, port, SAYS)
    at = 12 + 1 + said[12] + 4
    width, height = struct.unpack_from(">HH", said, at)
    at += 20
    at += 4 + struct.unpack_from(">I", said, at)[0]
    rows = [bytearray(3 * width) for _ in range(height)]
    while at + 4 <= len(said) and said[at] == 0:
        count, at = struct.unpack_from(">H", said, at + 2)[0], at + 4
        for _ in range(count):
            x, y, w, h, encoding = struct.unpack_from(">HHHHi", said, at)
            at += 12
            if encoding or at + 4 * w * h > len(said):
                return width, height, rows
            for row in range(h):
                line = said[at:at + 4 * w]
                at += 4 * w
                for channel in range(3):
                    rows[y + row][3 * x + channel:3 * (x + w):3] = line[2 - channel::4]
    return width, height, rows


def png(width, height, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    pixels = b"".join(b"\0" + bytes(row) for row in rows)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(pixels, 6)) + chunk(b"IEND", b""))


def port_of(status):
    return int(re.search(r"127\.0\.0\.1:(\d+)", status).group(1))
