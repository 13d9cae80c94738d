# SPDX-License-Identifier: GPL-2.0-or-later
"""A network of its own, with `manor netboot serve` in it and machines beside it: nobody else's network is touched. Needs root."""
import contextlib
import os
import subprocess


class Lan:
    """As a context: a bridge in a namespace, with as many plugs as there are machines."""
    LINK = "lan"

    def __init__(self, address, plugs):
        self.name = f"manor-lan-{os.getpid()}"
        self.address, self.plugs = address, plugs
        self.server = None

    def inside(self, *words):
        """The command line that runs there."""
        return ["ip", "netns", "exec", self.name, *words]

    def ip(self, *words):
        subprocess.run(["ip", "-n", self.name, *words], check=True)

    def __enter__(self):
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        try:
            self.ip("link", "set", "lo", "up")
            self.ip("link", "add", self.LINK, "type", "bridge", "forward_delay", "0")
            self.ip("address", "add", self.address, "dev", self.LINK)
            self.ip("link", "set", self.LINK, "up")
            for number in range(1, self.plugs + 1):
                self.ip("tuntap", "add", f"plug{number}", "mode", "tap")
                self.ip("link", "set", f"plug{number}", "master", self.LINK, "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.server:
            self.server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.server.wait(20)
            self.server.kill()
        subprocess.run(["ip", "netns", "del", self.name], check=False)

    def serve(self, log, *words):
        """Keeps that running; its words are in the log."""
        with open(log, "w", encoding="ascii") as f:
            self.server = subprocess.Popen(self.inside(*words), stdin=subprocess.DEVNULL, stdout=f, stderr=f)

    @staticmethod
    def card(number, mac, boot, *options):
        """QEMU's words for a card in that plug; a machine's QEMU runs inside."""
        return ["-netdev", f"tap,id=lan,ifname=plug{number},script=no,downscript=no",
                "-device", ",".join([f"virtio-net-pci,netdev=lan,mac={mac},bootindex={boot}", *options])]
