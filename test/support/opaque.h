/* opaque.h
 * Purpose.     Keeps the compiler from knowing what a value is.
 * Design.      An empty asm statement that may have changed the value. Without it a compiler removes a malloc whose
 *              block is only freed, computes the answer of a call that it knows, and warns of the misuse that a test
 *              is about.
 */
#ifndef TEST_SUPPORT_OPAQUE_H
#define TEST_SUPPORT_OPAQUE_H

#include <stddef.h>

/* The same pointer, of unknown origin; whatever it points at counts as used. */
static inline void *opaque(void *ptr) {
    __asm__ volatile("" : "+r"(ptr) : : "memory");
    return ptr;
}

/* The same size, of unknown value. */
static inline size_t opaque_size(size_t size) {
    __asm__ volatile("" : "+r"(size));
    return size;
}

#endif
