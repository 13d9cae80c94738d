/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What libFuzzer calls: https://llvm.org/docs/LibFuzzer.html
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
