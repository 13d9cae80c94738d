#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the stubs that open a shared library at the first call into it.

  lazy.py OUT.S LIBRARY… -- OBJECT…

Loading all that Manor stands on takes longer than most of what one of its processes does: seventy
libraries, of which a step or a reading needs a few. For each function that the objects call and a
LIBRARY (a name as for -l) defines, OUT.S has a stub: it jumps through a slot, which the first call fills
by dlopen and dlsym (agent/lazy/resolve.c). The program is then linked without those libraries. x86-64's
System V calling convention; data symbols can't be had like this and are an error.
"""
import os
import subprocess
import sys

FUNCTIONS = set("TWi")


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main():
    out, rest = sys.argv[1], sys.argv[2:]
    split = rest.index("--")
    libraries, objects = rest[:split], rest[split + 1:]
    defined, wanted = set(), set()
    for line in output("nm", "--format=posix", *objects).splitlines():
        words = line.split()
        if len(words) < 2:
            continue
        (wanted if words[1] == "U" else defined).add(words[0])
    wanted -= defined
    text = ["/* Written by agent/lazy/lazy.py. */", "\t.text"]
    records, names = [], []
    for number, library in enumerate(libraries):
        path = os.path.realpath(output("gcc", f"-print-file-name=lib{library}.so").strip())
        soname = [line.split()[1] for line in output("objdump", "-p", path).splitlines()
                  if line.split()[:1] == ["SONAME"]][0]
        used = False
        for line in output("nm", "-D", "--defined-only", "--format=posix", path).splitlines():
            symbol, kind = line.split()[:2]
            symbol = symbol.split("@")[0]
            if symbol not in wanted:
                continue
            if kind not in FUNCTIONS:
                sys.exit(f"lazy.py: '{symbol}' of {soname} is data: link lib{library} itself")
            wanted.discard(symbol)
            used = True
            at = len(records)
            names.append(f'.Ls{at}:\t.asciz "{symbol}"')
            records.append(f"\t.quad 0, .Ls{at}, .Ll{number}")
            text += [f"\t.globl {symbol}", f"\t.type {symbol}, @function", f"{symbol}:",
                     f"\tmovq manor_lazy + {24 * at}(%rip), %r11",
                     "\ttestq %r11, %r11", "\tjz 1f", "\tjmp *%r11",
                     f"1:\tleaq manor_lazy + {24 * at}(%rip), %r11",
                     "\tjmp manor_lazy_first", f"\t.size {symbol}, . - {symbol}"]
        if used:
            names.append(f'.Ll{number}:\t.asciz "{soname}"')
    # What may hold arguments is kept across the look-up; the stack is aligned for it by 16.
    registers = ["rax", "rdi", "rsi", "rdx", "rcx", "r8", "r9", "r10"]
    text += ["manor_lazy_first:", "\tpushq %rbp", "\tmovq %rsp, %rbp"]
    text += [f"\tpushq %{r}" for r in registers]
    text += ["\tsubq $128, %rsp"]
    text += [f"\tmovups %xmm{i}, {16 * i}(%rsp)" for i in range(8)]
    text += ["\tmovq %r11, %rdi", "\tcall manor_lazy_resolve", "\tmovq %rax, %r11"]
    text += [f"\tmovups {16 * i}(%rsp), %xmm{i}" for i in range(8)]
    text += ["\taddq $128, %rsp"]
    text += [f"\tpopq %{r}" for r in reversed(registers)]
    text += ["\tpopq %rbp", "\tjmp *%r11"]
    text += ["\t.data", "\t.balign 8", "\t.globl manor_lazy", "manor_lazy:"] + records
    text += ["\t.section .rodata"] + names
    text += ["\t.section .note.GNU-stack, \"\", @progbits", ""]
    with open(out, "w", encoding="ascii") as f:
        f.write("\n".join(text))


main()
