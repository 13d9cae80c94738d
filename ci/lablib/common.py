# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things lie, and what goes wrong."""
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
LABS = os.path.join(BUILD, "lab")
HV = os.path.join(BUILD, "hv")


class Failure(Exception):
    """What a person reads; main() prints it and exits with its code."""

    def __init__(self, text, code=1):
        super().__init__(text)
        self.code = code


class Gone(Exception):
    """The dom0 doesn't answer: not up yet, or no longer."""


class Late(Exception):
    """A command took longer than it was given."""


def say(text):
    print(f"lab: {text}", file=sys.stderr, flush=True)
