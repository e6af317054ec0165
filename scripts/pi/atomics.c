// Atomic operations for Thumb code on ARMv6, the processor of the Pi 1 and the Pi Zero. It has the
// instructions for them, but not among those of Thumb: there LLVM calls these functions instead,
// by the names that GCC gave them, and Rust's library has them for no target of Linux with ARMv6.
// build-pi.sh compiles this file to ARM code, where each is a handful of instructions (LDREX and
// STREX, with the barriers), and links it.
//
// All of them are sequentially consistent, which is what callers of the old __sync_ functions get.

#include <stdint.h>

#define ORDER __ATOMIC_SEQ_CST

// C cannot define a function by the name of a builtin, so the name is given to the assembler.
#define NAMED(name, bytes) __asm__("__sync_" #name "_" #bytes)

#define FETCH(operation, bytes, type)                                                  \
    type operation##_##bytes(type *at, type value) NAMED(fetch_and_##operation, bytes); \
    type operation##_##bytes(type *at, type value) {                                   \
        return __atomic_fetch_##operation(at, value, ORDER);                           \
    }

#define ALL(bytes, type)                                                                       \
    type cas_##bytes(type *at, type expected, type desired) NAMED(val_compare_and_swap, bytes); \
    type cas_##bytes(type *at, type expected, type desired) {                                  \
        __atomic_compare_exchange_n(at, &expected, desired, 0, ORDER, ORDER);                  \
        return expected;                                                                       \
    }                                                                                          \
    type swap_##bytes(type *at, type value) NAMED(lock_test_and_set, bytes);                   \
    type swap_##bytes(type *at, type value) { return __atomic_exchange_n(at, value, ORDER); }  \
    FETCH(add, bytes, type)                                                                    \
    FETCH(sub, bytes, type)                                                                    \
    FETCH(and, bytes, type)                                                                    \
    FETCH(or, bytes, type)                                                                     \
    FETCH(xor, bytes, type)

ALL(1, uint8_t)
ALL(2, uint16_t)
ALL(4, uint32_t)
ALL(8, uint64_t)

void synchronize(void) __asm__("__sync_synchronize");
void synchronize(void) { __atomic_thread_fence(ORDER); }
