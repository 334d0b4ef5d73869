// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_ENGINE_CPU_CLONES_H_
#define HANAS_WORKER_ENGINE_CPU_CLONES_H_

// One copy of each hot function for every x86-64 level, chosen when the program is loaded. Elsewhere the baseline has vectors already.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define HANAS_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define HANAS_CLONES
#endif

#endif  // HANAS_WORKER_ENGINE_CPU_CLONES_H_
