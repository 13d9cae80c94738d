# SPDX-License-Identifier: GPL-2.0-or-later
"""Stories that tell TAP: what scripts of cli/ have in common. A story is a function, its name the sentence that is told."""
import sys

CRASHES = ("AddressSanitizer", "runtime error", "LeakSanitizer")
stories = []


class Failed(AssertionError):
    pass


def story(f):
    stories.append(f)
    return f


def expect(true, text, *more):
    if not true:
        raise Failed("\n".join([text, *(str(m) for m in more)]))


def tell(before=lambda: None):
    """All of them, or those that the command line names, each after `before`; the exit status."""
    chosen = [s for s in stories if not sys.argv[1:] or s.__name__ in sys.argv[1:]]
    print(f"1..{len(chosen)}", flush=True)
    bad = 0
    for n, s in enumerate(chosen, 1):
        words = s.__name__.replace("_", " ")
        try:
            before()
            s()
            print(f"ok {n} - {words}", flush=True)
        except Exception as e:  # whatever it is, the others are told as well
            bad += 1
            print(f"not ok {n} - {words}")
            said = f"{type(e).__name__}: {e} {getattr(e, 'stderr', '') or ''}".rstrip()
            print("\n".join(f"# {line}" for line in said.split("\n")), flush=True)
    return 1 if bad else 0
