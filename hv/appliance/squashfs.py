# SPDX-License-Identifier: GPL-2.0-or-later
"""What each file of a squashfs takes in it, packed: read from its own tables, for packing each by itself would tell something else.

The layout is Documentation/filesystems/squashfs.rst's of the kernel, and fs/squashfs/squashfs_fs.h's.
"""
import lzma
import struct
import subprocess
import zlib

MAGIC = 0x73717368
SUPERBLOCK = struct.Struct("<5I6H8Q")
NONE = 0xffffffff
UNPACKED_BLOCK = 1 << 24
UNPACKED_METADATA = 1 << 15


def unzstd(data):
    return subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout


UNPACK = {1: zlib.decompress, 4: lzma.decompress, 6: unzstd}


class Squashfs:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = f.read()
        if len(self.data) < SUPERBLOCK.size:
            raise ValueError(f"{path} is no squashfs")
        (magic, _, _, self.block, self.fragments, packing, _, _, _, major, _, self.root, self.used, _, _, self.inodes,
         self.directories, fragments, _) = SUPERBLOCK.unpack_from(self.data)
        if magic != MAGIC or major != 4:
            raise ValueError(f"{path} is no squashfs of version 4")
        if packing not in UNPACK:
            raise ValueError(f"{path} is packed by method {packing}, which is none of gzip, xz, zstd")
        self.unpack = UNPACK[packing]
        self.known = {}
        self.fragment = self.fragment_sizes(fragments)

    def metadata(self, at):
        """(unpacked, where the next one begins)"""
        if at not in self.known:
            (head,) = struct.unpack_from("<H", self.data, at)
            size = head & (UNPACKED_METADATA - 1)
            data = self.data[at + 2:at + 2 + size]
            self.known[at] = (data if head & UNPACKED_METADATA else self.unpack(data), at + 2 + size)
        return self.known[at]

    def read(self, table, block, offset, size):
        """SIZE bytes of the stream that begins in the BLOCK of a TABLE."""
        at, out = table + block, b""
        while len(out) < offset + size:
            data, at = self.metadata(at)
            out += data
        return out[offset:offset + size]

    def fragment_sizes(self, table):
        sizes = []
        for first in range(0, self.fragments, 512):
            (at,) = struct.unpack_from("<Q", self.data, table + first // 512 * 8)
            count = min(512, self.fragments - first)
            for _, size, _ in struct.iter_unpack("<QII", self.metadata(at)[0][:16 * count]):
                sizes.append(size & (UNPACKED_BLOCK - 1))
        return sizes

    def inode(self, ref):
        """("folder", block, offset, size), ("file", start, size, fragment, packed bytes of its blocks) or None"""
        block, offset = ref >> 16, ref & 0xffff
        (kind,) = struct.unpack("<H", self.read(self.inodes, block, offset, 2))
        body = offset + 16
        if kind == 1:
            start, _, size, within, _ = struct.unpack("<IIHHI", self.read(self.inodes, block, body, 16))
            return "folder", start, within, size
        if kind == 8:
            _, size, start, _, _, within, _ = struct.unpack("<IIIIHHI", self.read(self.inodes, block, body, 24))
            return "folder", start, within, size
        if kind == 2:
            start, fragment, _, size = struct.unpack("<4I", self.read(self.inodes, block, body, 16))
            body += 16
        elif kind == 9:
            start, size, _, _, fragment, _, _ = struct.unpack("<3Q4I", self.read(self.inodes, block, body, 40))
            body += 40
        else:
            return None
        count = size // self.block if fragment != NONE else -(-size // self.block)
        blocks = struct.unpack(f"<{count}I", self.read(self.inodes, block, body, 4 * count))
        return "file", start, size, fragment, sum(b & (UNPACKED_BLOCK - 1) for b in blocks)

    def walk(self, ref=None, path=""):
        """(path, inode) of each file"""
        kind, block, offset, size = self.inode(self.root if ref is None else ref)
        assert kind == "folder"
        # The size counts three bytes for "." and "..", which aren't there.
        data = self.read(self.directories, block, offset, size - 3) if size > 3 else b""
        at = 0
        while at < len(data):
            count, start, _ = struct.unpack_from("<III", data, at)
            at += 12
            for _ in range(count + 1):
                within, _, _, length = struct.unpack_from("<HhHH", data, at)
                name = data[at + 8:at + 9 + length].decode(errors="surrogateescape")
                at += 9 + length
                child = start << 16 | within
                inode = self.inode(child)
                if inode is None:
                    continue
                if inode[0] == "folder":
                    yield from self.walk(child, f"{path}{name}/")
                else:
                    yield f"{path}{name}", inode

    def files(self):
        """{path: (bytes, packed bytes)}. Ends of files are packed together; each has its share. Of files with the same
        content, which are there once, the first has it."""
        found, tails = sorted(self.walk()), {}
        seen = set()
        own = {}
        for path, (_, start, size, fragment, packed) in found:
            tail = size % self.block if fragment != NONE else 0
            if packed:
                own[path] = 0 if start in seen else packed
                seen.add(start)
            if tail:
                tails[fragment] = tails.get(fragment, 0) + tail
        out = {}
        for path, (_, _, size, fragment, _) in found:
            tail = size % self.block if fragment != NONE else 0
            share = self.fragment[fragment] * tail / tails[fragment] if tail else 0
            out[path] = (size, own.get(path, 0) + share)
        return out
